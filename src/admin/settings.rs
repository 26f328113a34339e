//! The settings in force: what each is, where it came from, and which of them are dangerous. Nothing is changed here.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::layout::{Frame, html};
use crate::admin::staff::{Settings as Area, Staff, View};
use crate::language::filters;
use crate::rest::payload::pairs;
use crate::settings::{Origin, shown};
use crate::site::Site;

struct Row {
    key: String,
    value: String,
    is_secret: bool,
    origin: Origin,
}

impl Row {
    /// Where it came from, in the viewer's language.
    fn origin(&self) -> String {
        match &self.origin {
            Origin::Default => say!("default"),
            Origin::File(path) => path.display().to_string(),
            Origin::Environment(variable) => say!("environment {variable}", variable),
            Origin::SecretFile(variable, path) => {
                say!("file {path} named by {variable}", path = path.display(), variable)
            }
            Origin::Flag => say!("flag"),
        }
    }
}

#[derive(Template)]
#[template(path = "admin/settings.html")]
struct Page {
    frame: Frame,
    warnings: Vec<&'static str>,
    rows: Vec<Row>,
    q: String,
    total: usize,
    text: String,
}

/// The page of the settings, narrowed to those whose key or value holds `q`.
pub async fn page(
    site: web::Data<Site>,
    staff: Staff<View<Area>>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let asked = pairs(request.query_string().as_bytes());
    let q = asked.iter().rfind(|(name, _)| name == "q").map_or("", |(_, value)| value.trim()).to_owned();
    let all: Vec<Row> = shown(&site.settings, &site.origins)
        .into_iter()
        .map(|one| Row {
            // A secret is there or it is not.
            is_secret: one.value == "***",
            value: if one.value == "***" { "set".to_owned() } else { one.value },
            origin: one.origin,
            key: one.key,
        })
        .collect();
    let (total, wanted) = (all.len(), q.to_lowercase());
    let rows: Vec<Row> =
        all.into_iter().filter(|row| row.key.contains(&wanted) || row.value.to_lowercase().contains(&wanted)).collect();
    // The text is for whoever is asked for help: it is in English.
    let line = |row: &Row| format!("{} = {}  # {}", row.key, row.value, row.origin);
    let page = Page {
        frame: staff.frame(&[(&say!("Settings"), "")]),
        warnings: site.settings.dangers(),
        text: rows.iter().map(line).collect::<Vec<_>>().join("\n"),
        rows,
        q,
        total,
    };
    html(StatusCode::OK, &page)
}
