//! What a client asks of a list: which page, what to look for, in what order.

use std::future::{Ready, ready};
use std::iter::Peekable;
use std::str::CharIndices;

use actix_web::{FromRequest, HttpRequest, dev};

use crate::error::{Error, Result};
use crate::rest::paging::Page;
use crate::rest::payload::pairs;
use crate::rest::version::Version;
use crate::rest::{link, text};

/// Rows on a page.
pub const PAGE_SIZE: i64 = 10;

/// The most characters of a search. Each term costs a look at each row, so there must be some end.
pub const MAX_SEARCH: usize = 500;

/// The query of a list, and the address it was asked at. Of equal parameters the last counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    version: Version,
    url: String,
    pairs: Vec<(String, String)>,
}

/// The rows of one page: skip `offset`, take `limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageWindow {
    /// Rows before the page.
    pub offset: i64,
    /// Rows on the page, at most.
    pub limit: i64,
    number: i64,
    last: i64,
    count: i64,
}

impl FromRequest for ListQuery {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

impl ListQuery {
    /// The query of a request.
    pub fn of(request: &HttpRequest) -> Self {
        let url = format!("{}{}", link::origin(request), request.path());
        Self { version: Version::of(request), ..Self::new(url, request.query_string()) }
    }

    /// The query string `query`, asked at `url`, in the first version.
    pub fn new(url: impl Into<String>, query: &str) -> Self {
        Self { version: Version::V1, url: url.into(), pairs: pairs(query.as_bytes()) }
    }

    /// The version of the API that it was asked of.
    pub fn version(&self) -> Version {
        self.version
    }

    /// A parameter as it was sent.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.pairs.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A yes-or-no filter: `true`, `false`, `1` or `0`. Anything else filters nothing.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.param(name)? {
            "1" => Some(true),
            "0" => Some(false),
            word if word.eq_ignore_ascii_case("true") => Some(true),
            word if word.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// The terms that must all be found. White space and commas part them, quotes keep a phrase together.
    pub fn search(&self) -> Result<Vec<String>> {
        let search = self.param("search").unwrap_or_default();
        if search.contains('\0') {
            return Err(Error::InvalidQuery("Null characters are not allowed."));
        }
        if search.chars().count() > MAX_SEARCH {
            return Err(Error::InvalidQuery("Ensure this field has no more than 500 characters."));
        }
        Ok(terms(search))
    }

    /// The names to sort by, each with whether it descends. Unknown ones are for the caller to skip.
    pub fn ordering(&self) -> Vec<(String, bool)> {
        let ordering = self.param("ordering").filter(|ordering| !ordering.is_empty());
        let names = ordering.into_iter().flat_map(|ordering| ordering.split(',')).map(text::strip);
        names.map(|name| name.strip_prefix('-').map_or((name, false), |name| (name, true))).map(owned).collect()
    }

    /// The rows of the page that is asked for, of a list with `count` of them.
    pub fn page_window(&self, count: i64) -> Result<PageWindow> {
        let last = count.max(1).saturating_add(PAGE_SIZE - 1) / PAGE_SIZE;
        let number = match self.param("page") {
            None | Some("") => Some(1),
            Some("last") => Some(last),
            Some(number) => whole(number),
        };
        match number {
            Some(number) if (1..=last).contains(&number) => {
                Ok(PageWindow { offset: (number - 1) * PAGE_SIZE, limit: PAGE_SIZE, number, last, count })
            }
            _ => Err(Error::NotFound("Invalid page.".into())),
        }
    }

    /// The page of these rows, with links to its neighbours. The first needs no number.
    pub fn numbered<T>(&self, window: PageWindow, results: Vec<T>) -> Page<T> {
        let link = |page: i64| self.link_with("page", if page > 1 { page.to_string() } else { String::new() });
        let next = (window.number < window.last).then(|| link(window.number + 1));
        let previous = (window.number > 1).then(|| link(window.number - 1));
        Page { count: Some(window.count), next, previous, results }
    }

