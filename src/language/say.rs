//! A sentence with its parts, and the macros that say it.

use std::borrow::Cow;
use std::fmt::{self, Write};

use askama::filters::{Escaper, Html, Safe};

use super::{Language, in_english, spoken, thousands};

/// Says a sentence in the language of whoever is served, as a `String`; see [`said!`](crate::said) for what it takes.
#[macro_export]
macro_rules! say {
    ($($sentence:tt)+) => { $crate::said!($($sentence)+).to_string() };
}

/// A sentence with its parts as a [`Said`], which can be written in English as well:
/// `said!("{username} was signed out.", username)`, `said!("{a} of {b}", a = 1, b)`; and where a number decides,
/// `said!(count = rows.len() => "{count} row" | "{count} rows")`. A part that is missing or too many does not compile.
#[macro_export]
macro_rules! said {
    ($text:literal $(, $name:ident $(= $value:expr)?)* $(,)?) => {{
        if false {
            let _ = format_args!($text $(, $name = "")*);
        }
        $crate::language::Said::of($text) $(.with(stringify!($name), &$crate::part!($name $(= $value)?)))*
    }};
    ($count:ident $(= $number:expr)? => $one:literal | $many:literal $(, $name:ident $(= $value:expr)?)* $(,)?) => {{
        if false {
            let _ = format_args!($one, $count = 1 $(, $name = "")*);
            let _ = format_args!($many, $count = 1 $(, $name = "")*);
        }
        $crate::language::Said::counted(stringify!($count), $one, $many, $crate::part!($count $(= $number)?))
            $(.with(stringify!($name), &$crate::part!($name $(= $value)?)))*
    }};
}

/// A part of a sentence: its value, or the variable of its name.
#[doc(hidden)]
#[macro_export]
macro_rules! part {
    ($name:ident) => {
        $name
    };
    ($name:ident = $value:expr) => {
        $value
    };
}

/// A sentence without parts that is said elsewhere: its key, as it is. The catalogue learns of it.
#[macro_export]
macro_rules! key {
    ($text:literal) => {
        $text
    };
}

/// A sentence with its parts. Written out, it is in the language of whoever is served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    key: Cow<'static, str>,
    /// The English for more than one, and how many there are.
    counted: Option<(Cow<'static, str>, i64)>,
    parts: Vec<(Cow<'static, str>, Part)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// What it is in the language that is spoken, and in English if that is something else.
    Text(String, Option<String>),
    /// Markup of our own.
    Markup(String),
    /// Where the link of this name leads.
    Link(String),
}

impl Said {
    /// The sentence with this key.
    pub fn of(key: impl Into<Cow<'static, str>>) -> Self {
        Self { key: key.into(), counted: None, parts: Vec::new() }
    }

    /// The sentence for so many, which stand in it under this name.
    pub fn counted(
        name: impl Into<Cow<'static, str>>,
        one: impl Into<Cow<'static, str>>,
        many: impl Into<Cow<'static, str>>,
        count: impl TryInto<i64>,
    ) -> Self {
        let count = count.try_into().unwrap_or(i64::MAX);
        Self { key: one.into(), counted: Some((many.into(), count)), parts: Vec::new() }.with(name, Figure(count))
    }

    /// With what stands for `{name}`.
    pub fn with(self, name: impl Into<Cow<'static, str>>, value: impl fmt::Display) -> Self {
        let text = value.to_string();
        let english = spoken().map(|_| in_english(|| value.to_string())).filter(|english| *english != text);
        self.adding(name.into(), Part::Text(text, english))
    }

    /// With markup of our own for `{name}`; only [`Said::rich`] writes it as such.
    pub fn with_markup(self, name: impl Into<Cow<'static, str>>, markup: Safe<impl fmt::Display>) -> Self {
        self.adding(name.into(), Part::Markup(markup.0.to_string()))
    }

    /// With an address for the link `<name>…</name>`; only [`Said::rich`] makes one of it.
    pub fn to(self, name: impl Into<Cow<'static, str>>, address: impl fmt::Display) -> Self {
        self.adding(name.into(), Part::Link(address.to_string()))
    }

    fn adding(mut self, name: Cow<'static, str>, part: Part) -> Self {
        self.parts.push((name, part));
        self
    }

    /// Whether it says nothing: a hint that there is not.
    pub fn is_empty(&self) -> bool {
        self.key.is_empty()
    }

    /// The sentence in English, for the log.
    pub fn in_english(&self) -> String {
        let mut english = String::new();
        // Writing to a string does not fail.
        let _ = self.fill(self.english(), true, &mut english);
        english
    }

    fn english(&self) -> &str {
        match &self.counted {
            Some((many, count)) if *count != 1 => many,
            _ => &self.key,
        }
    }

    fn text<'a>(&'a self, language: Option<&'a Language>) -> &'a str {
        let count = self.counted.as_ref().map(|(_, count)| *count);
        language.and_then(|language| language.sentence(&self.key, count)).unwrap_or_else(|| self.english())
    }

    fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|(known, _)| known == name).map(|(_, part)| part)
    }

    fn fill(&self, text: &str, for_log: bool, out: &mut impl Write) -> fmt::Result {
        pieces(text, |piece| match piece {
            Piece::Text(text) => out.write_str(text),
            Piece::Name(name) => match self.part(name) {
                Some(Part::Text(_, Some(english))) if for_log => out.write_str(english),
                Some(Part::Text(value, _) | Part::Markup(value) | Part::Link(value)) => out.write_str(value),
                None => write!(out, "{{{name}}}"),
            },
        })
    }

    /// The sentence as markup. Of its own it may have `<code>`, `<strong>`, `<sr>` for what only a screen reader says, and
    /// the links it was given addresses for ([`Said::to`]); everything else in it is text, in a translation as well.
    pub fn rich(&self) -> Safe<String> {
        let language = spoken();
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.write_rich(self.text(language.as_deref()), &mut out);
        Safe(out)
    }

    fn write_rich(&self, text: &str, out: &mut String) -> fmt::Result {
        let mut escaped = String::new();
        escape(text, &mut escaped);
        pieces(&escaped, |piece| {
            match piece {
                Piece::Text(text) => self.mark(text, out),
                Piece::Name(name) => match self.part(name) {
                    Some(Part::Markup(markup)) => out.push_str(markup),
                    Some(Part::Text(value, _) | Part::Link(value)) => escape(value, out),
                    None => out.push_str(name),
                },
            }
            Ok(())
        })
    }

    /// Turns the marks of an escaped text back into markup, as far as they are known.
    fn mark(&self, text: &str, out: &mut String) {
        let mut rest = text;
        while let Some((before, inside)) = rest.split_once(OPENS) {
            out.push_str(before);
            let known = inside.split_once(CLOSES).and_then(|(mark, after)| Some((self.markup(mark)?, after)));
            match known {
                Some((markup, after)) => {
                    out.push_str(&markup);
                    rest = after;
                }
                None => {
                    out.push_str(OPENS);
                    rest = inside;
                }
            }
        }
        out.push_str(rest);
    }

    fn markup(&self, mark: &str) -> Option<Cow<'static, str>> {
        let known = match mark {
            "code" => "<code>",
            "/code" => "</code>",
            "strong" => "<strong>",
            "/strong" => "</strong>",
            "sr" => "<span class=\"u-sr\">",
            "/sr" => "</span>",
            _ => {
                let Some(Part::Link(address)) = self.part(mark.strip_prefix('/').unwrap_or(mark)) else { return None };
                if mark.starts_with('/') {
                    return Some("</a>".into());
                }
                let mut link = "<a href=\"".to_owned();
                escape(address, &mut link);
                return Some((link + "\">").into());
            }
        };
        Some(known.into())
    }
}

