//! Two people changed one thing at once: nothing is saved, and the second sees both versions and chooses by field.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::form::{Filled, TOKEN, label};
use crate::admin::layout::{Frame, html};
use crate::admin::when::{Now, When};
use crate::clock::Timestamp;
use crate::language::filters;

/// What precedes a field's name in the answer.
const TAKE: &str = "take-";
/// Fields that are not the row's own.
const NOT_COMPARED: [&str; 3] = [TOKEN, "version", "then"];

/// Two versions of one thing.
pub struct Clash {
    name: String,
    changed: Timestamp,
    action: String,
    differences: Vec<Difference>,
    carried: Vec<(String, String)>,
}

/// A field in which they differ.
pub struct Difference {
    /// Its name in the form.
    pub field: String,
    /// Its label.
    pub label: String,
    /// What the second wanted.
    pub yours: String,
    /// What the first left.
    pub theirs: String,
}

#[derive(Template)]
#[template(path = "admin/clash.html")]
struct Page {
    frame: Frame,
    name: String,
    when: When,
    action: String,
    version: i64,
    differences: Vec<Difference>,
    carried: Vec<(String, String)>,
}

impl Clash {
    /// The two versions of `name`: what was sent, and what stands since `changed`. `value_name` tells what a value of a
    /// field with several is called.
    pub fn new(
        name: &str,
        changed: Timestamp,
        action: String,
        mine: &Filled,
        theirs: &Filled,
        value_name: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let mut fields: Vec<&str> = Vec::new();
        for (field, _) in theirs.pairs().iter().chain(mine.pairs()) {
            if !fields.contains(&field.as_str()) && !NOT_COMPARED.contains(&field.as_str()) && !field.starts_with(TAKE)
            {
                fields.push(field);
            }
        }
        let said = |form: &Filled, field: &str| {
            let mut values: Vec<String> = form
                .values(field)
                .map(|value| if value == "on" { say!("yes") } else { value_name(value).unwrap_or(value.to_owned()) })
                .collect();
            values.sort();
            values.join(", ")
        };
        let difference = |field: &&str| Difference {
            field: (*field).to_owned(),
            label: label(field),
            yours: said(mine, field),
            theirs: said(theirs, field),
        };
        let differences = fields.iter().map(difference).filter(|one| one.yours != one.theirs).collect();
        let is_carried =
            |(field, _): &&(String, String)| !matches!(field.as_str(), TOKEN | "version") && !field.starts_with(TAKE);
        let carried = mine.pairs().iter().filter(is_carried).cloned().collect();
        Self { name: name.to_owned(), changed, action, differences, carried }
    }

    /// The page that lets choose.
    ///
    /// # Errors
    /// 500 if it cannot be rendered.
    pub fn page(self, frame: Frame, now: Now) -> Result<HttpResponse, PageError> {
        let page = Page {
            frame: frame.without_flash(),
            name: self.name,
            when: When::new(self.changed, now),
            version: self.changed.micros(),
            action: self.action,
            differences: self.differences,
            carried: self.carried,
        };
        html(StatusCode::CONFLICT, &page)
    }

    /// Whether a form answers such a page.
    pub fn is_answered(sent: &Filled) -> bool {
        sent.pairs().iter().any(|(field, _)| field.starts_with(TAKE))
    }

    /// Puts theirs in place of mine where that was chosen.
    pub fn settle(mine: &mut Filled, theirs: &Filled) {
        let chosen: Vec<String> = mine
            .pairs()
            .iter()
            .filter(|(_, choice)| choice == "theirs")
            .filter_map(|(field, _)| field.strip_prefix(TAKE).map(str::to_owned))
            .collect();
        for field in chosen {
            mine.take_from(theirs, &field);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn form(pairs: &[(&str, &str)]) -> Filled {
        Filled::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn only_what_differs_is_asked_about_and_the_choice_is_taken() {
        let mine = form(&[("username", "ann"), ("is_staff", "on"), ("roles", "1"), ("version", "5"), (TOKEN, "x")]);
        let theirs = form(&[("username", "ann"), ("roles", "1"), ("roles", "2")]);
        let names = |id: &str| (id == "2").then(|| "Editor".to_owned());
        let clash = Clash::new("ann", Timestamp::from_seconds(1), String::new(), &mine, &theirs, names);
        let told: Vec<_> =
            clash.differences.iter().map(|d| (d.field.as_str(), d.yours.as_str(), d.theirs.as_str())).collect();
        assert_eq!(told, [("roles", "1", "1, Editor"), ("is_staff", "yes", "")]);

        let mut answer = Filled::new(clash.carried).with("take-roles", "theirs").with("take-is_staff", "yours");
        assert!(Clash::is_answered(&answer));
        Clash::settle(&mut answer, &theirs);
        assert_eq!(answer.values("roles").collect::<Vec<_>>(), ["1", "2"]);
        assert!(answer.ticked("is_staff"));
    }
}
