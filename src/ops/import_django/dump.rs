//! What `manage.py dumpdata` writes as JSON, or as a line of JSON for each object; keys may be natural ones.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::clock::Timestamp;

use super::people::HIGHEST_ID;
use super::record::Record;
use super::source::{BATCH, Group, Minted, Person, UserModel, claims_of};

/// An object of the dump.
#[derive(Deserialize)]
struct Object {
    model: String,
    #[serde(default)]
    pk: Value,
    fields: Map<String, Value>,
}

/// The objects of interest, model by model; the model in lower case, as Django writes it.
#[derive(Default)]
struct Objects(BTreeMap<String, Vec<Record>>);

/// Beside the users, whose model has any name.
const MODELS: [&str; 6] = [
    "auth.group",
    "auth.permission",
    "contenttypes.contenttype",
    "account.emailaddress",
    "token_blacklist.outstandingtoken",
    "token_blacklist.blacklistedtoken",
];

impl Objects {
    fn keep(&mut self, object: Object) {
        let Object { model, pk, mut fields } = object;
        let model = model.to_lowercase();
        let is_user = fields.contains_key("password") && fields.contains_key("last_login");
        if is_user || MODELS.contains(&model.as_str()) {
            fields.insert("id".to_owned(), pk);
            self.0.entry(model).or_default().push(Record(fields));
        }
    }

    fn of(&self, model: &str) -> &[Record] {
        self.0.get(model).map_or(&[], Vec::as_slice)
    }
}

/// Reads the list object by object: most of a dump is of no interest, and need not be in memory.
impl<'de> Deserialize<'de> for Objects {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Objects;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of objects with model, pk and fields")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Objects, A::Error> {
                let mut objects = Objects::default();
                while let Some(object) = list.next_element()? {
                    objects.keep(object);
                }
                Ok(objects)
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// A dump, read.
pub struct Dump {
    objects: Objects,
    /// The model of the users.
    users: String,
    name_field: &'static str,
    /// The users by their ids.
    people: BTreeMap<i64, Person>,
    /// The tokens by the ids of their rows.
    minted: BTreeMap<i64, Minted>,
}

impl Dump {
    /// Reads the file.
    ///
    /// # Errors
    /// What of it cannot be read; or which models could be that of the users.
    pub fn read(path: &Path, users: Option<UserModel>) -> anyhow::Result<Self> {
        let open = || File::open(path).map(BufReader::new);
        let first = open()?.bytes().find(|byte| byte.as_ref().map_or(true, |byte| !byte.is_ascii_whitespace()));
        let mut objects = match first {
            Some(Ok(b'[')) => serde_json::from_reader(open()?)?,
            _ => {
                let mut objects = Objects::default();
                for object in serde_json::Deserializer::from_reader(open()?).into_iter() {
                    objects.keep(object?);
                }
                objects
            }
        };
        let users = user_model(&objects, users)?;
        let people = objects.0.remove(&users).unwrap_or_default();
        let name_field = if people.iter().any(|record| record.has("username")) { "username" } else { "email" };
        let mut dump = Self { objects, users, name_field, people: BTreeMap::new(), minted: BTreeMap::new() };
        dump.take_people(people)?;
        dump.take_tokens();
        Ok(dump)
    }

    /// The field by which users sign in.
    pub fn name_field(&self) -> &'static str {
        self.name_field
    }

    /// See [`super::source::Source::highest_user`].
    pub fn highest_user(&self) -> i64 {
        let named = self.minted.values().filter_map(|minted| minted.claims.as_ref()?.user("user_id").id());
        self.people.keys().copied().chain(named).filter(|id| *id <= HIGHEST_ID).max().unwrap_or(0)
    }

    /// See [`super::source::Source::is_user_model`].
    pub fn is_user_model(&self, app: &str, model: &str) -> bool {
        self.users == format!("{app}.{model}")
    }

    /// All groups.
    pub fn groups(&self) -> Vec<Group> {
        let apps = self.by_id("contenttypes.contenttype", |record| record.text("app_label").to_owned());
        // A natural key begins with the app.
        let app = |value: &Value| match value {
            Value::Array(key) => key.first().and_then(Value::as_str).map(str::to_owned),
            id => apps.get(&id.as_i64()?).cloned(),
        };
        let permissions = self.by_id("auth.permission", |record| {
            app(record.value("content_type")).map(|app| format!("{app}.{}", record.text("codename")))
        });
        // A natural key is codename, app, model. A number that nothing explains stays one: the report names it.
        let named = |value: &Value| match value.as_array().map(Vec::as_slice) {
            Some([Value::String(codename), Value::String(app), ..]) => format!("{app}.{codename}"),
            _ => {
                let known = value.as_i64().and_then(|id| permissions.get(&id).cloned().flatten());
                known.unwrap_or_else(|| value.to_string())
            }
        };
        let group = |record: &Record| Group {
            name: record.text("name").to_owned(),
            permissions: list(record.value("permissions")).iter().map(named).collect(),
        };
        self.objects.of("auth.group").iter().map(group).collect()
    }

