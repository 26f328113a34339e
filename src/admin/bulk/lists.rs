//! The lists whose rows things are done to, and the rows that a filter lets through.

use std::sync::Arc;
use std::time::Duration;

use crate::admin::bulk::act::{Act, Chosen};
use crate::admin::changelist::Asked;
use crate::admin::form::Filled;
use crate::admin::when::Now;
use crate::admin::{api_keys, content, mail, roles, sessions, throttling, tokens, users};
use crate::db::Conn;
use crate::db::keyset::{Keyset, Kind, Place, SortColumn, Value};
use crate::error::Result;
use crate::language::Said;
use crate::model::session_list::Moment;
use crate::site::Site;

/// The most rows that are ticked: as many as a page shows.
const MOST_TICKED: usize = 200;

/// A list whose rows things are done to.
pub struct List {
    /// What forms name it by.
    pub name: &'static str,
    /// Its address.
    pub path: &'static str,
    title: &'static str,
    key: Kind,
    act: Find,
    matching: Option<Narrow>,
}

type Find = fn(&str, Option<Chosen>) -> Option<Arc<dyn Act>>;
type Narrow = fn(&mut Conn, &[(String, String)], &Facts) -> Result<Matching>;

/// What narrowing a list needs to know beside its address.
#[derive(Clone)]
pub struct Facts {
    /// The moment that filters are about, where the viewer is.
    pub now: Now,
    /// The same, as sessions are looked at.
    pub at: Moment,
    /// The signing keys there are.
    pub kids: Vec<String>,
    /// The users who are locked out.
    pub locked: Vec<i64>,
    /// The rates of one's own.
    pub scopes: Vec<String>,
    idle: Duration,
}

impl Facts {
    /// As things stand at `now`.
    ///
    /// # Errors
    /// The database's.
    pub async fn of(site: &Site, now: Now) -> Result<Self> {
        let idle = site.settings.admin.session_idle;
        Ok(Self {
            now,
            at: Moment { now: now.at, idle_since: now.at - idle },
            kids: tokens::kids(site),
            locked: users::locked(site).await?,
            scopes: throttling::own_scopes(&site.settings.throttle),
            idle,
        })
    }

    /// The same at another moment: what a job means by "today" is the day on which it was begun.
    pub fn as_of(&self, now: Now) -> Self {
        Self { now, at: Moment { now: now.at, idle_since: now.at - self.idle }, ..self.clone() }
    }
}

static LISTS: [List; 10] = [
    List {
        name: "users",
        path: "/admin/users/",
        title: key!("Users"),
        key: Kind::Number,
        act: users::bulk::act,
        matching: Some(users::bulk::matching),
    },
    List {
        name: "roles",
        path: "/admin/roles/",
        title: key!("Roles"),
        key: Kind::Number,
        act: roles::bulk::act,
        matching: None,
    },
    List {
        name: "tokens",
        path: "/admin/tokens/",
        title: key!("Outstanding"),
        key: Kind::Number,
        act: tokens::bulk::act_on_outstanding,
        matching: Some(tokens::bulk::outstanding),
    },
    List {
        name: "blacklist",
        path: "/admin/blacklist/",
        title: key!("Blacklisted"),
        key: Kind::Number,
        act: tokens::bulk::act_on_blacklisted,
        matching: Some(tokens::bulk::blacklisted),
    },
    List {
        name: "sessions",
        path: "/admin/sessions/",
        title: key!("Sessions"),
        key: Kind::Text,
        act: sessions::bulk::act,
        matching: Some(sessions::bulk::matching),
    },
    List {
        name: "articles",
        path: "/admin/articles/",
        title: key!("Articles"),
        key: Kind::Number,
        act: content::bulk::act_on_articles,
        matching: Some(content::bulk::matching_articles),
    },
    List {
        name: "tasks",
        path: "/admin/tasks/",
        title: key!("Tasks"),
        key: Kind::Number,
        act: content::bulk::act_on_tasks,
        matching: Some(content::bulk::matching_tasks),
    },
    List {
        name: "api-keys",
        path: "/admin/api-keys/",
        title: key!("API keys"),
        key: Kind::Number,
        act: api_keys::bulk::act,
        matching: Some(api_keys::bulk::matching),
    },
    List {
        name: "mail",
        path: "/admin/mail/",
        title: key!("E-mail log"),
        key: Kind::Number,
        act: mail::bulk::act,
        matching: Some(mail::bulk::matching),
    },
    List {
        name: "throttling",
        path: "/admin/throttling/",
        title: key!("Throttling"),
        key: Kind::Number,
        act: throttling::bulk::act,
        matching: Some(throttling::bulk::matching),
    },
];

