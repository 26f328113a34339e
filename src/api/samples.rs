//! The sample views of the tutorial: each shows one permission at work.

use actix_web::HttpRequest;
use actix_web::web::Data;
use serde_json::{Map, json};

use crate::error::Result;
use crate::rest::answer::Answer;
use crate::rest::caller::{Caller, Visitor};
use crate::rest::link;
use crate::rest::permission::{AllowAny, IsAdminUser, IsAuthenticated, IsPremiumUser};
use crate::rest::resource::Resource as _;
use crate::rest::version::Version;
use crate::site::Site;

use super::articles::Article;
use super::tasks::Task;

/// Staff who are signed in, as DRF would list it.
pub type Admins = (IsAuthenticated, IsAdminUser);
/// Premium users who are signed in.
pub type Premium = (IsAuthenticated, IsPremiumUser);

/// GET `/api/hello/`.
///
/// # Errors
/// None of its own.
pub async fn hello(caller: Caller) -> Result<Answer> {
    Answer::ok(&json!({ "message": format!("Hello, {}", caller.state.username) }))
}

/// GET `/api/protected/`.
///
/// # Errors
/// None of its own.
pub async fn protected(_: Caller) -> Result<Answer> {
    Answer::ok(&json!({ "message": "This is a protected view." }))
}

/// GET `/api/admin-only/`.
///
/// # Errors
/// None of its own.
pub async fn admin_only(_: Caller<Admins>) -> Result<Answer> {
    Answer::ok(&json!({ "message": "Admin access granted" }))
}

/// GET `/api/premium/`.
///
/// # Errors
/// None of its own.
pub async fn premium(_: Caller<Premium>) -> Result<Answer> {
    Answer::ok(&json!({ "message": "Premium access granted" }))
}

/// GET `/api/read-only/`.
///
/// # Errors
/// None of its own.
pub async fn read_only(_: Caller) -> Result<Answer> {
    Answer::ok(&json!({ "data": "Read-only data" }))
}

/// GET `/api/rate-limited/`.
///
/// # Errors
/// None of its own.
pub async fn rate_limited(_: Caller) -> Result<Answer> {
    Answer::ok(&json!({ "data": "Rate-limited data" }))
}

/// GET `/api/v1/data/`, `/api/v2/data/`: how two versions of one URL differ.
///
/// # Errors
/// None of its own.
pub async fn data(_: Caller, version: Version) -> Result<Answer> {
    let (version, format) = match version {
        Version::V1 => ("v1", "old format"),
        Version::V2 => ("v2", "new format"),
    };
    Answer::ok(&json!({ "version": version, "data": format }))
}

/// GET `/api/`: where the collections are.
///
/// # Errors
/// None of its own.
pub async fn root(_: Visitor<AllowAny>, _: Data<Site>, request: HttpRequest) -> Result<Answer> {
    let here = request.path().rsplit_once('/').map_or("", |(folder, _)| folder);
    let address = |name: &str| format!("{}{here}/{name}/", link::origin(&request)).into();
    let collections = [Article::NAME, Task::NAME].map(|name| (name.to_owned(), address(name)));
    Answer::ok(&Map::from_iter(collections))
}
