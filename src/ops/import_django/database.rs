//! A Django database, SQLite or PostgreSQL: which tables there are, and their rows batch by batch.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, bail, ensure};

use crate::db::Target;
use crate::db::foreign::{Foreign, Tables, quoted};

use super::people::HIGHEST_ID;
use super::record::Record;
use super::source::{BATCH, Group, Minted, Person, UserModel, claims_of};

/// What is read of a user, where the table has it.
const USER: [&str; 14] = [
    "id",
    "username",
    "password",
    "first_name",
    "last_name",
    "email",
    "phone_number",
    "date_of_birth",
    "is_active",
    "is_staff",
    "is_superuser",
    "is_premium",
    "date_joined",
    "last_login",
];

const GROUP: &str = "auth_group";
const EMAIL: &str = "account_emailaddress";
const OUTSTANDING: &str = "token_blacklist_outstandingtoken";
const BLACKLISTED: &str = "token_blacklist_blacklistedtoken";

/// An open Django database.
pub struct Database {
    foreign: Foreign,
    tables: Tables,
    /// The table of the users.
    users: String,
}

impl Database {
    /// Opens it and finds its users.
    ///
    /// # Errors
    /// The database's words; or which tables could be that of the users.
    pub fn open(target: &Target, users: Option<UserModel>) -> anyhow::Result<Self> {
        let mut foreign = Foreign::open(target)?;
        let tables = foreign.tables().context("cannot read its tables")?;
        let users = user_table(&tables, users)?;
        let mut database = Self { foreign, tables, users };
        let first = database.foreign.rows(&[("id", "id".into())], &format!("{} LIMIT 1", quoted(&database.users)))?;
        for line in first {
            let numbered = Record::parse(&line)?.int("id").is_some();
            ensure!(numbered, "the ids in {} are no whole numbers: users here have numbers", database.users);
        }
        Ok(database)
    }

