//! The one list of the panel: search, filters, sorting, pages by key, bulk actions.
//!
//! A list is declared ([`Changelist`]) and asked for by its URL, which carries all of its state and can be bookmarked
//! ([`Asked`]). Only what is declared is looked at: no parameter reaches a column that is not shown. What the shared
//! templates draw is a [`view::View`].

#[macro_use]
mod nouns;
mod asked;
mod cursor;
pub mod view;

pub use asked::Asked;
pub use nouns::Nouns;
pub use view::View;

use crate::db::keyset::SortColumn;
use crate::db::tally::Tally;
use crate::language::Said;
use crate::site::Site;

/// How the lists of this server are counted.
pub fn tally(site: &Site) -> Tally {
    Tally::of_list(site.db.target(), &site.totals, site.clock.now())
}

/// The sizes of a page; the first is the default.
pub const SIZES: [usize; 3] = [50, 100, 200];
/// The cookie that remembers the size chosen last.
pub const SIZE_COOKIE: &str = "portcullis_rows";

/// A list as it is declared.
#[derive(Debug)]
pub struct Changelist {
    /// Its address.
    pub path: &'static str,
    /// Its name: "Users".
    pub title: &'static str,
    /// What it says of its rows.
    pub nouns: Nouns,
    /// The symbol of an empty list.
    pub icon: &'static str,
    /// What the search field says while it is empty; none if the list has no search.
    pub search: Option<&'static str>,
    /// Where search looks, in a sentence, for the page that found nothing.
    pub searched: &'static str,
    /// The columns, from left to right.
    pub columns: &'static [Column],
    /// The name of the column that sorts unless another is chosen, in its own first direction.
    pub default: &'static str,
}

/// A column of a list.
#[derive(Debug)]
pub struct Column {
    /// Its name in the URL, for one that sorts.
    pub name: &'static str,
    /// Its heading.
    pub label: &'static str,
    /// The classes of its heading.
    pub class: &'static str,
    /// How it sorts, if it does.
    pub sort: Option<Sort>,
}

/// How a column sorts.
#[derive(Clone, Copy, Debug)]
pub struct Sort {
    /// By what; none where the rows are few and sorted by the page itself.
    pub by: Option<SortColumn>,
    /// Whether the first click gives the largest first.
    pub descending_first: bool,
    /// The two orders in words: smallest first, largest first.
    pub words: (&'static str, &'static str),
}

/// A filter with its choices.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Its name in the URL.
    pub name: &'static str,
    /// Its label, a key.
    pub label: &'static str,
    /// What stands for no choice, a key.
    pub any: &'static str,
    /// The values in the URL, and what they are called.
    pub choices: Vec<(String, String)>,
    /// The column that sorts a list narrowed to a choice of it, unless another is chosen; the list's own if none.
    pub sorts: fn(&str) -> Option<&'static str>,
}

