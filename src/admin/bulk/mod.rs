//! What is done with many rows of a list: those that are ticked, or all that its filter lets through. The list posts them
//! here, a page says what will happen, and its button posts them here again.

pub mod act;
pub mod job;
pub mod lists;

use std::sync::Arc;

use actix_web::{HttpResponse, web};

use crate::admin::bulk::act::{Act, Chosen, Doer, Plan, Row, Tally, Weight};
use crate::admin::bulk::lists::{Facts, List};
use crate::admin::confirm::{Choice, Confirmation};
use crate::admin::error::PageError;
use crate::admin::form::{Filled, Form};
use crate::admin::layout::{inside_panel, see_other};
use crate::admin::staff::Staff;
use crate::admin::users::sessions::after_end_of_all;
use crate::admin::visit::Flash;
use crate::db::Conn;
use crate::db::keyset::Value;
use crate::error::Result;
use crate::language::Said;
use crate::rest::fields::{Fields, Input};
use crate::site::Site;

/// From here on the number must be typed.
const MANY: usize = 100;
/// Names that are told one by one.
const NAMES: usize = 10;
/// The most rows that a request does; more are a job's.
const AT_ONCE: usize = 1000;
/// Rows that are listed at a time.
const BATCH: usize = 500;

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

/// The rows that are meant.
#[derive(Clone)]
enum Meant {
    /// Those that are ticked.
    Ticked(Vec<Value>),
    /// All that this query lets through.
    All(String),
}

/// What is asked for, as far as it was understood.
struct Asked {
    list: &'static List,
    action: String,
    act: Arc<dyn Act>,
    meant: Meant,
    choice: Option<Choice>,
    back: String,
    sent: Filled,
}

/// What is known of the rows that are meant.
struct Looked {
    /// Those of them that are shown.
    rows: Vec<Row>,
    /// How many there are.
    total: usize,
    /// The filter in words, where that says which.
    filter: Option<String>,
}

/// A list's act on many rows.
pub async fn act(site: web::Data<Site>, staff: Staff, form: Form<Sent>) -> Result<HttpResponse, PageError> {
    let Ok((given, sent)) = form.checked() else { return Ok(see_other("/admin/")) };
    let back = inside_panel(&given.back).to_owned();
    let nothing = |missing: Said| {
        staff.visit().flash(&Flash::warning(said!("Nothing was changed.")).adding(missing));
        Ok(see_other(&back))
    };
    let Some(list) = List::named(&given.list) else { return nothing(said!("Choose what to do first.")) };
    let meant = match sent.ticked("all") {
        true => Meant::All(sent.value("all").to_owned()),
        false => Meant::Ticked(list.ticked(&sent)),
    };
    if matches!(&meant, Meant::Ticked(keys) if keys.is_empty()) {
        return nothing(said!("Tick the rows first, then choose what to do."));
    }
    let Some(act) = list.act(&given.action, None) else { return nothing(said!("Choose what to do first.")) };
    let plan = act.plan();
    if let Some(needed) = plan.permission() {
        staff.require(&site, needed).await?;
    }
    if let Some(words) = act.objection(&staff.actor()) {
        return Err(PageError::Refused(words));
    }
    if plan.weight == Weight::Grave {
        // The ticks are gone by then: back to where they are made.
        staff.recently(&site, &back)?;
    }
    let (asking, facts, meant_rows) = (act.clone(), Facts::of(&site, staff.now()).await?, meant.clone());
    let doer = doer(&site, &staff, &plan, &facts, sent.value("reason"));
    let by = doer.clone();
    let look = move |conn: &mut Conn| {
        let choice = asking.choice(conn)?;
        Ok((choice, look(conn, list, asking.as_ref(), &by, &meant_rows, &facts)?))
    };
    let (choice, looked) = site.db.read(look).await?;
    if choice.as_ref().is_some_and(|choice| choice.options.is_empty()) {
        return Err(PageError::Rule(said!("There are no roles yet. Add one first.")));
    }
    let Some(looked) = looked else { return nothing(said!("Tick the rows first, then choose what to do.")) };
    let asked = Asked { list, action: given.action, act, meant, choice, back, sent };
    let ask = asked.confirmation(&looked);
    let frame =
        staff.frame(&[(&list.title(), list.path), (&Said::of(plan.buttons.0).to_string(), "")]).within(list.path);
    if given.sure.is_empty() {
        return ask.page(frame);
    }
    if !ask.is_met(&given.confirm) {
        return ask.refused(frame, asked.sent);
    }
    asked.carry_out(&site, &staff, looked, doer).await
}

