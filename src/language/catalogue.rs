//! The languages that the panel knows: English, and what a folder of translations adds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use intl_pluralrules::{PluralCategory, PluralRuleType, PluralRules};
use serde::Deserialize;
use unic_langid::{CharacterDirection, LanguageIdentifier};

use super::say::{Piece, pieces};

/// Every sentence of the panel, in the form that a translation has.
pub const CATALOGUE: &str = include_str!("en.toml");
/// The tag of the language that the source is written in.
pub const ENGLISH: &str = "en";

/// A language that the panel can speak.
pub struct Language {
    tag: LanguageIdentifier,
    written: String,
    rules: PluralRules,
    about: About,
    sentences: HashMap<String, Sentence>,
}

/// A catalogue as its file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    language: About,
    sentences: BTreeMap<String, Sentence>,
}

/// What a file says of its language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    /// As it calls itself.
    name: String,
    /// What stands between the thousands of a number.
    group: String,
    /// What stands before its decimals.
    decimal: String,
}

/// A sentence in a language.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Sentence {
    Whole(String),
    ByNumber(BTreeMap<String, String>),
}

impl Sentence {
    fn forms(&self) -> impl Iterator<Item = &str> {
        let (whole, by_number) = match self {
            Self::Whole(text) => (Some(text.as_str()), None),
            Self::ByNumber(forms) => (None, Some(forms)),
        };
        whole.into_iter().chain(by_number.into_iter().flat_map(|forms| forms.values().map(String::as_str)))
    }
}

impl Language {
    /// Its tag (BCP 47).
    pub fn tag(&self) -> &str {
        &self.written
    }

    /// What it calls itself.
    pub fn name(&self) -> &str {
        &self.about.name
    }

    /// Where its lines begin: `ltr` or `rtl`.
    pub fn direction(&self) -> &'static str {
        match self.tag.character_direction() {
            CharacterDirection::RTL => "rtl",
            _ => "ltr",
        }
    }

    /// What stands between the thousands of a number.
    pub fn group(&self) -> &str {
        &self.about.group
    }

    /// What stands before its decimals.
    pub fn decimal(&self) -> &str {
        &self.about.decimal
    }

    /// A sentence by its key, for so many if a number decides; `None` if it is not translated.
    pub fn sentence(&self, key: &str, count: Option<i64>) -> Option<&str> {
        match (self.sentences.get(key)?, count) {
            (Sentence::Whole(text), _) => Some(text),
            (Sentence::ByNumber(forms), Some(count)) => {
                let category = self.rules.select(count).map_or("other", name);
                forms.get(category).or_else(|| forms.get("other")).map(String::as_str)
            }
            (Sentence::ByNumber(forms), None) => forms.get("other").map(String::as_str),
        }
    }

    /// A language from the text of its file.
    ///
    /// # Errors
    /// What is wrong with the tag or the text, and where.
    pub fn read(tag: &str, text: &str) -> anyhow::Result<Self> {
        let written = tag;
        let tag: LanguageIdentifier = written
            .parse()
            .map_err(|_| anyhow::anyhow!("\"{written}\" is no language tag, such as \"nb\" or \"pt-BR\""))?;
        let rules = PluralRules::create(
            LanguageIdentifier::from_parts(tag.language, None, None, &[]),
            PluralRuleType::CARDINAL,
        )
        .map_err(|_| anyhow::anyhow!("nobody has told how numbers go with nouns in \"{written}\""))?;
        let File { language: about, sentences } = toml::from_str(text)?;
        for (key, sentence) in &sentences {
            check(key, sentence)?;
        }
        Ok(Self { written: tag.to_string(), tag, rules, about, sentences: sentences.into_iter().collect() })
    }
}

