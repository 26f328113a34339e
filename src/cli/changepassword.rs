//! `portcullis changepassword`: another password, and every session ended.

use crate::settings::Settings;

use super::{ask_password, on_site, user};

pub fn run(settings: Settings, username: String) -> anyhow::Result<()> {
    let password = ask_password(&format!("New password of {username}"))?;
    on_site(settings, |site| async move { user::set_password(&site, &username, password).await })
}