    /// This query with another value for one parameter; with none if that is empty.
    pub fn link_with(&self, name: &str, value: String) -> String {
        let mut pairs: Vec<_> = self.pairs.iter().filter(|(known, _)| known != name).cloned().collect();
        if !value.is_empty() {
            pairs.push((name.to_owned(), value));
        }
        let query = link::query_string(&pairs);
        if query.is_empty() { self.url.clone() } else { format!("{}?{query}", self.url) }
    }
}

fn owned((name, descending): (&str, bool)) -> (String, bool) {
    (name.to_owned(), descending)
}

/// A whole number with white space around and a sign.
fn whole(number: &str) -> Option<i64> {
    number.trim().parse().ok()
}

/// DRF's `search_smart_split`. Empty phrases are left out: they are found everywhere.
fn terms(search: &str) -> Vec<String> {
    let mut terms = Vec::new();
    for word in words(search) {
        let word = word.trim_matches(',');
        match phrase(word) {
            Some(phrase) => terms.push(phrase),
            None => terms.extend(word.split(',').map(|part| text::strip(part).to_owned())),
        }
    }
    terms.retain(|term| !term.is_empty());
    terms
}

/// What stands in quotes, if the word begins and ends with the same one; `\` makes a quote or itself plain.
fn phrase(word: &str) -> Option<String> {
    let quote = word.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let inner = word.strip_prefix(quote)?;
    let inner = if inner.is_empty() { "" } else { inner.strip_suffix(quote)? };
    Some(inner.replace(&format!("\\{quote}"), &quote.to_string()).replace("\\\\", "\\"))
}

/// Django's `smart_split`: words parted by white space, which does not part what is quoted.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start_matches(text::is_space);
    while !rest.is_empty() {
        let (word, after) = rest.split_at_checked(word_length(rest)).unwrap_or((rest, ""));
        words.push(word);
        rest = after.trim_start_matches(text::is_space);
    }
    words
}

/// Bytes of the first word. A quote that nothing closes is a letter, unless quoted text stands before it: then it begins
/// the next word.
fn word_length(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    let mut quoted = false;
    loop {
        while chars.next_if(|(_, c)| !is_quote(*c) && !text::is_space(*c)).is_some() {}
        match chars.peek().copied() {
            Some((_, quote)) if is_quote(quote) => {
                let mut ahead = chars.clone();
                if skip_quoted(&mut ahead) {
                    (chars, quoted) = (ahead, true);
                } else if quoted {
                    break;
                } else {
                    return text.find(text::is_space).unwrap_or(text.len());
                }
            }
            _ => break,
        }
    }
    chars.peek().map_or(text.len(), |(at, _)| *at)
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'')
}