impl Filter {
    /// A filter whose choices never change; they and its label are keys.
    pub fn of(name: &'static str, label: &'static str, choices: &[(&str, &'static str)]) -> Self {
        let owned = |(value, label): &(&str, &'static str)| ((*value).to_owned(), Said::of(*label).to_string());
        Self { name, label, any: key!("Any"), choices: choices.iter().map(owned).collect(), sorts: |_| None }
    }

    /// The same with these choices, which are data and called as they are.
    pub fn and(mut self, names: &[String]) -> Self {
        self.choices.extend(names.iter().map(|name| (name.clone(), name.clone())));
        self
    }

    /// The same, of a list that is sorted by this column once it is narrowed to a choice.
    pub fn sorted_by(self, column: fn(&str) -> Option<&'static str>) -> Self {
        Self { sorts: column, ..self }
    }

    /// A choice of it in words: "Status: Active".
    fn in_words(&self, chosen: &str) -> String {
        let choice = self.choices.iter().find(|(value, _)| value == chosen).map_or("", |(_, label)| label.as_str());
        say!("{filter}: {choice}", filter = Said::of(self.label), choice)
    }
}

impl Filter {
    /// A filter by something that only a link names, exactly: it is there while the URL has it.
    pub fn named(name: &'static str, label: &'static str, pairs: &[(String, String)]) -> Option<Self> {
        let (_, value) = pairs.iter().rfind(|(key, value)| key == name && !value.is_empty())?;
        Some(Self::of(name, label, &[]).and(std::slice::from_ref(value)))
    }
}

impl Column {
    /// A column that does not sort.
    pub const fn plain(label: &'static str, class: &'static str) -> Self {
        Self { name: "", label, class, sort: None }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
mod tests {
    use super::view::Found;
    use super::*;
    use crate::db::keyset::{Kind, Place, Value};
    use crate::db::tally::Counts;

    const NAME: SortColumn = SortColumn::new("t.name", Kind::Text, "t.id");
    const SEEN: SortColumn = SortColumn::new("t.seen", Kind::Number, "t.id").nullable();

    static THINGS: Changelist = Changelist {
        path: "/admin/things/",
        title: "Things",
        nouns: nouns!("thing", "things"),
        icon: "token",
        search: Some("Name"),
        searched: "Search looks at names.",
        columns: &[
            Column {
                name: "name",
                label: "Name",
                class: "",
                sort: Some(Sort { by: Some(NAME), descending_first: false, words: ("A to Z", "Z to A") }),
            },
            Column::plain("State", ""),
            Column {
                name: "seen",
                label: "Seen",
                class: "",
                sort: Some(Sort { by: Some(SEEN), descending_first: true, words: ("oldest first", "newest first") }),
            },
        ],
        default: "seen",
    };

    fn ask(query: &str) -> Asked {
        let filters = vec![Filter::of("state", "State", &[("on", "On"), ("off", "Off")])];
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Asked::new(&THINGS, &pairs, None, filters)
    }

    fn found(before: bool, after: bool) -> Found {
        let edge = |id| Some(Place { value: Value::Number(id * 10), id: Value::Number(id) });
        Found {
            shown: 50,
            has_before: before,
            has_after: after,
            first: edge(1),
            last: edge(50),
            counts: Counts { total: 1234, matching: 1234, is_more: false },
        }
    }

    fn parameter(link: &str, name: &str) -> Option<String> {
        let query = link.split_once('?')?.1;
        form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    #[test]
    fn a_filter_may_sort_until_a_column_is_chosen() {
        let filters = || vec![Filter::of("state", "State", &[("on", "On")]).sorted_by(|_| Some("name"))];
        let ask = |query: &str| {
            let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            Asked::new(&THINGS, &pairs, None, filters())
        };
        assert_eq!(ask("").sort_name(), THINGS.default);
        assert_eq!(ask("state=on").sort_name(), "name");
        let chosen = ask("state=on&sort=-seen");
        assert_eq!(chosen.sort_name(), "seen");
        assert_eq!(parameter(&chosen.link(&[("q", "a")]), "sort").as_deref(), Some("-seen"));
    }

    #[test]
    fn what_is_not_declared_is_ignored() {
        let asked = ask("sort=password&state=maybe&is_superuser=1&rows=7&after=rubbish&q=%20ann%00%20");
        assert_eq!(asked.sort_name(), "seen");
        assert!(asked.is_descending());
        assert_eq!(asked.choice("state"), None);
        assert_eq!(asked.q(), "ann");
        let keyset = asked.keyset().unwrap();
        assert_eq!((keyset.rows, keyset.from.is_none()), (50, true));
        assert_eq!(asked.link(&[]), "/admin/things/?q=ann");
    }

    #[test]
    fn links_carry_the_state_and_headings_turn_the_order_round() {
        let asked = ask("sort=-name&state=on&rows=100&q=a%26b");
        let view = asked.view(&found(false, true), &[]);
        assert_eq!(view.head[0].sorted, "descending");
        assert_eq!(view.head[0].link, "/admin/things/?q=a%26b&state=on&sort=name&rows=100");
        assert_eq!(view.head[2].link, "/admin/things/?q=a%26b&state=on&rows=100");
        assert_eq!(view.chips[0].label, "State: On");
        assert_eq!(view.chips[0].without, "/admin/things/?q=a%26b&sort=-name&rows=100");
        assert_eq!(view.caption, "Things, Z to A");
    }

    #[test]
    fn a_page_leads_to_the_next_and_back() {
        let pager = ask("").view(&found(false, true), &[]).pager.unwrap();
        assert_eq!((pager.first.as_str(), pager.previous.as_str()), ("", ""));
        assert_eq!(pager.range, "Things 1–50 of 1,234");

        let after = parameter(&pager.next, "after").unwrap();
        let second = ask(&format!("after={after}"));
        let keyset = second.keyset().unwrap();
        assert_eq!(keyset.from, Some(Place { value: Value::Number(500), id: Value::Number(50) }));
        assert!(!keyset.backwards);
        let pager = second.view(&found(true, true), &[]).pager.unwrap();
        assert_eq!(pager.range, "Things 51–100 of 1,234");

        let before = parameter(&pager.previous, "before").unwrap();
        let first = ask(&format!("before={before}"));
        assert!(first.keyset().unwrap().backwards);
        assert_eq!(first.view(&found(false, true), &[]).pager.unwrap().range, "Things 1–50 of 1,234");
    }

    #[test]
    fn a_cursor_of_another_order_gives_the_first_page() {
        let pager = ask("").view(&found(false, true), &[]).pager.unwrap();
        let after = parameter(&pager.next, "after").unwrap();
        assert!(ask(&format!("sort=name&after={after}")).keyset().unwrap().from.is_none());
    }

    #[test]
    fn a_short_list_has_no_pager_and_says_how_many_there_are() {
        let few = Found { shown: 1, counts: Counts { total: 1, matching: 1, is_more: false }, ..found(false, false) };
        let view = ask("").view(&few, &[]);
        assert!(view.pager.is_none());
        assert_eq!(view.count.to_string(), "<strong>1</strong> thing");
        let many = Found { counts: Counts { total: 100_001, matching: 10_000, is_more: true }, ..found(false, true) };
        let view = ask("state=on").view(&many, &[]);
        assert_eq!(view.count.to_string(), "<strong>more than 10,000</strong> of 100,001 things match");
    }
}
