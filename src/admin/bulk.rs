//! What is done with the rows ticked in a list. The list posts them here, a page says what will happen, and its button
//! posts them here again.

use actix_web::{HttpResponse, web};

use crate::admin::confirm::Confirmation;
use crate::admin::error::PageError;
use crate::admin::form::{Filled, Form};
use crate::admin::layout::{inside_panel, see_other};
use crate::admin::staff::Staff;
use crate::admin::visit::Flash;
use crate::admin::when::{count_words, thousands};
use crate::admin::{content, mail, roles, sessions, throttling, tokens, users};
use crate::rest::fields::{Fields, Input};
use crate::site::Site;

/// The most rows that are done at once: as many as a page shows.
const MOST: usize = 200;
/// From here on the number must be typed.
const MANY: usize = 100;
/// Names that are told one by one.
const NAMES: usize = 10;

/// What the list, or the page that asks, has sent.
pub struct Sent {
    list: String,
    action: String,
    back: String,
    sure: String,
    confirm: String,
}

impl Input for Sent {
    fn read(f: &mut Fields) -> Self {
        let mut text = |name| f.text(name).blank().value();
        Self {
            list: text("list"),
            action: text("action"),
            back: text("back"),
            sure: text("sure"),
            confirm: text("confirm"),
        }
    }
}

/// The rows ticked, and what is to be done with them.
pub struct Answer {
    /// The act.
    pub action: String,
    /// The rows.
    pub ids: Vec<i64>,
    /// The rows of a list whose ids are texts.
    pub keys: Vec<String>,
    /// What was typed to confirm.
    pub confirm: String,
    /// The form as it was sent.
    pub sent: Filled,
    list: String,
    back: String,
    sure: bool,
}

/// A row that is to be done, or left out for a reason.
pub struct Row {
    /// Its name.
    pub name: String,
    /// What is worth knowing of it.
    pub about: String,
    /// Why it will be left out.
    pub left_out: Option<String>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Rows done.
    pub done: usize,
    /// Rows left out.
    pub left_out: usize,
    /// Other things that ended with them.
    pub also: usize,
    /// Whether the viewer's own session is among those.
    pub ended_own_session: bool,
}

/// A list's act on the rows ticked.
pub async fn act(site: web::Data<Site>, staff: Staff, form: Form<Sent>) -> Result<HttpResponse, PageError> {
    let Ok((given, sent)) = form.checked() else { return Ok(see_other("/admin/")) };
    let mut ids: Vec<i64> = sent.values("id").filter_map(|id| id.parse().ok()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.truncate(MOST);
    let mut keys: Vec<String> = sent.values("key").map(str::to_owned).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.truncate(MOST);
    let answer = Answer {
        action: given.action,
        ids,
        keys,
        confirm: given.confirm,
        sent,
        back: inside_panel(&given.back).to_owned(),
        sure: !given.sure.is_empty(),
        list: given.list,
    };
    if answer.ids.is_empty() && answer.keys.is_empty() {
        return Ok(answer.nothing_chosen(&staff));
    }
    match answer.list.as_str() {
        "users" => users::bulk::handle(&site, &staff, answer).await,
        "roles" => roles::bulk::handle(&site, &staff, answer).await,
        "articles" => content::bulk::handle(&site, &staff, "articles", answer).await,
        "tasks" => content::bulk::handle(&site, &staff, "tasks", answer).await,
        "tokens" => tokens::bulk::revoke(&site, &staff, answer).await,
        "blacklist" => tokens::bulk::restore(&site, &staff, answer).await,
        "mail" => mail::again::bulk(&site, &staff, answer).await,
        "throttling" => throttling::acts::bulk(&site, &staff, answer).await,
        "sessions" => sessions::bulk::handle(&site, &staff, answer).await,
        _ => Ok(answer.nothing_chosen(&staff)),
    }
}

impl Answer {
    /// Whether the page that asks was answered.
    pub fn is_sure(&self) -> bool {
        self.sure
    }

    /// Where the list is.
    pub fn back(&self) -> &str {
        &self.back
    }

    /// Back to the list, with a word why nothing was done.
    pub fn nothing_chosen(&self, staff: &Staff) -> HttpResponse {
        let missing = if self.ids.is_empty() && self.keys.is_empty() {
            "Tick the rows first, then choose what to do."
        } else {
            "Choose what to do first."
        };
        staff.visit().flash(&Flash::warning("Nothing was changed.").adding(missing));
        see_other(&self.back)
    }

    /// The page that asks, for rows called `nouns`; `heading` is told how many there are, or the name of the only one.
    pub fn asked(
        &self,
        list: &str,
        nouns: (&'static str, &'static str),
        rows: &[Row],
        heading: impl Fn(&str) -> String,
    ) -> Confirmation {
        let done = rows.iter().filter(|row| row.left_out.is_none()).count();
        let only = rows.iter().find(|row| row.left_out.is_none()).map_or("", |row| row.name.as_str());
        let called = if done == 1 { only.to_owned() } else { count_words(done, nouns.0, nouns.1) };
        // Those left out come first: they are what the viewer does not expect.
        let (out, rest): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.left_out.is_some());
        let told = |row: &&Row| {
            let reason = row.left_out.as_ref().map(|reason| format!("left out: {reason}"));
            (row.name.clone(), reason.unwrap_or_else(|| row.about.clone()))
        };
        let mut carried = vec![
            ("list", self.list.clone()),
            ("action", self.action.clone()),
            ("back", self.back.clone()),
            ("sure", "yes".to_owned()),
        ];
        carried.extend(self.ids.iter().map(|id| ("id", id.to_string())));
        carried.extend(self.keys.iter().map(|key| ("key", key.clone())));
        Confirmation {
            heading: if done == 0 { "There is nothing to do".to_owned() } else { heading(&called) },
            card: if done == 0 { "None of them can be done" } else { "What was selected" },
            names: out.iter().chain(&rest).take(NAMES.max(out.len())).map(told).collect(),
            names_more: rows.len().saturating_sub(NAMES.max(out.len())),
            action: "/admin/confirm/".to_owned(),
            carried,
            typed: (done > MANY).then(|| thousands(done).replace(',', "")),
            act: if done == 0 { String::new() } else { "Continue".to_owned() },
            way_out: (
                "Back to the list".to_owned(),
                if self.back == "/admin/" { list.to_owned() } else { self.back.clone() },
            ),
            ..Confirmation::default()
        }
    }
}

impl Outcome {
    /// What else is to be told: "They were signed out of 5 sessions. 1 was left out."
    pub fn in_words(self, one: &str, many: &str) -> String {
        let mut words = Vec::new();
        if self.also > 0 {
            words.push(format!("{} ended.", count_words(self.also, one, many)));
        }
        if self.left_out > 0 {
            words.push(format!(
                "{} left out.",
                if self.left_out == 1 { "1 was".to_owned() } else { format!("{} were", self.left_out) }
            ));
        }
        words.join(" ")
    }
}