/// Moves beyond quoted text; `false` if it is not closed.
fn skip_quoted(chars: &mut Peekable<CharIndices<'_>>) -> bool {
    let Some((_, quote)) = chars.next() else { return false };
    while let Some((_, c)) = chars.next() {
        if c == quote {
            return true;
        }
        if c == '\\' && chars.next().is_none_or(|(_, escaped)| escaped == '\n') {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    fn query(query: &str) -> ListQuery {
        ListQuery::new("http://h.org/api/tasks/", query)
    }

    fn search(search: &str) -> Vec<String> {
        terms(search)
    }

    #[test]
    fn a_page_is_a_number_or_the_last() {
        for (page, offset) in [
            ("", 0),
            ("page=", 0),
            ("page", 0),
            ("page=1", 0),
            ("page=02", 10),
            ("page=3", 20),
            ("page=last", 20),
            ("page=%202%20", 10),
            ("page=%2B1", 0),
            ("page=+%2B2", 10),
            ("page=%E2%80%832", 10),
            ("page=1&page=2", 10),
        ] {
            let window = query(page).page_window(23).unwrap();
            assert_eq!((window.offset, window.limit), (offset, 10), "{page}");
        }
    }

    #[test]
    fn any_other_page_is_not_there() {
        let huge = "9".repeat(5000);
        for page in [
            "4",
            "0",
            "-1",
            "-0",
            "abc",
            "1.5",
            "1e1",
            "99999999999999999999",
            "LAST",
            "%20last",
            "%00",
            "0x1",
            "%2B%2B1",
            "%1C2",
            "%A02",
            "--1",
            "%2B",
            "+",
            &huge,
        ] {
            let answer = query(&format!("page={page}")).page_window(23);
            assert!(matches!(answer, Err(Error::NotFound(words)) if words == "Invalid page."), "{page}");
        }
    }

    #[test]
    fn an_empty_list_has_a_first_page_but_no_second() {
        let empty = query("").page_window(0).unwrap();
        let page = query("").numbered::<u8>(empty, Vec::new());
        assert_eq!(serde_json::to_string(&page).unwrap(), r#"{"count":0,"next":null,"previous":null,"results":[]}"#);
        assert!(query("page=2").page_window(0).is_err());
        assert_eq!(query("page=last").page_window(10).unwrap().offset, 0);
        assert_eq!(query("page=last").page_window(11).unwrap().offset, 10);
    }

    #[test]
    fn links_keep_the_query_sorted_by_name_and_drop_the_number_of_page_one() {
        let neighbours = |asked: &str| {
            let query = query(asked);
            let page = query.numbered::<u8>(query.page_window(23).unwrap(), Vec::new());
            let cut = |link: Option<String>| {
                link.map(|link| link.strip_prefix("http://h.org/api/tasks/").unwrap_or("elsewhere").to_owned())
            };
            (cut(page.next), cut(page.previous))
        };
        let some = |link: &str| Some(link.to_owned());
        assert_eq!(neighbours(""), (some("?page=2"), None));
        assert_eq!(neighbours("page=2"), (some("?page=3"), some("")));
        assert_eq!(neighbours("page=last"), (None, some("?page=2")));
        assert_eq!(neighbours("page=2&b=2&a=1"), (some("?a=1&b=2&page=3"), some("?a=1&b=2")));
        for (asked, next) in [
            ("b=2&a=1&b=1", "?a=1&b=2&b=1&page=2"),
            ("a=&b", "?a=&b=&page=2"),
            ("&&a=1&", "?a=1&page=2"),
            ("=1", "?=1&page=2"),
            ("a=1;b=2", "?a=1%3Bb%3D2&page=2"),
            ("a=%zz", "?a=%25zz&page=2"),
            ("a=%FF", "?a=%EF%BF%BD&page=2"),
            ("x=a+b%20c", "?page=2&x=a+b+c"),
            ("x=%2B%25%7E~*'()!@:/?,;$", "?page=2&x=%2B%25~~%2A%27%28%29%21%40%3A%2F%3F%2C%3B%24"),
            ("x=%00%0A", "?page=2&x=%00%0A"),
            ("PAGE=1", "?PAGE=1&page=2"),
            ("a.b-c_d~e=1", "?a.b-c_d~e=1&page=2"),
            ("page=9&a=1&page=1", "?a=1&page=2"),
            ("%C3%A9=1&Z=1&a=1&%F0%9F%98%80=1&%EF%BF%BD=2", "?Z=1&a=1&page=2&%C3%A9=1&%EF%BF%BD=2&%F0%9F%98%80=1"),
        ] {
            assert_eq!(neighbours(asked), (some(next), None), "{asked}");
        }
    }

    #[test]
    fn the_address_of_a_list_is_the_one_it_was_asked_at() {
        let request = TestRequest::with_uri("/api/tasks.json?a=1").insert_header(("host", "api.example:8443"));
        let query = ListQuery::of(&request.to_http_request());
        let page = query.numbered::<u8>(query.page_window(11).unwrap(), Vec::new());
        assert_eq!(page.next.as_deref(), Some("http://api.example:8443/api/tasks.json?a=1&page=2"));
    }

    #[test]
    fn searches_are_split_as_drf_splits_them() {
        for (asked, expected) in [
            ("alpha 02", vec!["alpha", "02"]),
            ("alpha,02", vec!["alpha", "02"]),
            ("\"even alpha\" 04", vec!["even alpha", "04"]),
            ("", vec![]),
            ("  ", vec![]),
            (",", vec![]),
            ("\"\"", vec![]),
            ("\"", vec![]),
            ("'", vec![]),
            ("\"a", vec!["\"a"]),
            ("a\"b c\"", vec!["a\"b c\""]),
            ("a\"b c", vec!["a\"b", "c"]),
            ("\"a b\",c", vec!["\"a b\"", "c"]),
            ("\"a b\",", vec!["a b"]),
            (",\" a b\",x", vec!["\" a b\"", "x"]),
            ("\"a \\\" b\"", vec!["a \" b"]),
            ("'it\\'s me'", vec!["it's me"]),
            ("it's", vec!["it's"]),
            ("it's me", vec!["it's", "me"]),
            ("a'b c'd e", vec!["a'b c'd", "e"]),
            ("\"a\" 'b'", vec!["a", "b"]),
            ("a,,b", vec!["a", "b"]),
            ("\"a\\\\b\"", vec!["a\\b"]),
            ("\"a\nb\"", vec!["a\nb"]),
            ("a\u{1c}b", vec!["a", "b"]),
            ("a\u{3000}b\u{200b}c", vec!["a", "b\u{200b}c"]),
            ("\"a b\"c", vec!["\"a b\"c"]),
            ("x\"a b\",\"c d\"", vec!["x\"a b\"", "\"c d\""]),
            ("'a\" b'", vec!["a\" b"]),
            ("\"a\\\nb\"", vec!["\"a\\", "b\""]),
            ("a\\\"b c\"", vec!["a\\\"b c\""]),
            ("\"a,b\"", vec!["a,b"]),
            ("\"a b',c", vec!["\"a", "b'", "c"]),
            ("a\"b,c d\"e", vec!["a\"b", "c d\"e"]),
            ("\" a \"", vec![" a "]),
            ("\"\\", vec!["\"\\"]),
            ("a\" , \"b", vec!["a\"", "\"b"]),
        ] {
            assert_eq!(search(asked), expected, "{asked}");
        }
    }

    #[test]
    fn a_search_holds_no_nul_and_has_an_end() {
        let refused = |asked: &str| match query(asked).search() {
            Err(Error::InvalidQuery(words)) => words,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused("search=a%00b"), "Null characters are not allowed.");
        assert_eq!(
            refused(&format!("search={}", "a+".repeat(251))),
            "Ensure this field has no more than 500 characters."
        );
        assert_eq!(query("search=x&search=a+b").search().unwrap(), ["a", "b"]);
        assert!(query("").search().unwrap().is_empty());
    }

    #[test]
    fn an_ordering_is_names_each_with_a_direction() {
        let ordering = |asked: &str| query(asked).ordering();
        let up = |name: &str| (name.to_owned(), false);
        let down = |name: &str| (name.to_owned(), true);
        assert_eq!(ordering("ordering=+-title+,+id"), [down("title"), up("id")]);
        assert_eq!(ordering("ordering=--title"), [down("-title")]);
        assert_eq!(ordering("ordering=a,,b"), [up("a"), up(""), up("b")]);
        assert!(ordering("ordering=").is_empty() && ordering("").is_empty());
    }

    #[test]
    fn a_flag_is_one_of_four_words() {
        for (value, flag) in [
            ("true", Some(true)),
            ("True", Some(true)),
            ("1", Some(true)),
            ("FALSE", Some(false)),
            ("0", Some(false)),
            ("maybe", None),
            ("", None),
            ("true%20", None),
            ("yes", None),
        ] {
            assert_eq!(query(&format!("done={value}")).flag("done"), flag, "{value}");
        }
        assert_eq!(query("").flag("done"), None);
    }

    proptest! {
        #[test]
        fn no_query_makes_it_stumble(asked in "\\PC{0,60}", count in 0..i64::MAX) {
            let query = query(&asked);
            let _ = (query.search(), query.ordering(), query.flag("a"), query.link_with("page", "2".to_owned()));
            if let Ok(window) = query.page_window(count) {
                let _ = query.numbered::<u8>(window, Vec::new());
            }
        }

        #[test]
        fn quotes_and_slashes_make_no_search_stumble(asked in "[ab ,\"'\\\\\n\u{3000}]{0,30}") {
            prop_assert!(search(&asked).iter().all(|term| !term.is_empty()));
        }
    }
}
