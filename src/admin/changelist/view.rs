//! What the templates `parts/toolbar`, `bulk`, `head`, `pager` and `empty` draw of a list.

use super::SIZES;
use super::asked::Asked;
use crate::db::keyset::{Page, Place};
use crate::db::tally::Counts;
use crate::language::{Said, thousands};

/// Filters that are in view; the rest is under *More filters*.
const IN_VIEW: usize = 3;

/// What was found of a list.
#[derive(Clone, Debug)]
pub struct Found {
    /// How many rows the page has.
    pub shown: usize,
    /// Whether rows come before it.
    pub has_before: bool,
    /// Whether rows come after it.
    pub has_after: bool,
    /// Where its first row stands.
    pub first: Option<Place>,
    /// Where its last row stands.
    pub last: Option<Place>,
    /// How many rows there are.
    pub counts: Counts,
}

impl Found {
    /// What a page by key found; `place` tells where a row stands.
    pub fn of<R>(page: &Page<R>, counts: Counts, place: impl Fn(&R) -> Place) -> Self {
        Self {
            shown: page.rows.len(),
            has_before: page.has_before,
            has_after: page.has_after,
            first: page.rows.first().map(&place),
            last: page.rows.last().map(&place),
            counts,
        }
    }

    /// What a list of few rows found, all of which are shown.
    pub fn all(shown: usize, total: usize) -> Self {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        Self {
            shown,
            has_before: false,
            has_after: false,
            first: None,
            last: None,
            counts: Counts { total: count(total), matching: count(shown), is_more: false },
        }
    }
}

