//! A language that nobody speaks: the English, each letter with an accent and each sentence two fifths longer. What a page
//! says in plain letters was said past the catalogue; what is cut off or overflows would be so in German, too.

use std::collections::BTreeSet;
use std::path::Path;

use toml::{Table, Value};

/// Letters and what stands for them.
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const ACCENTED: &str = "áḃçðéƒĝĥîĵķļɱñöþɋŕšţüṽŵẋýžÁḂÇÐÉƑĜĤÎĴĶĻṀÑÖÞɊŔŠŢÜṼŴẊÝŽ";
/// What makes a sentence longer.
const FILLING: &str = " ẋẋẋẋẋ";

/// Puts the language into a folder, under this tag.
pub fn write(folder: &Path, tag: &str) {
    let english = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/language/en.toml");
    let mut catalogue: Table = std::fs::read_to_string(english).unwrap().parse().unwrap();
    let about = catalogue["language"].as_table_mut().unwrap();
    about.insert("name".to_owned(), Value::String(name(tag)));
    about.insert("group".to_owned(), Value::String("’".to_owned()));
    about.insert("decimal".to_owned(), Value::String("·".to_owned()));
    for (_, sentence) in catalogue["sentences"].as_table_mut().unwrap().iter_mut() {
        match sentence {
            Value::String(text) => *text = said(text),
            Value::Table(forms) => {
                for (_, form) in forms.iter_mut() {
                    *form = Value::String(said(form.as_str().unwrap()));
                }
            }
            other => panic!("{other:?}"),
        }
    }
    std::fs::write(folder.join(format!("{tag}.toml")), catalogue.to_string()).unwrap();
}

/// What the language calls itself.
pub fn name(tag: &str) -> String {
    format!("{} ({})", said("Nobody's own").trim(), tag.replace('-', "."))
}

/// A sentence in that language. Parts and marks stay.
pub fn said(english: &str) -> String {
    let (mut made, mut kept) = (String::new(), ' ');
    for c in english.chars() {
        match (kept, c) {
            (' ', '{') => kept = '}',
            (' ', '<') => kept = '>',
            (end, c) if end == c && c != ' ' => kept = ' ',
            (' ', c) => {
                let at = LETTERS.chars().position(|letter| letter == c);
                made.push(at.map_or(c, |at| ACCENTED.chars().nth(at).unwrap()));
                continue;
            }
            _ => {}
        }
        made.push(c);
    }
    let longer = english.chars().count() * 2 / 5;
    made.extend(FILLING.chars().cycle().take(longer));
    made
}

/// The texts of a page, its tooltips and the names of its fields, that have words in plain letters: neither in that language,
/// nor code, nor marked as English, nor among what `known` has.
pub fn plain_texts(html: &str, known: &BTreeSet<String>) -> Vec<String> {
    let is_plain = |text: &String| words(text).any(|word| !known.contains(word));
    texts(html).into_iter().filter(is_plain).map(|text| text.trim().to_owned()).collect()
}

/// The words in plain letters; what has a dot, a figure or the like inside is an address, an id or a code, and none.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_word = |word: &&str| {
        let is_short_for = word.len() == 2 && word.chars().all(|c| c.is_ascii_uppercase());
        // The beginning of an id may have no figure.
        let is_id = matches!(word.len(), 4 | 8) && word.chars().all(|c| matches!(c, 'a'..='f'));
        word.len() > 1
            && !is_id
            && word.chars().all(|c| c.is_ascii_alphabetic() || c == '\'' || c == '’')
            && !is_short_for
    };
    text.split(|c: char| c.is_whitespace() || "-–/+,;()“”".contains(c)).map(bare).filter(is_word)
}

fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

/// What a person reads or hears of a page.
fn texts(html: &str) -> Vec<String> {
    const CODE: [&str; 6] = ["code", "pre", "script", "style", "datalist", "textarea"];
    const SAID: [&str; 5] = ["aria-label", "placeholder", "title", "alt", "data-label"];
    let (mut texts, mut rest) = (Vec::new(), html);
    while let Some((text, tail)) = rest.split_once('<') {
        texts.push(unescaped(text));
        let (tag, tail) = tail.split_once('>').unwrap();
        let name = tag.split(' ').next().unwrap();
        let is_code = CODE.contains(&name) || (tag.contains(" lang=\"en\"") && name != "html");
        if !is_code {
            let quoted = |said: &&str| tag.split(&format!(" {said}=\"")).nth(1).and_then(|tail| tail.split('"').next());
            texts.extend(SAID.iter().filter_map(quoted).map(unescaped));
        }
        rest = if is_code { tail.split_once(&format!("</{name}>")).map_or("", |(_, after)| after) } else { tail };
    }
    texts.retain(|text| !text.trim().is_empty());
    texts
}

fn unescaped(text: &str) -> String {
    let plain = text.replace("&#60;", "<").replace("&#62;", ">").replace("&#34;", "\"").replace("&#39;", "'");
    plain.replace("&#38;", "&").replace("&amp;", "&")
}