fn doer(site: &Site, staff: &Staff, plan: &Plan, facts: &Facts, reason: &str) -> Doer {
    Doer {
        actor: staff.actor(),
        grants: site.grants.clone(),
        hub: site.hub.clone(),
        audit: staff.audits(site, plan.code).because(reason),
        now: facts.now,
        at: facts.at,
        since: facts.now.at,
    }
}

/// The rows that are meant; `None` if the list has no filter to mean them by.
fn look(
    conn: &mut Conn,
    list: &List,
    act: &dyn Act,
    by: &Doer,
    meant: &Meant,
    facts: &Facts,
) -> Result<Option<Looked>> {
    let rows_of = |conn: &mut Conn, keys: &[Value]| -> Result<Vec<Row>> {
        keys.iter().filter_map(|key| act.look(conn, by, key).transpose()).collect()
    };
    match meant {
        Meant::Ticked(keys) => {
            let rows = rows_of(conn, keys)?;
            let total = rows.iter().filter(|row| row.left_out.is_none()).count();
            Ok(Some(Looked { rows, total, filter: None }))
        }
        Meant::All(query) => {
            let Some(matching) = list.matching(conn, query, facts)? else { return Ok(None) };
            let keys = matching.keys(conn, None, NAMES)?;
            let (rows, total) = (rows_of(conn, &keys)?, matching.count(conn)?);
            Ok(Some(Looked { rows, total, filter: Some(matching.words) }))
        }
    }
}

impl Asked {
    /// The page that asks.
    fn confirmation(&self, looked: &Looked) -> Confirmation {
        let (plan, total) = (self.act.plan(), looked.total);
        let only = looked.rows.iter().find(|row| row.left_out.is_none()).map_or("", |row| row.name.as_str());
        // Those left out come first: they are what the viewer does not expect.
        let (out, rest): (Vec<&Row>, Vec<&Row>) = looked.rows.iter().partition(|row| row.left_out.is_some());
        let told = |row: &&Row| {
            let reason = row.left_out.as_ref().map(|reason| say!("left out: {reason}", reason));
            (row.name.clone(), reason.unwrap_or_else(|| row.about.clone()))
        };
        let shown = NAMES.max(out.len());
        let all = if looked.filter.is_some() { total } else { looked.rows.len() };
        let weighs = looked.filter.is_some() || plan.weight == Weight::Grave || total > MANY;
        let weighs = weighs || looked.rows.iter().any(|row| row.weighs && row.left_out.is_none());
        let mut words = vec![Said::of(plan.means)];
        if let Some(filter) = &looked.filter {
            words.push(said!("This is done to all that match: {filter}.", filter));
            words.push(said!("Rows that it cannot be done to are left out."));
            words.extend(
                (total > AT_ONCE).then(|| said!("It goes on while you do something else, and can be stopped.")),
            );
        }
        Confirmation {
            heading: if total == 0 { say!("There is nothing to do") } else { plan.heading(total, only).to_string() },
            words: words.iter().map(Said::to_string).collect::<Vec<_>>().join(" "),
            dangerous: plan.weight == Weight::Grave,
            card: match (total, &looked.filter) {
                (0, _) => key!("None of them can be done"),
                (_, Some(_)) => key!("The first of all that match"),
                (_, None) => key!("What was selected"),
            },
            names: out.iter().chain(&rest).take(shown).map(told).collect(),
            names_more: all.saturating_sub(shown),
            action: "/admin/confirm/".to_owned(),
            carried: self.carried(),
            choice: self.choice.clone(),
            typed: (weighs && total > 0).then(|| total.to_string()),
            act: if total == 0 { String::new() } else { Said::of(plan.button(total)).to_string() },
            way_out: (
                say!("Back to the list"),
                if self.back == "/admin/" { self.list.path.to_owned() } else { self.back.clone() },
            ),
            ..Confirmation::default()
        }
    }

