//! What belongs to a user, counted: for the pages that say what goes with an account.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::{api_keys, articles, outstanding_tokens, sessions, social_accounts, tasks, users};
use crate::error::Result;

/// How much belongs to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Belongings {
    /// Articles written.
    pub articles: i64,
    /// Tasks.
    pub tasks: i64,
    /// Links to providers of social sign-in.
    pub links: i64,
    /// API keys.
    pub api_keys: i64,
    /// Refresh and sliding tokens that could still be exchanged, if their session lives.
    pub live_tokens: i64,
}

/// What belongs to this user.
pub fn of(conn: &mut Conn, user: i64, now: Timestamp) -> Result<Belongings> {
    let tokens = outstanding_tokens::table
        .inner_join(sessions::table)
        .inner_join(users::table)
        .filter(outstanding_tokens::user_id.eq(user))
        .filter(outstanding_tokens::expires_at.gt(now))
        .filter(outstanding_tokens::refreshed_at.is_null())
        .filter(sessions::ended_at.is_null())
        .filter(sessions::generation.ge(users::generation));
    Ok(Belongings {
        articles: articles::table.filter(articles::author_id.eq(user)).count().get_result(conn)?,
        tasks: tasks::table.filter(tasks::user_id.eq(user)).count().get_result(conn)?,
        links: social_accounts::table.filter(social_accounts::user_id.eq(user)).count().get_result(conn)?,
        api_keys: api_keys::table.filter(api_keys::user_id.eq(user)).count().get_result(conn)?,
        live_tokens: tokens.count().get_result(conn)?,
    })
}

impl Belongings {
    /// "3 articles and 1 task"; "3 articles, 1 task and 1 social sign-in" of those who have one.
    pub fn in_words(&self) -> String {
        let articles = said!(count = self.articles => "{count} article" | "{count} articles");
        let tasks = said!(count = self.tasks => "{count} task" | "{count} tasks");
        let links = said!(count = self.links => "{count} social sign-in" | "{count} social sign-ins");
        match self.links {
            0 => say!("{articles} and {tasks}", articles, tasks),
            _ => say!("{articles}, {tasks} and {links}", articles, tasks, links),
        }
    }
}
