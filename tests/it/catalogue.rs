//! The catalogue: every sentence that the source says is in it, and it has no other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What stands above the sentences.
const HEAD: &str = "\
# Every sentence of the panel, and of the pages that letters lead to. The key is the English; translate what stands right of
# it. A {name} is filled in, and may stand elsewhere; <code>, <strong> and the like stay around the same words. What depends
# on a number has a form for each kind of number that the language knows: zero, one, two, few, many, other (Unicode CLDR).
# `make catalogue` writes this file from the source.

[language]
# as it calls itself
name = \"English\"
# between the thousands of a number, and before its decimals
group = \",\"
decimal = \".\"

[sentences]
";

/// The sentences by their keys; for one that depends on a number, what stands for more than one.
type Sentences = BTreeMap<String, Option<String>>;

#[test]
fn every_sentence_of_the_source_is_in_the_catalogue_and_no_other() {
    let written = format!("{HEAD}{}", said().iter().map(line).collect::<String>());
    let file = Path::new(ROOT).join("src/language/en.toml");
    if std::env::var_os("WRITE_CATALOGUE").is_some() {
        fs::write(&file, &written).unwrap();
    }
    let held = fs::read_to_string(&file).unwrap();
    let lacking: Vec<_> = written.lines().filter(|line| !held.lines().any(|one| one == *line)).collect();
    let strange: Vec<_> = held.lines().filter(|line| !written.lines().any(|one| one == *line)).collect();
    assert!(held == written, "run `make catalogue`; lacking: {lacking:#?}; said nowhere: {strange:#?}");
}

#[test]
fn no_sentence_is_empty_glued_or_marked_in_an_unknown_way() {
    for (one, many) in said() {
        for text in [Some(&one), many.as_ref()].into_iter().flatten() {
            assert!(!text.trim().is_empty() && !text.contains('\n'), "{text:?}");
            let open = text.matches('{').count();
            assert!(open == text.matches('}').count(), "{text:?}");
            // A part that is all there is says nothing: it is no sentence.
            assert!(
                text.trim_start_matches('{').trim_end_matches('}').contains(|c: char| !c.is_alphanumeric() && c != '_')
                    || open == 0,
                "{text:?}"
            );
        }
    }
}

fn line((one, many): (&String, &Option<String>)) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    match many {
        None => format!("{} = {}\n", quoted(one), quoted(one)),
        Some(many) => format!("{} = {{ one = {}, other = {} }}\n", quoted(one), quoted(one), quoted(many)),
    }
}

/// Every sentence that the source and the templates say.
fn said() -> Sentences {
    let mut all = Sentences::new();
    for file in files("src", "rs") {
        let text = fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        let code: String =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect();
        if !file.ends_with("language/say.rs") {
            in_code(&code, &mut all);
        }
        for (one, many) in nouns(&code) {
            for (key, plural) in of_nouns(&one, &many) {
                add(&mut all, key, plural);
            }
        }
    }
    for file in files("templates", "html") {
        in_template(&fs::read_to_string(&file).unwrap(), &mut all);
    }
    all
}

fn add(all: &mut Sentences, key: String, plural: Option<String>) {
    let known = all.entry(key.clone()).or_insert_with(|| plural.clone());
    assert!(*known == plural, "{key:?} goes with {known:?} and with {plural:?}");
}

fn files(folder: &str, kind: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![Path::new(ROOT).join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false if path.extension().is_some_and(|extension| extension == kind) => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

/// The string at the beginning of `text`, and what follows it.
fn literal(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('"')?;
    let (mut read, mut chars) = (String::new(), inside.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((read, &inside[at + 1..])),
            '\\' => match chars.next()?.1 {
                // The end of the line and the space before the next are no part of it.
                '\n' => {
                    let rest = chars.as_str().trim_start();
                    chars = inside[inside.len() - rest.len()..].char_indices();
                    let (tail, after) =
                        literal(&format!("\"{}", chars.as_str())).map(|(tail, after)| (tail, after.len()))?;
                    return Some((read + &tail, &inside[inside.len() - after..]));
                }
                'n' => read.push('\n'),
                c => read.push(c),
            },
            c => read.push(c),
        }
    }
    None
}

fn in_code(code: &str, all: &mut Sentences) {
    for name in ["say!(", "said!(", "key!("] {
        for (at, _) in code.match_indices(name) {
            if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let inside = &code[at + name.len()..];
            let from = inside.find('"').unwrap();
            let (one, after) = literal(&inside[from..]).unwrap();
            let many = after.trim_start().strip_prefix('|').and_then(|rest| literal(rest.trim_start()));
            add(all, one, many.map(|(many, _)| many));
        }
    }
}

fn in_template(text: &str, all: &mut Sentences) {
    let openings = text.match_indices("{{").chain(text.match_indices("{%"));
    for (at, open) in openings {
        let close = if open == "{{" { "}}" } else { "%}" };
        let mut rest = &text[at..at + text[at..].find(close).unwrap()];
        while let Some(from) = rest.find('"') {
            let (one, after) = literal(&rest[from..]).unwrap_or_else(|| panic!("{rest:?}"));
            rest = after;
            let filter: String =
                after.strip_prefix('|').unwrap_or_default().chars().take_while(|c| c.is_alphanumeric()).collect();
            match filter.as_str() {
                "t" => add(all, one, None),
                "n" => {
                    let (many, after) = literal(after["|n(".len()..].trim_start()).unwrap();
                    add(all, one, Some(many));
                    rest = after;
                }
                _ => {}
            }
        }
    }
}

/// The nouns of lists.
fn nouns(code: &str) -> Vec<(String, String)> {
    let inside = code.match_indices("nouns!(").map(|(at, name)| &code[at + name.len()..]);
    inside
        .filter_map(|inside| {
            let (one, after) = literal(inside)?;
            let (many, _) = literal(after.trim_start_matches(',').trim_start())?;
            Some((one, many))
        })
        .collect()
}

/// The sentences that the macro makes of them, as it is written.
fn of_nouns(one: &str, many: &str) -> Vec<(String, Option<String>)> {
    let text = fs::read_to_string(Path::new(ROOT).join("src/admin/changelist/nouns.rs")).unwrap();
    let body = text.split("macro_rules!").nth(1).unwrap();
    let made = |arguments: &str| -> String {
        let (mut made, mut rest) = (String::new(), arguments);
        while !rest.is_empty() {
            rest = rest.trim_start_matches([',', ' ', '\n']);
            rest = match (rest.strip_prefix("$one"), rest.strip_prefix("$many"), literal(rest)) {
                (Some(after), ..) => {
                    made += one;
                    after
                }
                (_, Some(after), _) => {
                    made += many;
                    after
                }
                (.., Some((text, after))) => {
                    made += &text;
                    after
                }
                _ => "",
            };
        }
        made
    };
    let pieces: Vec<(bool, String)> = body
        .match_indices("concat!(")
        .map(|(at, name)| {
            let end = body[at..].find(')').unwrap();
            (body[..at].trim_end().ends_with('('), made(&body[at + name.len()..at + end]))
        })
        .collect();
    let mut found = Vec::new();
    let mut pieces = pieces.into_iter();
    while let Some((is_first, text)) = pieces.next() {
        let plural = is_first.then(|| pieces.next().unwrap().1);
        found.push((text, plural));
    }
    assert!(found.len() >= 8, "{found:?}");
    found
}