    /// The field by which users sign in.
    pub fn name_field(&self) -> &'static str {
        if self.has(&self.users, "username") { "username" } else { "email" }
    }

    /// See [`super::source::Source::highest_user`].
    ///
    /// # Errors
    /// The database's.
    pub fn highest_user(&mut self) -> anyhow::Result<i64> {
        Ok(self.foreign.highest_id(&self.users, HIGHEST_ID)?)
    }

    /// See [`super::source::Source::is_user_model`].
    pub fn is_user_model(&self, app: &str, model: &str) -> bool {
        self.users == format!("{app}_{model}")
    }

    fn has(&self, table: &str, column: &str) -> bool {
        self.tables.get(table).is_some_and(|columns| columns.iter().any(|one| one == column))
    }

    /// The table that joins users with something, and its column for the user, which is called after the model.
    fn join(&self, what: &str, other: &str) -> Option<(String, String)> {
        let table = format!("{}_{what}", self.users);
        let columns = self.tables.get(&table)?;
        let user = columns.iter().find(|column| column.ends_with("_id") && *column != other)?;
        Some((quoted(&table), quoted(user)))
    }

    fn records(&mut self, members: &[(&str, String)], rest: &str) -> anyhow::Result<Vec<Record>> {
        self.foreign.rows(members, rest)?.iter().map(|line| Record::parse(line)).collect()
    }

    /// All groups.
    ///
    /// # Errors
    /// The database's.
    pub fn groups(&mut self) -> anyhow::Result<Vec<Group>> {
        if !self.tables.contains_key(GROUP) {
            return Ok(Vec::new());
        }
        let members = [("id", "id".into()), ("name", "name".into())];
        let groups = self.records(&members, &format!("{GROUP} ORDER BY id"))?;
        let members =
            [("group", "h.group_id".into()), ("app", "c.app_label".into()), ("codename", "p.codename".into())];
        let held = "auth_group_permissions h JOIN auth_permission p ON p.id = h.permission_id \
                    JOIN django_content_type c ON c.id = p.content_type_id ORDER BY p.id";
        let mut permissions: HashMap<Option<i64>, Vec<String>> = HashMap::new();
        for held in self.records(&members, held)? {
            let name = format!("{}.{}", held.text("app"), held.text("codename"));
            permissions.entry(held.int("group")).or_default().push(name);
        }
        let group = |record: &Record| Group {
            name: record.text("name").to_owned(),
            permissions: permissions.remove(&record.int("id")).unwrap_or_default(),
        };
        Ok(groups.iter().map(group).collect())
    }

    /// See [`super::source::Source::people`].
    ///
    /// # Errors
    /// The database's.
    pub fn people(&mut self, after: i64) -> anyhow::Result<Vec<Person>> {
        let columns: Vec<_> = USER.into_iter().filter(|column| self.has(&self.users, column)).collect();
        let members: Vec<_> = columns.into_iter().map(|column| (column, quoted(column))).collect();
        let rest = format!("{} WHERE id > {after} ORDER BY id LIMIT {BATCH}", quoted(&self.users));
        let records = self.records(&members, &rest)?;
        let Some(last) = records.last().and_then(|record| record.int("id")) else { return Ok(Vec::new()) };

        let mut groups = match self.join("groups", "group_id") {
            Some((table, user)) => {
                let members = [("user", format!("m.{user}")), ("name", "g.name".into())];
                let rest = format!(
                    "{table} m JOIN {GROUP} g ON g.id = m.group_id \
                     WHERE m.{user} > {after} AND m.{user} <= {last} ORDER BY g.id"
                );
                by_user(self.records(&members, &rest)?, "name")
            }
            None => HashMap::new(),
        };
        let mut permissions = match self.join("user_permissions", "permission_id") {
            Some((table, user)) => {
                let members = [("user", user.clone()), ("name", "'one'".into())];
                by_user(
                    self.records(&members, &format!("{table} WHERE {user} > {after} AND {user} <= {last}"))?,
                    "name",
                )
            }
            None => HashMap::new(),
        };
        let mut verified = if self.tables.contains_key(EMAIL) {
            let members = [("user", "user_id".into()), ("email", "email".into())];
            let rest = format!("{EMAIL} WHERE verified AND user_id > {after} AND user_id <= {last} ORDER BY id");
            by_user(self.records(&members, &rest)?, "email")
        } else {
            HashMap::new()
        };
        let person = |record: Record| {
            let id = record.int("id").unwrap_or_default();
            Person {
                groups: groups.remove(&id).unwrap_or_default(),
                own_permissions: permissions.remove(&id).unwrap_or_default().len(),
                verified: verified.remove(&id).unwrap_or_default(),
                record,
            }
        };
        Ok(records.into_iter().map(person).collect())
    }

    /// See [`super::source::Source::tokens`].
    ///
    /// # Errors
    /// The database's.
    pub fn tokens(&mut self, after: i64) -> anyhow::Result<Vec<Minted>> {
        if !self.tables.contains_key(OUTSTANDING) || !self.tables.contains_key(BLACKLISTED) {
            return Ok(Vec::new());
        }
        let members = [
            ("id", "o.id".into()),
            ("jti", "o.jti".into()),
            ("user", "o.user_id".into()),
            ("token", "o.token".into()),
            ("created_at", "o.created_at".into()),
            ("expires_at", "o.expires_at".into()),
            ("place", "b.id".into()),
            ("blacklisted_at", "b.blacklisted_at".into()),
        ];
        let rest = format!(
            "{OUTSTANDING} o LEFT JOIN {BLACKLISTED} b ON b.token_id = o.id \
             WHERE o.id > {after} ORDER BY o.id LIMIT {BATCH}"
        );
        let minted = |record: Record| Minted {
            id: record.int("id").unwrap_or_default(),
            jti: record.text("jti").to_owned(),
            user: record.int("user"),
            claims: claims_of(record.text("token")),
            created: record.time("created_at"),
            expires: record.time("expires_at"),
            blacklisted: record.int("place").map(|_| record.time("blacklisted_at")),
        };
        Ok(self.records(&members, &rest)?.into_iter().map(minted).collect())
    }
}

/// What the rows say under `name`, user by user.
fn by_user(records: Vec<Record>, name: &str) -> HashMap<i64, Vec<String>> {
    let mut found: HashMap<i64, Vec<String>> = HashMap::new();
    for record in records {
        if let Some(user) = record.int("user") {
            found.entry(user).or_default().push(record.text(name).to_owned());
        }
    }
    found
}

/// The table of the users: the one that is named or, of those that look like it, the only one.
fn user_table(tables: &Tables, named: Option<UserModel>) -> anyhow::Result<String> {
    let looks = |columns: &Vec<String>| {
        let columns: BTreeSet<&str> = columns.iter().map(String::as_str).collect();
        ["id", "password", "last_login"].iter().all(|column| columns.contains(column))
    };
    if let Some(named) = named {
        let table = match named {
            UserModel::Table(table) => table,
            UserModel::Model(model) => model.replacen('.', "_", 1).to_lowercase(),
        };
        let columns = tables.get(&table).with_context(|| format!("there is no table {table}"))?;
        ensure!(looks(columns), "{table} is no table of users: it lacks id, password or last_login");
        return Ok(table);
    }
    let mut found = tables.iter().filter(|(_, columns)| looks(columns)).map(|(name, _)| name.as_str());
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only.to_owned()),
        (Some(one), Some(two)) => {
            let all: Vec<&str> = [one, two].into_iter().chain(found).collect();
            bail!("several tables could be that of the users: say which by --user-table: {}", all.join(", "))
        }
        (None, _) => bail!("no table of it looks like Django's users: say which it is by --user-table"),
    }
}