fn check(key: &str, sentence: &Sentence) -> anyhow::Result<()> {
    if let Sentence::ByNumber(forms) = sentence {
        ensure!(forms.contains_key("other"), "\"{key}\" has no form \"other\"");
        if let Some(form) = forms.keys().find(|form| !CATEGORIES.contains(&form.as_str())) {
            bail!("\"{key}\" has a form \"{form}\", which is none of {}", CATEGORIES.join(", "));
        }
    }
    let known = parts(key);
    match sentence.forms().flat_map(parts).find(|part| !known.contains(part)) {
        Some(part) => bail!("the translation of \"{key}\" has a part {{{part}}}, which it does not"),
        None => Ok(()),
    }
}

fn parts(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let _ = pieces(text, |piece| {
        if let Piece::Name(name) = piece {
            found.insert(name);
        }
        Ok(())
    });
    found
}

const CATEGORIES: [&str; 6] = ["zero", "one", "two", "few", "many", "other"];

fn name(category: PluralCategory) -> &'static str {
    match category {
        PluralCategory::ZERO => "zero",
        PluralCategory::ONE => "one",
        PluralCategory::TWO => "two",
        PluralCategory::FEW => "few",
        PluralCategory::MANY => "many",
        PluralCategory::OTHER => "other",
    }
}

/// The languages that a server has beside English.
#[derive(Clone, Default)]
pub struct Languages {
    all: Arc<Vec<Arc<Language>>>,
}

impl Languages {
    /// English, and the languages of the files of this folder: `nb.toml`, `pt-BR.toml`.
    ///
    /// # Errors
    /// A folder or file that cannot be read, with its name and what is wrong.
    pub fn load(folder: Option<&Path>) -> anyhow::Result<Self> {
        let Some(folder) = folder else { return Ok(Self::default()) };
        let listed = || format!("the folder of languages, {}, cannot be read", folder.display());
        let mut all = Vec::new();
        for entry in std::fs::read_dir(folder).with_context(listed)? {
            let path = entry.with_context(listed)?.path();
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let of_file = || format!("the language {} cannot be used", path.display());
            let tag = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let text = std::fs::read_to_string(&path).with_context(of_file)?;
            let language = Language::read(tag, &text).with_context(of_file)?;
            log_gaps(&language, &path)?;
            all.push(Arc::new(language));
        }
        all.sort_by(|a, b| a.name().cmp(b.name()));
        Ok(Self { all: Arc::new(all) })
    }

    /// All of them, by name; English is not among them.
    pub fn all(&self) -> &[Arc<Language>] {
        &self.all
    }

    /// The language of this tag; `None` for English and for what nobody has translated.
    pub fn named(&self, tag: &str) -> Option<Arc<Language>> {
        self.all.iter().find(|language| language.tag().eq_ignore_ascii_case(tag)).cloned()
    }

    /// The language for somebody who accepts these tags, the dearest first: each is looked up as it is, then shorter and
    /// shorter (RFC 4647 §3.4), then among those that say more. `None` is English.
    pub fn accepted<'a>(&self, tags: impl IntoIterator<Item = &'a str>) -> Option<Arc<Language>> {
        for tag in tags {
            let mut range = tag;
            loop {
                if let Some(language) = self.named(range) {
                    return Some(language);
                }
                if range.eq_ignore_ascii_case(ENGLISH) {
                    return None;
                }
                match range.rsplit_once('-') {
                    Some((shorter, _)) => range = shorter,
                    None => break,
                }
            }
            let says_more = |language: &&Arc<Language>| language.tag.language.as_str().eq_ignore_ascii_case(range);
            if let Some(language) = self.all.iter().find(says_more) {
                return Some(language.clone());
            }
        }
        None
    }
}