    /// See [`super::source::Source::people`].
    pub fn people(&self, after: i64) -> Vec<Person> {
        self.people.range(after.saturating_add(1)..).take(BATCH).map(|(_, person)| person.clone()).collect()
    }

    /// See [`super::source::Source::tokens`].
    pub fn tokens(&self, after: i64) -> Vec<Minted> {
        self.minted.range(after.saturating_add(1)..).take(BATCH).map(|(_, minted)| minted.clone()).collect()
    }

    /// What each object of a model says, by its id.
    fn by_id<T>(&self, model: &str, what: impl Fn(&Record) -> T) -> HashMap<i64, T> {
        self.objects.of(model).iter().filter_map(|record| Some((record.int("id")?, what(record)))).collect()
    }

    fn take_people(&mut self, records: Vec<Record>) -> anyhow::Result<()> {
        let groups = self.by_id("auth.group", |record| record.text("name").to_owned());
        let group = |value: &Value| match value {
            Value::Array(key) => key.first().and_then(Value::as_str).map(str::to_owned),
            id => groups.get(&id.as_i64()?).cloned(),
        };
        for record in records {
            let id = record.int("id").context(
                "its users have no whole numbers for ids, which users here have (dumped with --natural-primary they have none)",
            )?;
            let person = Person {
                groups: list(record.value("groups")).iter().filter_map(group).collect(),
                own_permissions: list(record.value("user_permissions")).len(),
                verified: Vec::new(),
                record,
            };
            self.people.insert(id, person);
        }
        let names = self.names();
        for address in self.objects.of("account.emailaddress").iter().filter(|record| record.flag("verified")) {
            let owner = user_id(address.value("user"), &names);
            if let Some(person) = owner.and_then(|id| self.people.get_mut(&id)) {
                person.verified.push(address.text("email").to_owned());
            }
        }
        Ok(())
    }

    fn take_tokens(&mut self) {
        // A blacklisted token has no natural key: it names the other row by its id.
        let ended: HashMap<Option<i64>, Option<Timestamp>> = self
            .objects
            .of("token_blacklist.blacklistedtoken")
            .iter()
            .map(|record| (record.int("token"), record.time("blacklisted_at")))
            .collect();
        let names = self.names();
        let minted = |record: &Record| {
            let id = record.int("id")?;
            let minted = Minted {
                id,
                jti: record.text("jti").to_owned(),
                user: user_id(record.value("user"), &names),
                claims: claims_of(record.text("token")),
                created: record.time("created_at"),
                expires: record.time("expires_at"),
                blacklisted: ended.get(&Some(id)).copied(),
            };
            Some((id, minted))
        };
        self.minted = self.objects.of("token_blacklist.outstandingtoken").iter().filter_map(minted).collect();
    }

    /// The ids of the users by the names that natural keys have for them.
    fn names(&self) -> HashMap<String, i64> {
        self.people.iter().map(|(id, person)| (person.record.text(self.name_field).to_owned(), *id)).collect()
    }
}

/// The user that a foreign key means: an id, or the natural key.
fn user_id(value: &Value, names: &HashMap<String, i64>) -> Option<i64> {
    match value {
        Value::Array(key) => names.get(key.first()?.as_str()?).copied(),
        id => id.as_i64(),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The model of the users: the one that is named or, of those that look like it, the only one.
fn user_model(objects: &Objects, named: Option<UserModel>) -> anyhow::Result<String> {
    let looks = |record: &Record| record.has("password") && record.has("last_login");
    match named {
        Some(UserModel::Table(_)) => bail!("a dump has no tables: say --user-model APP.MODEL"),
        Some(UserModel::Model(model)) => {
            let known = objects.of(&model.to_lowercase()).iter().any(looks);
            ensure!(known, "there are no users of the model {model}");
            Ok(model.to_lowercase())
        }
        None => {
            let models = objects.0.iter().filter(|(_, records)| records.iter().any(looks));
            let found: Vec<&str> = models.map(|(model, _)| model.as_str()).collect();
            match found.as_slice() {
                [only] => Ok((*only).to_owned()),
                [] => bail!("it holds no users"),
                _ => {
                    bail!("several models could be that of the users: say which by --user-model: {}", found.join(", "))
                }
            }
        }
    }
}
