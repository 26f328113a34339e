//! What a list says of its rows. In most languages a noun goes differently into each sentence, so each sentence with it is
//! one of the catalogue; in English they differ by the noun alone, and are made of it when this is compiled.

/// The sentences of a list that have its noun in them. Each is a key; of two, the second is for more than one.
#[derive(Clone, Copy, Debug)]
pub struct Nouns {
    /// How many rows there are.
    pub count: (&'static str, &'static str),
    /// How many of them match.
    pub matching: (&'static str, &'static str),
    /// The same, where there are more than are counted.
    pub more_than: &'static str,
    /// The label of the box that ticks all rows.
    pub every: &'static str,
    /// What stands for all rows.
    pub all: &'static str,
    /// The list has no rows.
    pub none_yet: &'static str,
    /// No row passes the filters.
    pub no_match: &'static str,
    /// Nothing was found.
    pub not_found: &'static str,
}

/// The sentences of a list of these: `nouns!("user", "users")`.
macro_rules! nouns {
    ($one:literal, $many:literal) => {
        $crate::admin::changelist::Nouns {
            count: (concat!("<strong>{count}</strong> ", $one), concat!("<strong>{count}</strong> ", $many)),
            matching: (
                concat!("<strong>{matching}</strong> of {total} ", $many, " matches"),
                concat!("<strong>{matching}</strong> of {total} ", $many, " match"),
            ),
            more_than: concat!("<strong>more than {matching}</strong> of {total} ", $many, " match"),
            every: concat!("Select every ", $one, " on this page"),
            all: concat!("all ", $many, " there are"),
            none_yet: concat!("No ", $many, " yet"),
            no_match: concat!("No ", $one, " matches"),
            not_found: concat!("No ", $one, " matches “{q}”"),
        }
    };
}