/// A list as it is drawn.
#[derive(Debug)]
pub struct View {
    /// "Users", a key.
    pub title: &'static str,
    /// Its address.
    pub path: &'static str,
    /// The address of this page of it.
    pub here: String,
    /// The address of all its rows as CSV, with the same search, filters and order.
    pub export: String,
    /// "Select every user on this page", a key.
    pub every: &'static str,
    /// What the search field says while it is empty; none without search.
    pub search: Option<&'static str>,
    /// What is searched for.
    pub q: String,
    /// What the toolbar's form carries besides its fields.
    pub kept: Vec<(&'static str, String)>,
    /// The filters in view.
    pub filters: Vec<Select>,
    /// The other filters, under *More filters*.
    pub more: Vec<Select>,
    /// Whether one of those is in force, so that they are to be seen.
    pub is_more_open: bool,
    /// How many rows there are.
    pub count: Said,
    /// The filters in force.
    pub chips: Vec<Chip>,
    /// What may be done with the rows ticked: value and label.
    pub actions: Vec<(&'static str, String)>,
    /// All rows that match, where they are more than the page shows: their query, and the words for them.
    pub all: Option<(String, String)>,
    /// The table's name.
    pub caption: String,
    /// The headings.
    pub head: Vec<Heading>,
    /// The way to other pages; none if there is but one.
    pub pager: Option<Pager>,
    /// The symbol of an empty list.
    pub icon: &'static str,
    /// What an empty list says.
    pub empty: Empty,
    narrowed: bool,
}

/// A filter in the toolbar.
#[derive(Debug)]
pub struct Select {
    /// Its parameter.
    pub name: &'static str,
    /// Its label, a key.
    pub label: &'static str,
    /// What stands for no choice, a key.
    pub any: &'static str,
    /// Its choices.
    pub options: Vec<Choice>,
}

/// A choice of a filter.
#[derive(Debug)]
pub struct Choice {
    /// Its value in the URL.
    pub value: String,
    /// Its name.
    pub label: String,
    /// Whether it is in force.
    pub chosen: bool,
}

/// A filter in force, with the way to the list without it.
#[derive(Debug)]
pub struct Chip {
    /// "Status: Active".
    pub label: String,
    /// The list without it.
    pub without: String,
}

/// The heading of a column.
#[derive(Debug)]
pub struct Heading {
    /// Its text, a key.
    pub label: &'static str,
    /// Its classes.
    pub class: &'static str,
    /// Whether only screen readers hear it.
    pub hidden: bool,
    /// `ascending` or `descending` for the column that sorts, else nothing.
    pub sorted: &'static str,
    /// The list sorted by it, or the other way round.
    pub link: String,
    /// Its arrow.
    pub icon: &'static str,
}

/// The way to other pages.
#[derive(Debug)]
pub struct Pager {
    /// "Users 51–100 of 41,206".
    pub range: String,
    /// The sizes a page may have.
    pub sizes: Vec<Size>,
    /// The first page, unless it is this one.
    pub first: String,
    /// The page before.
    pub previous: String,
    /// The page after.
    pub next: String,
}

/// A size that a page may have.
#[derive(Debug)]
pub struct Size {
    /// Rows.
    pub rows: usize,
    /// The list in pages of it.
    pub link: String,
    /// Whether it is in force.
    pub current: bool,
}

/// What an empty list says.
#[derive(Debug)]
pub struct Empty {
    /// In a word.
    pub heading: Said,
    /// In sentences.
    pub words: Vec<Said>,
    /// The first act: label, a key, and address.
    pub act: Option<(&'static str, &'static str)>,
}

impl View {
    pub(super) fn new(asked: &Asked, found: &Found, actions: &[(&'static str, String)]) -> Self {
        let list = asked.list;
        let is_kept = |name: &str| matches!(name, "sort" | "rows");
        let mut filters = selects(asked);
        let more = filters.split_off(IN_VIEW.min(filters.len()));
        let kept = asked.state().into_iter().filter(|(name, value)| is_kept(name) && !value.is_empty());
        Self {
            title: list.title,
            path: list.path,
            here: asked.here(),
            export: asked.export(),
            every: list.nouns.every,
            search: list.search,
            q: asked.q.clone(),
            kept: kept.collect(),
            filters,
            is_more_open: more.iter().any(|filter| filter.options.iter().any(|option| option.chosen)),
            more,
            count: counts(asked, found),
            chips: chips(asked),
            actions: actions.to_vec(),
            all: all_matching(asked, found),
            caption: say!("{list}, {order}", list = Said::of(list.title), order = asked.order_words()),
            head: headings(asked),
            pager: pager(asked, found),
            icon: list.icon,
            empty: nothing_found(asked),
            narrowed: asked.is_narrowed(),
        }
    }

    /// Whether anything narrows the list.
    pub fn is_narrowed(&self) -> bool {
        self.narrowed
    }

    /// What the list says while it has no rows at all: one sentence what appears here, and the first act.
    pub fn when_empty(mut self, words: &'static str, act: Option<(&'static str, &'static str)>) -> Self {
        if !self.narrowed {
            self.empty.words = vec![Said::of(words)];
        }
        self.empty.act = act;
        self
    }
}

fn selects(asked: &Asked) -> Vec<Select> {
    let pairs = asked.filters.iter().zip(&asked.chosen);
    let select = |(filter, chosen): (&super::Filter, &String)| Select {
        name: filter.name,
        label: filter.label,
        any: filter.any,
        options: filter
            .choices
            .iter()
            .map(|(value, label)| Choice { value: value.clone(), label: label.clone(), chosen: value == chosen })
            .collect(),
    };
    pairs.map(select).collect()
}

fn chips(asked: &Asked) -> Vec<Chip> {
    let in_force = asked.filters.iter().zip(&asked.chosen).filter(|(_, chosen)| !chosen.is_empty());
    let chip = |(filter, chosen): (&super::Filter, &String)| Chip {
        label: filter.in_words(chosen),
        without: asked.link(&[(filter.name, "")]),
    };
    in_force.map(chip).collect()
}

fn counts(asked: &Asked, found: &Found) -> Said {
    let (nouns, counts) = (asked.list.nouns, found.counts);
    let of_all = |said: Said| said.with("total", thousands(counts.total));
    if !asked.is_narrowed() {
        return Said::counted("count", nouns.count.0, nouns.count.1, counts.total);
    }
    if counts.is_more {
        return of_all(Said::of(nouns.more_than).with("matching", thousands(counts.matching)));
    }
    of_all(Said::counted("matching", nouns.matching.0, nouns.matching.1, counts.matching))
}

/// What stands for all rows that match.
fn all_matching(asked: &Asked, found: &Found) -> Option<(String, String)> {
    let shown = i64::try_from(found.shown).unwrap_or(i64::MAX);
    let count = thousands(found.counts.matching);
    let words = match found.counts.is_more {
        true => say!("All matching, more than {count}", count),
        false => say!("All {count} matching", count),
    };
    (found.counts.matching > shown).then(|| (asked.narrowed_by(), words))
}

fn headings(asked: &Asked) -> Vec<Heading> {
    let heading = |column: &'static super::Column| {
        let mut heading = Heading {
            label: column.label,
            class: column.class,
            hidden: column.class.contains("is-tight"),
            sorted: "",
            link: String::new(),
            icon: "sort",
        };
        if let Some(sort) = &column.sort {
            let is_current = column.name == asked.sort_name();
            if is_current {
                (heading.sorted, heading.icon) =
                    if asked.is_descending() { ("descending", "down") } else { ("ascending", "up") };
            }
            let descending = if is_current { !asked.is_descending() } else { sort.descending_first };
            heading.link = asked.link(&[("sort", &asked.sort_parameter(column, sort, descending))]);
        }
        heading
    };
    asked.list.columns.iter().map(heading).collect()
}

fn pager(asked: &Asked, found: &Found) -> Option<Pager> {
    let shown = i64::try_from(found.shown).unwrap_or(i64::MAX);
    let [smallest, ..] = SIZES;
    if !found.has_before && !found.has_after && asked.rows == smallest {
        return None;
    }
    let start = match &asked.cursor {
        Some(_) if !found.has_before => 1,
        Some(cursor) if asked.backwards => cursor.ordinal.saturating_sub(shown),
        Some(cursor) => cursor.ordinal.saturating_add(1),
        None => 1,
    }
    .max(1);
    let end = start.saturating_add(shown).saturating_sub(1);
    let towards = |name: &str, there: bool, place: Option<&Place>, ordinal| {
        let cursor = asked.cursor_at(place, ordinal).filter(|_| there);
        cursor.map_or_else(String::new, |cursor| asked.link(&[(name, &cursor)]))
    };
    let size =
        |rows: usize| Size { rows, link: asked.link(&[("rows", &rows.to_string())]), current: rows == asked.rows };
    Some(Pager {
        range: range(asked, found.counts, start, end),
        sizes: SIZES.into_iter().map(size).collect(),
        first: if found.has_before { asked.link(&[]) } else { String::new() },
        previous: towards("before", found.has_before, found.first.as_ref(), start),
        next: towards("after", found.has_after, found.last.as_ref(), end),
    })
}

fn range(asked: &Asked, counts: Counts, start: i64, end: i64) -> String {
    let (list, from, to) = (Said::of(asked.list.title), thousands(start), thousands(end));
    if asked.is_narrowed() && counts.is_more {
        return say!("{list} {from}–{to} of more than {total}", list, from, to, total = thousands(counts.matching));
    }
    let total = if asked.is_narrowed() { counts.matching } else { counts.total };
    say!("{list} {from}–{to} of {total}", list, from, to, total = thousands(total))
}

fn nothing_found(asked: &Asked) -> Empty {
    let nouns = asked.list.nouns;
    if !asked.is_narrowed() {
        return Empty { heading: Said::of(nouns.none_yet), words: Vec::new(), act: None };
    }
    let on = asked.chosen.iter().filter(|value| !value.is_empty()).count();
    let filters = match on {
        0 => None,
        1 => Some(said!("One filter is on.")),
        _ => Some(said!("{count} filters are on.", count = on)),
    };
    if asked.q.is_empty() {
        return Empty { heading: Said::of(nouns.no_match), words: filters.into_iter().collect(), act: None };
    }
    let words = [Said::of(asked.list.searched)].into_iter().chain(filters).collect();
    Empty { heading: Said::of(nouns.not_found).with("q", &asked.q), words, act: None }
}