    fn carried(&self) -> Vec<(&'static str, String)> {
        let mut carried = vec![
            ("list", self.list.name.to_owned()),
            ("action", self.action.clone()),
            ("back", self.back.clone()),
            ("sure", "yes".to_owned()),
        ];
        match &self.meant {
            Meant::All(query) => carried.push(("all", query.clone())),
            Meant::Ticked(keys) => carried.extend(keys.iter().map(|key| (self.list.field(), List::written(key)))),
        }
        carried
    }

    /// Does it, here or by a job.
    async fn carry_out(
        self,
        site: &Site,
        staff: &Staff,
        looked: Looked,
        doer: Doer,
    ) -> Result<HttpResponse, PageError> {
        let chosen = match &self.choice {
            None => None,
            Some(choice) => {
                let value = self.sent.value(choice.name);
                let Some((value, name)) = choice.options.iter().find(|(option, _)| option == value).cloned() else {
                    return Err(PageError::Rule(said!("The role that was chosen is gone.")));
                };
                Some(Chosen { value, name })
            }
        };
        let Some(act) = self.list.act(&self.action, chosen.clone()) else { return Ok(see_other(&self.back)) };
        let (list, facts) = (self.list, Facts::of(site, staff.now()).await?);
        let mut keys = match self.meant.clone() {
            Meant::All(query) if looked.total > AT_ONCE => {
                let chosen = chosen.unwrap_or_default();
                let wanted = job::Wanted { list, action: self.action.clone(), chosen, query, total: looked.total };
                let reason = self.sent.value("reason");
                return job::begin(site, staff, &act.plan(), wanted, reason, facts).await;
            }
            Meant::All(query) => site.db.read(move |conn| all_keys(conn, list, &query, &facts)).await?,
            Meant::Ticked(keys) => keys,
        };
        // Whoever signs out themselves among others is let go last: afterwards they could do nothing more.
        keys.sort_by_key(|key| list.name == "users" && *key == Value::Number(staff.id()));
        let plan = act.plan();
        let undo = (plan.weight == Weight::Light).then(|| doer.audit.act());
        let (did, failed) = staff.write_each(site, keys, move |conn, key| act.carry_out(conn, &doer, key)).await;
        let tally = Tally::of(&did);
        if tally.done == 0 {
            failed?;
            return Ok(self.nothing_done(site, staff, &plan, tally));
        }
        site.mail.ring();
        let mut flash = Flash::done(plan.done_to(tally.done)).adding(tally.in_words(&plan));
        if let Err(error) = failed {
            log::error!("a bulk action broke off: {error}");
            flash = Flash::warning(plan.done_to(tally.done))
                .adding(said!("Then it broke off: the rest is as it was. Do it again."));
        }
        if let Some(act) = undo {
            flash = flash.undoing(&act);
        }
        staff.done(site, &flash);
        Ok(after_end_of_all(staff.visit(), tally.ended_own_session, &self.back))
    }

    fn nothing_done(&self, site: &Site, staff: &Staff, plan: &Plan, tally: Tally) -> HttpResponse {
        staff.done(site, &Flash::warning(said!("Nothing was changed.")).adding(tally.in_words(plan)));
        see_other(&self.back)
    }
}

/// The keys of all rows that a query lets through, up to those that a request does.
fn all_keys(conn: &mut Conn, list: &List, query: &str, facts: &Facts) -> Result<Vec<Value>> {
    let Some(matching) = list.matching(conn, query, facts)? else { return Ok(Vec::new()) };
    let mut keys: Vec<Value> = Vec::new();
    while keys.len() < AT_ONCE {
        let more = matching.keys(conn, keys.last().cloned(), BATCH)?;
        if more.is_empty() {
            break;
        }
        keys.extend(more);
    }
    Ok(keys)
}