/// A number, written out where it is said.
struct Figure(i64);

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&thousands(self.0))
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let language = spoken();
        self.fill(self.text(language.as_deref()), false, f)
    }
}

impl From<&'static str> for Said {
    fn from(key: &'static str) -> Self {
        Self::of(key)
    }
}

impl From<String> for Said {
    fn from(key: String) -> Self {
        Self::of(key)
    }
}

impl From<Said> for String {
    fn from(said: Said) -> Self {
        said.to_string()
    }
}

/// A piece of a sentence.
pub enum Piece<'a> {
    /// Words as they are.
    Text(&'a str),
    /// The name between braces.
    Name(&'a str),
}

/// Goes through a sentence piece by piece. A brace that names nothing is text.
pub fn pieces<'a>(text: &'a str, mut each: impl FnMut(Piece<'a>) -> fmt::Result) -> fmt::Result {
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once('{') {
        each(Piece::Text(before))?;
        match inside.split_once('}') {
            Some((name, after)) => {
                each(Piece::Name(name))?;
                rest = after;
            }
            None => {
                each(Piece::Text("{"))?;
                rest = inside;
            }
        }
    }
    each(Piece::Text(rest))
}

/// `<` and `>` as [`escaped`] writes them.
const OPENS: &str = "&#60;";
const CLOSES: &str = "&#62;";

fn escape(text: &str, out: &mut String) {
    out.push_str(&escaped(text));
}

/// A text as it stands in HTML, inside an attribute as well.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Writing to a string does not fail.
    let _ = Html.write_escaped_str(&mut out, text);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_where_the_sentence_has_them() {
        let (username, count) = ("ann", 1);
        assert_eq!(say!("{username} was deactivated.", username), "ann was deactivated.");
        assert_eq!(say!("{b} before {a}", a = 1, b = "two"), "two before 1");
        assert_eq!(say!(count => "{count} user" | "{count} users"), "1 user");
        assert_eq!(
            say!(count = 1_200 => "{count} user of {who}" | "{count} users of {who}", who = "root"),
            "1,200 users of root"
        );
        assert_eq!(say!("{who} said so", who = "{who}"), "{who} said so", "what is filled in is not looked through");
        assert_eq!(Said::of("Set {this} and {").to_string(), "Set {this} and {");
    }

    #[test]
    fn only_known_marks_are_markup_and_everything_else_is_text() {
        let rich = |said: Said| said.rich().0;
        let evil = "<script>\"&'";
        assert_eq!(
            rich(said!("Type <code>{word}</code> & <b>go</b>", word = evil)),
            format!("Type <code>{0}</code> {1} {2}go{3}", escaped(evil), escaped("&"), escaped("<b>"), escaped("</b>"))
        );
        let link = said!("Ask <for_one>for another</for_one>, <sr>it is </sr><strong>free</strong>.");
        assert_eq!(
            rich(link.to("for_one", "/x/?a=\"&b")),
            format!(
                "Ask <a href=\"{}\">for another</a>, <span class=\"u-sr\">it is </span><strong>free</strong>.",
                escaped("/x/?a=\"&b")
            )
        );
        assert_eq!(rich(said!("<at>here</at>")), escaped("<at>here</at>"), "a link to nowhere is none");
        let time = Said::of("At {when}: {what}").with("what", "<time>");
        assert_eq!(
            rich(time.with_markup("when", Safe("<time>9</time>"))),
            format!("At <time>9</time>: {}", escaped("<time>"))
        );
    }
}
