//! What of a list is asked for: its URL, read and written.

use form_urlencoded::Serializer;

use super::cursor::Cursor;
use super::view::{Found, View};
use super::{Changelist, Column, Filter, SIZES, Sort};
use crate::db::keyset::{Keyset, Place};
use crate::language::Said;

/// Longest search that is looked for.
const LONGEST_SEARCH: usize = 200;

/// A list as one URL asks for it.
#[derive(Debug)]
pub struct Asked {
    pub(super) list: &'static Changelist,
    pub(super) filters: Vec<Filter>,
    pub(super) q: String,
    /// For each filter, the value chosen, or nothing.
    pub(super) chosen: Vec<String>,
    /// The column that sorts unless another is chosen.
    default: &'static str,
    column: &'static Column,
    sort: Sort,
    descending: bool,
    pub(super) rows: usize,
    usual_rows: usize,
    pub(super) cursor: Option<Cursor>,
    pub(super) backwards: bool,
}

impl Asked {
    /// Reads the pairs of a query. `usual_rows` is the size that the viewer chose last.
    pub fn new(
        list: &'static Changelist,
        pairs: &[(String, String)],
        usual_rows: Option<usize>,
        filters: Vec<Filter>,
    ) -> Self {
        let given = |name: &str| pairs.iter().rfind(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
        let q: String = given("q").replace('\0', "").trim().chars().take(LONGEST_SEARCH).collect();
        let known = |filter: &Filter| {
            let value = given(filter.name);
            if filter.choices.iter().any(|(choice, _)| choice == value) { value.to_owned() } else { String::new() }
        };
        let chosen: Vec<String> = filters.iter().map(known).collect();
        let narrowed = filters.iter().zip(&chosen).filter(|(_, value)| !value.is_empty());
        let leading = narrowed.filter_map(|(filter, value)| (filter.sorts)(value)).next();
        let default = leading.unwrap_or(list.default);
        let sort = given("sort");
        let (name, reversed) = sort.strip_prefix('-').map_or((sort, false), |name| (name, true));
        let wanted = sorting(list, name).map(|(column, sort)| (column, sort, reversed));
        let usual = sorting(list, default).map(|(column, sort)| (column, sort, sort.descending_first));
        let (column, sort, descending) = wanted.or(usual).unwrap_or((&NO_COLUMN, NO_SORT, false));

        let size = |text: &str| text.parse().ok().filter(|size| SIZES.contains(size));
        let [usual_size, ..] = SIZES;
        let usual_rows = usual_rows.filter(|size| SIZES.contains(size)).unwrap_or(usual_size);
        let rows = size(given("rows")).unwrap_or(usual_rows);
        let cursor = |name| sort.by.and_then(|by| Cursor::decode(given(name), &by));
        let (after, before) = (cursor("after"), cursor("before"));
        Self {
            list,
            q: if list.search.is_some() { q } else { String::new() },
            chosen,
            filters,
            default,
            column,
            sort,
            descending,
            rows,
            usual_rows,
            backwards: after.is_none() && before.is_some(),
            cursor: after.or(before),
        }
    }

    /// What is searched for; empty if nothing is.
    pub fn q(&self) -> &str {
        &self.q
    }

    /// The value that a filter was set to.
    pub fn choice(&self, name: &str) -> Option<&str> {
        let chosen = self.filters.iter().zip(&self.chosen).find(|(filter, _)| filter.name == name);
        chosen.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Says what a filter offers, where that is known only after the list was loaded; `false` if its choice is not among
    /// it, so that the list should be asked for without.
    pub fn offer(&mut self, name: &str, choices: Vec<(String, String)>) -> bool {
        let mut filters = self.filters.iter_mut().zip(&self.chosen);
        let Some((filter, chosen)) = filters.find(|(filter, _)| filter.name == name) else { return true };
        filter.choices = choices;
        chosen.is_empty() || filter.choices.iter().any(|(value, _)| value == chosen)
    }

    /// The name of the column that sorts.
    pub fn sort_name(&self) -> &'static str {
        self.column.name
    }

    /// Whether the largest comes first.
    pub fn is_descending(&self) -> bool {
        self.descending
    }

    /// Whether anything narrows the list.
    pub fn is_narrowed(&self) -> bool {
        !self.q.is_empty() || self.chosen.iter().any(|value| !value.is_empty())
    }

    /// A page size that was chosen here and should be remembered.
    pub fn new_usual_rows(&self) -> Option<usize> {
        (self.rows != self.usual_rows).then_some(self.rows)
    }

    /// The page to load; `None` for a list that its page sorts by itself.
    pub fn keyset(&self) -> Option<Keyset> {
        Some(Keyset {
            by: self.sort.by?,
            descending: self.descending,
            from: self.cursor.as_ref().map(|cursor| cursor.place.clone()),
            backwards: self.backwards,
            rows: self.rows,
        })
    }

    /// The address of the list with some parameters changed, by name; an empty value takes one away. The page that is
    /// shown is not kept: whatever changes, its rows are others.
    pub fn link(&self, changes: &[(&str, &str)]) -> String {
        let mut query = Serializer::new(String::new());
        let mut any = false;
        for (name, value) in self.state() {
            let value = changes.iter().find(|(changed, _)| *changed == name).map_or(value.as_str(), |(_, new)| new);
            if !value.is_empty() {
                query.append_pair(name, value);
                any = true;
            }
        }
        for (name, value) in changes.iter().filter(|(name, _)| matches!(*name, "after" | "before")) {
            query.append_pair(name, value);
            any = true;
        }
        if any { format!("{}?{}", self.list.path, query.finish()) } else { self.list.path.to_owned() }
    }

    /// The address of this very page of the list.
    pub fn here(&self) -> String {
        match &self.cursor {
            None => self.link(&[]),
            Some(cursor) => self.link(&[(if self.backwards { "before" } else { "after" }, &cursor.encode())]),
        }
    }

    /// The address of all its rows as CSV.
    pub fn export(&self) -> String {
        let link = self.link(&[("rows", "")]);
        match link.split_once('?') {
            Some((path, query)) => format!("{path}export.csv?{query}"),
            None => format!("{link}export.csv"),
        }
    }

    /// What it is narrowed by, as a query: search and filters, no order and no page.
    pub fn narrowed_by(&self) -> String {
        let link = self.link(&[("sort", ""), ("rows", "")]);
        link.split_once('?').map_or_else(String::new, |(_, query)| query.to_owned())
    }

    /// The same in words: "Status: Active, search for “ann”".
    pub fn in_words(&self) -> String {
        let pairs = self.filters.iter().zip(&self.chosen).filter(|(_, chosen)| !chosen.is_empty());
        let mut words: Vec<String> = pairs.map(|(filter, chosen)| filter.in_words(chosen)).collect();
        words.extend((!self.q.is_empty()).then(|| say!("search for “{q}”", q = self.q)));
        if words.is_empty() { Said::of(self.list.nouns.all).to_string() } else { words.join(", ") }
    }

    /// The parameters in force, in the order in which links have them; those at their default are empty.
    pub(super) fn state(&self) -> Vec<(&'static str, String)> {
        let chosen = self.filters.iter().zip(&self.chosen).map(|(filter, value)| (filter.name, value.clone()));
        let rows = if self.rows == self.usual_rows { String::new() } else { self.rows.to_string() };
        let sort = self.sort_parameter(self.column, &self.sort, self.descending);
        [("q", self.q.clone())].into_iter().chain(chosen).chain([("sort", sort), ("rows", rows)]).collect()
    }

    pub(super) fn sort_parameter(&self, column: &Column, sort: &Sort, descending: bool) -> String {
        if column.name == self.default && descending == sort.descending_first {
            return String::new();
        }
        format!("{}{}", if descending { "-" } else { "" }, column.name)
    }

    /// The order in words: "newest first".
    pub(super) fn order_words(&self) -> Said {
        Said::of(if self.descending { self.sort.words.1 } else { self.sort.words.0 })
    }

    /// What the shared templates draw. `actions` are those that the viewer may do with the rows ticked.
    pub fn view(&self, found: &Found, actions: &[(&'static str, String)]) -> View {
        View::new(self, found, actions)
    }

    pub(super) fn cursor_at(&self, place: Option<&Place>, ordinal: i64) -> Option<String> {
        place.map(|place| Cursor { place: place.clone(), ordinal }.encode())
    }
}

const NO_SORT: Sort = Sort { by: None, descending_first: false, words: ("", "") };
static NO_COLUMN: Column = Column { name: "", label: "", class: "", sort: None };

/// The column of this name, if it sorts.
fn sorting(list: &'static Changelist, name: &str) -> Option<(&'static Column, Sort)> {
    list.columns.iter().find_map(|column| match column.sort {
        Some(sort) if column.name == name => Some((column, sort)),
        _ => None,
    })
}
