//! The API's description of itself: OpenAPI 3.1, made from the route table.
//!
//! Paths, methods, permissions and bodies come from the views; what a method is for and what it answers stands in
//! `answers`, and the records of those answers in `records`. A test fails for a method that is not told there, and every
//! answer of the suite is held against the document.

mod answers;
mod bodies;
mod document;
mod examples;
mod others;
mod records;
mod refusals;

use std::cell::OnceCell;
use std::rc::Rc;

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpRequest};

use crate::error::{Error, Result};
use crate::rest::answer::Answer;
use crate::rest::json;
use crate::rest::routes::{List, Routes};
use crate::settings::Settings;
use crate::site::Site;

/// The list of views, and the document once somebody has asked for it.
pub struct Description {
    list: List,
    json: OnceCell<Bytes>,
}

impl Description {
    /// Of these views. Nothing is made yet.
    pub fn of(list: List) -> Self {
        Self { list, json: OnceCell::new() }
    }

    /// The document as JSON.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn json(&self, settings: &Settings) -> Result<Bytes> {
        if let Some(made) = self.json.get() {
            return Ok(made.clone());
        }
        let made = Bytes::from(json::to_vec(&document::of(&self.list.borrow(), settings))?);
        Ok(self.json.get_or_init(|| made).clone())
    }
}

/// The document that a server with these settings answers, with what `more` adds to its routes.
///
/// # Errors
/// If it cannot be written.
pub fn print(settings: &Settings, more: impl Fn(&mut Routes)) -> Result<Bytes> {
    let list = List::default();
    // The application is never served: mounting alone fills the list.
    let _ = App::new().configure(|app| super::mount(app, &settings.social, &more, &list));
    Description::of(list).json(settings)
}

/// GET `/api/schema/`.
///
/// # Errors
/// None of its own.
pub async fn schema(site: Data<Site>, request: HttpRequest) -> Result<Answer> {
    let description = request.app_data::<Rc<Description>>();
    let description = description.ok_or_else(|| Error::internal("the API was mounted without its description"))?;
    Ok(Answer::written(StatusCode::OK, description.json(&site.settings)?))
}