/// Says what a translation lacks of this version's sentences, and what it has that no page says.
fn log_gaps(language: &Language, path: &Path) -> anyhow::Result<()> {
    let File { sentences: known, .. } = toml::from_str(CATALOGUE).context("the catalogue")?;
    let lacking = known.keys().filter(|key| !language.sentences.contains_key(*key)).count();
    let strange = language.sentences.keys().filter(|key| !known.contains_key(*key)).count();
    if lacking + strange > 0 {
        log::warn!(
            "{}: of {} sentences {lacking} are not translated and stay English; {strange} are not said by this version",
            path.display(),
            known.len()
        );
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn language(tag: &str, sentences: &str) -> anyhow::Result<Language> {
        let about = "[language]\nname = \"It\"\ngroup = \".\"\ndecimal = \",\"\n[sentences]\n";
        Language::read(tag, &format!("{about}{sentences}"))
    }

    fn languages(tags: &[&str]) -> Languages {
        Languages { all: Arc::new(tags.iter().map(|tag| Arc::new(language(tag, "").unwrap())).collect()) }
    }

    #[test]
    fn a_number_takes_the_form_that_the_language_has_for_it() {
        let forms = "one = \"1\", few = \"2-4\", many = \"5+\", other = \"1,5\"";
        let polish = language("pl", &format!("\"{{count}} key\" = {{ {forms} }}\n\"Keys\" = \"Klucze\"")).unwrap();
        for (count, form) in [(1, "1"), (2, "2-4"), (4, "2-4"), (5, "5+"), (22, "2-4"), (112, "5+"), (0, "5+")] {
            assert_eq!(polish.sentence("{count} key", Some(count)), Some(form), "{count}");
        }
        assert_eq!(polish.sentence("Keys", None), Some("Klucze"));
        assert_eq!(polish.sentence("Locks", None), None);
        // A form that was left out is the last one.
        let polish = language("pl", "\"{count} key\" = { other = \"x\" }").unwrap();
        assert_eq!(polish.sentence("{count} key", Some(2)), Some("x"));
    }

    #[test]
    fn lines_begin_where_the_language_has_it() {
        for (tag, direction) in [("nb", "ltr"), ("ar", "rtl"), ("he-IL", "rtl"), ("en-XA", "ltr"), ("az-Arab", "rtl")] {
            assert_eq!(language(tag, "").unwrap().direction(), direction, "{tag}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_right_is_refused_with_the_sentence_that_is_wrong() {
        for (tag, sentences, told) in [
            (
                "nb",
                "\"Hi {name}\" = \"Hei {navn}\"",
                "the translation of \"Hi {name}\" has a part {navn}, which it does not",
            ),
            ("nb", "\"{count} user\" = { one = \"x\" }", "\"{count} user\" has no form \"other\""),
            ("nb", "\"x\" = { other = \"x\", some = \"y\" }", "\"x\" has a form \"some\", which is none of"),
            ("nb", "\"x\" = 5", "line 6"),
            ("norsk bokmål", "", "\"norsk bokmål\" is no language tag"),
            ("qq", "", "nobody has told how numbers go with nouns in \"qq\""),
        ] {
            let error = language(tag, sentences).err().map(|error| format!("{error:#}")).unwrap_or_default();
            assert!(error.contains(told), "{tag} {sentences}: {error}");
        }
        assert!(language("en", CATALOGUE).is_err(), "two heads");
        assert!(Language::read("nb", CATALOGUE).is_ok(), "what the command prints is a translation to begin with");
    }

    #[test]
    fn a_visitor_gets_the_dearest_language_that_there_is() {
        let all = languages(&["nb", "pt-BR", "de"]);
        for (tags, expected) in [
            (&["nb"][..], "nb"),
            (&["NB-no"], "nb"),
            (&["fr", "de-CH"], "de"),
            (&["pt"], "pt-BR"),
            (&["pt-PT", "de"], "pt-BR"),
            (&["en-GB", "nb"], ENGLISH),
            (&["fr"], ENGLISH),
            (&[], ENGLISH),
            (&["nb-", "--", ""], "nb"),
        ] {
            let found = all.accepted(tags.iter().copied());
            assert_eq!(found.as_ref().map_or(ENGLISH, |language| language.tag()), expected, "{tags:?}");
        }
    }
}
