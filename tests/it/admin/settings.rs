//! The settings in force, as the panel shows them: every one, no secret, the dangerous ones on top.

use portcullis::settings::MailBackend;

use crate::support::panel::Panel;

#[actix_web::test]
async fn every_setting_is_shown_and_no_secret() {
    let secret = "a signing key that nobody must ever see";
    let panel = Panel::with(|settings| {
        settings.mail.backend = MailBackend::Console;
        settings.jwt.signing_key = Some(secret.into());
        settings.jwt.access_token_lifetime = std::time::Duration::from_secs(7200);
    })
    .await;
    panel.staff("nothing", &["users.view"]).await;
    let root = panel.signed_in("root").await;
    let page = root.get("/admin/settings/").await.is(200);
    let url = panel.app.site.settings.database.url.as_ref().unwrap().expose().to_owned();
    assert!(!page.text.contains(secret) && !page.text.contains(&url));
    let page = page.says("jwt.signing_key set").says("mail.smtp_password not set").says("jwt.access_token_lifetime 2h");
    page.says("Look at these Warning jwt.access_token_lifetime is over an hour");
    panel.signed_in("nothing").await.get("/admin/settings/").await.is(403);
}

#[actix_web::test]
async fn settings_are_narrowed_by_a_part_of_name_or_value() {
    let panel = Panel::with(|settings| settings.mail.backend = MailBackend::Console).await;
    let root = panel.signed_in("root").await;
    root.get("/admin/settings/?q=SMTP").await.says("mail.smtp_host").is_silent_on("jwt.leeway");
    root.get("/admin/settings/?q=HS256").await.says("jwt.algorithm").is_silent_on("mail.smtp_host");
    root.get("/admin/settings/?q=nothing+like+it").await.says("No setting matches “nothing like it”");
}
