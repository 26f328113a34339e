//! The page before something is done that ends, removes or touches many: it says what will happen, and asks.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::form::Filled;
use crate::admin::layout::{Frame, html};
use crate::language::{Said, filters};
use crate::rest::fields::{Fields, Input};

/// What is asked.
#[derive(Default)]
pub struct Confirmation {
    /// "Delete amara.okafor?"
    pub heading: String,
    /// What it means, in a sentence or two.
    pub words: String,
    /// The milder act, offered first; `<milder>` in it leads there.
    pub milder: Option<Said>,
    /// Whether it takes something away for good.
    pub dangerous: bool,
    /// The title of the card with what goes with it, a key.
    pub card: &'static str,
    /// What goes with it.
    pub effects: Vec<Effect>,
    /// The first names of many, each with what is special about it.
    pub names: Vec<(String, String)>,
    /// How many more there are.
    pub names_more: usize,
    /// Where the answer is sent.
    pub action: String,
    /// What the answer carries.
    pub carried: Vec<(&'static str, String)>,
    /// What must be chosen with it.
    pub choice: Option<Choice>,
    /// What must be typed, where a button alone is too light.
    pub typed: Option<String>,
    /// The act, on its button; empty if there is nothing to do.
    pub act: String,
    /// The safe way out: its button and address.
    pub way_out: (String, String),
    /// The title of the card with facts, a key.
    pub facts_title: &'static str,
    /// What it is about: names, which are keys, and values.
    pub facts: Vec<(&'static str, String)>,
}

/// One row of what goes with it.
pub struct Effect {
    /// What, a key.
    pub what: &'static str,
    /// How many.
    pub how_many: String,
    /// What happens to them, a key.
    pub happens: &'static str,
    /// Whether they are lost.
    pub is_loss: bool,
}

/// Something to choose with the answer.
#[derive(Clone)]
pub struct Choice {
    /// Its field.
    pub name: &'static str,
    /// Its label, a key.
    pub label: &'static str,
    /// Values and names.
    pub options: Vec<(String, String)>,
}

/// The answer: what was typed.
pub struct Confirmed {
    /// What was typed, trimmed.
    pub confirm: String,
}

impl Input for Confirmed {
    fn read(f: &mut Fields) -> Self {
        Self { confirm: f.text("confirm").blank().value() }
    }
}

#[derive(Template)]
#[template(path = "admin/confirm.html")]
struct Page {
    frame: Frame,
    form: Filled,
    ask: Confirmation,
}

impl Confirmation {
    /// The page that asks.
    ///
    /// # Errors
    /// 500 if it cannot be rendered.
    pub fn page(self, frame: Frame) -> Result<HttpResponse, PageError> {
        html(StatusCode::OK, &Page { frame, form: Filled::default(), ask: self })
    }

    /// The page again, with the complaints that a form came back with.
    ///
    /// # Errors
    /// 500 if it cannot be rendered.
    pub fn shown_again(self, frame: Frame, form: Filled) -> Result<HttpResponse, PageError> {
        html(StatusCode::UNPROCESSABLE_ENTITY, &Page { frame: frame.without_flash(), form, ask: self })
    }

    /// Whether what was typed is what was asked for. Case counts.
    pub fn is_met(&self, confirm: &str) -> bool {
        self.typed.as_deref().is_none_or(|word| word.trim() == confirm.trim())
    }

    /// The page again, since what was typed was something else.
    ///
    /// # Errors
    /// 500 if it cannot be rendered.
    pub fn refused(self, frame: Frame, sent: Filled) -> Result<HttpResponse, PageError> {
        let words = say!("Type {word} exactly as it stands.", word = self.typed.as_deref().unwrap_or_default());
        let form = sent.refused_for("confirm", words);
        self.shown_again(frame, form)
    }
}
