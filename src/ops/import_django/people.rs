//! Users: what of them is taken, and why some cannot be.

use std::collections::{HashMap, HashSet};

use crate::auth::account_rules::{is_username, lower_domain, normal_username};
use crate::auth::foreign_hash::{ForeignHash, Unfit};
use crate::auth::grants::Grants;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::model::import::{self, ImportedUser};
use crate::model::{role, user};
use crate::rest::email::is_email;

use super::report::Report;
use super::roles::Roles;
use super::source::Person;

/// The ids of new users go on from the highest, and beyond 2^53 no number in JSON is exact.
pub const HIGHEST_ID: i64 = 1 << 52;
const LONGEST_NAME: usize = 150;
const LONGEST_PHONE: usize = 15;
/// What stands for a hash where there is no usable one.
const UNUSABLE: &str = "!";

/// Takes users over.
pub struct People {
    /// The field that becomes the username.
    pub name_field: &'static str,
    /// Raises the generation of those whose ids clash.
    pub grants: Grants,
    /// Now.
    pub now: Timestamp,
    /// Whether anything is written: not in a dry run.
    pub writes: bool,
    /// What this run has taken: a dry run cannot ask the database.
    pub ids: HashSet<i64>,
    /// The names of those.
    pub names: HashMap<String, i64>,
}

impl People {
    /// Whether the user is here: taken in this run, or before.
    ///
    /// # Errors
    /// The database's.
    pub fn has(&self, id: i64) -> bool {
        self.ids.contains(&id)
    }

    /// Takes a user over with roles, unless that is done already or cannot be.
    ///
    /// # Errors
    /// The database's.
    pub fn take(&mut self, conn: &mut Conn, person: &Person, roles: &Roles, report: &mut Report) -> Result<()> {
        let raw = person.record.text(self.name_field);
        let id = person.record.int("id").unwrap_or_default();
        let who = format!("user {id} {raw:?}");
        if !(1..=HIGHEST_ID).contains(&id) {
            report.users.refuse(format!("{who}: its id is no number that a user here can have"));
            return Ok(());
        }
        let name = normal_username(raw);
        let joined = person.record.time("date_joined");
        if let Some(known) = user::by_id(conn, id)? {
            // Who was renamed here is still the same; a dump has milliseconds alone.
            let same_moment = joined.is_some_and(|joined| joined.micros() / 1000 == known.date_joined.micros() / 1000);
            if known.username == name || same_moment {
                self.ids.insert(id);
                report.users.here += 1;
                return Ok(());
            }
            report.users.refuse(format!("{who}: its id is that of {:?} here", known.username));
            return self.keep_out(conn, &known, report);
        }
        if let Err(words) = is_username(&name) {
            report.users.refuse(format!("{who}: its name cannot be taken: {words}"));
            return Ok(());
        }
        let named = user::by_username(conn, &name)?.map(|user| user.id);
        if let Some(other) = named.or_else(|| self.names.get(&name).copied()) {
            report.users.refuse(format!("{who}: its name, {name:?}, is that of user {other} here"));
            return Ok(());
        }
        let new = self.account(person, id, name, &who, report);
        if self.writes {
            import::insert(conn, &new)?;
        }
        for group in &person.groups {
            match roles.of(group) {
                Some(Some(role)) => drop(role::give(conn, role, id, self.now)?),
                Some(None) => {} // a dry run: the role is not there yet
                None => report.note(format!("{who}: is not given the role {group:?}, which was refused")),
            }
        }
        if person.own_permissions > 0 {
            let count = person.own_permissions;
            report.note(format!("{who}: permissions of its own are not taken ({count}): here roles have them"));
        }
        self.ids.insert(id);
        self.names.insert(new.username, id);
        report.users.taken += 1;
        Ok(())
    }

    /// An account here has the id of another one there. That one's tokens name it, so they must not be good for it: they
    /// carry no generation, which counts as the first.
    fn keep_out(&self, conn: &mut Conn, known: &user::User, report: &mut Report) -> Result<()> {
        if known.generation > 0 {
            return Ok(());
        }
        let name = &known.username;
        report.changed += 1;
        report.note(format!("{name:?} is signed out everywhere: tokens of the other server name the same id"));
        if self.writes { self.grants.end_all_in(conn, known.id, self.now).map(drop) } else { Ok(()) }
    }

    fn account(&self, person: &Person, id: i64, username: String, who: &str, report: &mut Report) -> ImportedUser {
        let record = &person.record;
        let mut short = |field: &str, longest: usize| {
            let text = record.text(field);
            if text.chars().count() > longest || text.contains('\0') {
                report.note(format!("{who}: its {} is left out: it is too long", field.replace('_', " ")));
                return String::new();
            }
            text.to_owned()
        };
        let (first_name, last_name) = (short("first_name", LONGEST_NAME), short("last_name", LONGEST_NAME));
        let phone_number = short("phone_number", LONGEST_PHONE);
        let mut email = lower_domain(record.text("email"));
        if email.is_empty() {
            email = person.verified.first().map(|address| lower_domain(address)).unwrap_or_default();
        }
        if !email.is_empty() && !is_email(&email) {
            report.note(format!("{who}: its e-mail address is left out: it is none"));
            email.clear();
        }
        let email_verified =
            !email.is_empty() && person.verified.iter().any(|address| address.eq_ignore_ascii_case(&email));
        let hash = record.text("password");
        let password = match ForeignHash::read(hash) {
            Ok(_) => hash,
            Err(Unfit::Unusable) => UNUSABLE,
            Err(unfit) => {
                report.note(format!("{who}: {unfit}: nobody signs in by password until a new one is set"));
                UNUSABLE
            }
        };
        // What is no username here is normal there.
        if username != record.text(self.name_field) {
            report.note(format!("{who}: is called {username:?} here"));
        }
        ImportedUser {
            id,
            username,
            password: password.to_owned(),
            first_name,
            last_name,
            email,
            email_verified,
            phone_number,
            date_of_birth: record.day("date_of_birth"),
            is_active: !record.has("is_active") || record.flag("is_active"),
            is_staff: record.flag("is_staff"),
            is_superuser: record.flag("is_superuser"),
            is_premium: record.flag("is_premium"),
            date_joined: record.time("date_joined").unwrap_or(self.now),
            last_login: record.time("last_login"),
            updated_at: self.now,
        }
    }
}