impl List {
    /// The list of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        LISTS.iter().find(|list| list.name == name)
    }

    /// Its name among the crumbs.
    pub fn title(&self) -> String {
        Said::of(self.title).to_string()
    }

    /// The act of this name, with what was chosen for it.
    pub fn act(&self, name: &str, chosen: Option<Chosen>) -> Option<Arc<dyn Act>> {
        (self.act)(name, chosen)
    }

    /// What a form calls the key of a row.
    pub fn field(&self) -> &'static str {
        if self.key == Kind::Number { "id" } else { "key" }
    }

    /// The rows ticked in a form, each once.
    pub fn ticked(&self, sent: &Filled) -> Vec<Value> {
        let key = |text: &str| match self.key {
            Kind::Number => text.parse().ok().map(Value::Number),
            _ => Some(Value::from(text)),
        };
        let mut keys: Vec<Value> = sent.values(self.field()).filter_map(key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.truncate(MOST_TICKED);
        keys
    }

    /// A key as a form and a job have it.
    pub fn written(key: &Value) -> String {
        match key {
            Value::Number(id) => id.to_string(),
            Value::Text(text) => text.clone(),
            _ => String::new(),
        }
    }

    /// A key as a job has it, read back.
    pub fn read(&self, text: &str) -> Option<Value> {
        match self.key {
            _ if text.is_empty() => None,
            Kind::Number => text.parse().ok().map(Value::Number),
            _ => Some(Value::from(text)),
        }
    }

    /// The rows that search and filters of this query let through; `None` for a list that is never longer than its page.
    ///
    /// # Errors
    /// The database's.
    pub fn matching(&self, conn: &mut Conn, query: &str, facts: &Facts) -> Result<Option<Matching>> {
        let pairs = crate::rest::payload::pairs(query.as_bytes());
        self.matching.map(|narrow| narrow(conn, &pairs, facts)).transpose()
    }
}

type Count = dyn Fn(&mut Conn) -> Result<i64> + Send + Sync;
type Load = dyn Fn(&mut Conn, &Keyset) -> Result<Vec<Value>> + Send + Sync;

/// The rows that a filter lets through, in the order of their keys: the order in which nothing moves while they change.
pub struct Matching {
    /// The filter in words.
    pub words: String,
    key: SortColumn,
    count: Box<Count>,
    load: Box<Load>,
}

/// What a list is told of the number of rows that it goes through, of which there may be any: it is gone through once, from one
/// end to the other, each row judged.
pub const MANY: i64 = i64::MAX;

impl Matching {
    /// The rows that a list is narrowed to. `key` is any of its sort columns, `load` returns the keys of a page.
    pub fn new(
        asked: &Asked,
        key: SortColumn,
        count: impl Fn(&mut Conn) -> Result<i64> + Send + Sync + 'static,
        load: impl Fn(&mut Conn, &Keyset) -> Result<Vec<Value>> + Send + Sync + 'static,
    ) -> Self {
        Self { words: asked.in_words(), key, count: Box::new(count), load: Box::new(load) }
    }

    /// How many there are.
    ///
    /// # Errors
    /// The database's.
    pub fn count(&self, conn: &mut Conn) -> Result<usize> {
        Ok((self.count)(conn)?.try_into().unwrap_or(usize::MAX))
    }

    /// The keys of those after this one, at most so many.
    ///
    /// # Errors
    /// The database's.
    pub fn keys(&self, conn: &mut Conn, after: Option<Value>, most: usize) -> Result<Vec<Value>> {
        let from = after.map(|id| Place { value: id.clone(), id });
        self.page(conn, Keyset { by: self.key.id(), descending: false, from, backwards: false, rows: most })
    }

    /// The last of them.
    ///
    /// # Errors
    /// The database's.
    pub fn last(&self, conn: &mut Conn) -> Result<Option<Value>> {
        let last = Keyset { by: self.key.id(), descending: true, from: None, backwards: false, rows: 1 };
        Ok(self.page(conn, last)?.pop())
    }

    fn page(&self, conn: &mut Conn, keyset: Keyset) -> Result<Vec<Value>> {
        (self.load)(conn, &keyset)
    }
}
