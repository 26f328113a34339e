//! Times in the panel: stored in UTC, shown in the viewer's zone, days counted there.

use std::time::Duration;

use chrono::DateTime;
use portcullis::clock::Timestamp;
use portcullis::model::content::{self, ArticleFields};
use portcullis::ops::rollup;

use crate::support::panel::{Browser, Panel};

fn moment(at: &str) -> Timestamp {
    Timestamp::from_seconds(DateTime::parse_from_rfc3339(at).unwrap().timestamp())
}

/// Lets time pass until `at`.
fn wait_until(panel: &Panel, at: &str) {
    panel.app.clock.advance(moment(at).since(panel.now()));
}

/// Articles that were made at these moments, called by them.
async fn articles(panel: &Panel, moments: &[&'static str]) {
    for at in moments.iter().copied() {
        let new = ArticleFields { title: at.to_owned(), body: String::new(), author_id: 1 };
        panel.write(move |conn| content::insert_article(conn, &new, moment(at)).unwrap()).await;
    }
}

async fn choose(browser: &Browser<'_>, zone: &str) {
    browser.submit("/admin/me/preferences/", &[("time_zone", zone)]).await.leads_to("/admin/me/preferences/");
}

#[actix_web::test]
async fn times_are_shown_in_the_viewers_zone_and_the_footer_says_which() {
    let panel = Panel::new().await;
    panel.staff("ann", &["articles.view"]).await;
    articles(&panel, &["2026-01-01T11:30:00Z"]).await;
    let (root, ann) = (panel.signed_in("root").await, panel.signed_in("ann").await);
    let page = root.get("/admin/articles/").await.says("Times are in UTC").says("today, 11:30");
    assert!(page.text.contains(r#"<time datetime="2026-01-01T11:30:00Z" title="1 Jan 2026, 11:30:00 UTC">"#));
    choose(&ann, "asia/kolkata").await;
    ann.get("/admin/me/preferences/").await.says("Times are shown in Asia/Kolkata");
    let page = ann.get("/admin/articles/").await.says("Times are in Asia/Kolkata (UTC+5:30)").says("today, 17:00");
    let shown = r#"<time datetime="2026-01-01T17:00:00+05:30" title="1 Jan 2026, 17:00:00 UTC+5:30">"#;
    assert!(page.text.contains(shown), "{}", page.text);
    // Another's choice is nothing to root; back to none is back to the server's.
    root.get("/admin/articles/").await.says("Times are in UTC");
    choose(&ann, "").await;
    ann.get("/admin/articles/").await.says("Times are in UTC").says("today, 11:30");
    // Pages of errors have the footer, too.
    choose(&ann, "Europe/Oslo").await;
    ann.get("/admin/tasks/").await.is(403).says("Times are in Europe/Oslo (UTC+1)");
}

#[actix_web::test]
async fn whoever_chose_none_has_the_servers_zone() {
    let panel = Panel::with(|settings| settings.admin.time_zone = Some("America/New_York".parse().unwrap())).await;
    articles(&panel, &["2026-01-01T11:30:00Z"]).await;
    let root = panel.signed_in("root").await;
    root.get("/admin/articles/").await.says("Times are in America/New_York (UTC-5)").says("today, 06:30");
    root.get("/admin/me/preferences/").await.says("Without one it is the server's, America/New_York.");
    choose(&root, "UTC").await;
    root.get("/admin/articles/").await.says("Times are in UTC");
}

#[actix_web::test]
async fn a_zone_is_written_to_the_account_once_and_a_wrong_one_not_at_all() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    let path = "/admin/me/preferences/";
    let wrong = [("time_zone", "Oslo"), ("theme", "dark")];
    let page = root.submit(path, &wrong).await.is(422);
    let page = page.says("Time zone: “Oslo” is not a time zone; choose one such as Europe/Oslo");
    assert!(page.text.contains("<title>Error: ") && page.text.contains(r#"value="Oslo""#), "{}", page.text);
    assert!(!root.get(path).await.text.contains("data-theme"), "nothing of it is kept");
    let long = format!("Europe/{}", "O".repeat(10_000));
    root.submit(path, &[("time_zone", &long)]).await.is(422);
    assert_eq!(panel.entries("user.preferences").await, 0);
    for zone in ["Europe/Oslo", "europe/oslo", "Europe/Oslo"] {
        choose(&root, zone).await;
    }
    assert_eq!(panel.entries("user.preferences").await, 1);
    let row = panel.row(1).await.unwrap();
    assert_eq!(row.time_zone.as_deref(), Some("Europe/Oslo"));
}

#[actix_web::test]
async fn the_zone_is_a_field_of_the_user_and_clashes_like_any() {
    let panel = Panel::new().await;
    let ann = panel.staff("ann", &[]).await;
    let root = panel.signed_in("root").await;
    let path = format!("/admin/users/{ann}/");
    let fields = |zone| {
        [
            ("username", "ann"),
            ("email", "ann@example.org"),
            ("is_active", "on"),
            ("is_staff", "on"),
            ("time_zone", zone),
        ]
    };
    root.submit(&path, &fields("Lagos")).await.is(422).says("choose one such as Africa/Lagos");
    let version = root.get(&path).await.hidden("version");
    root.submit(&path, &fields("Africa/Lagos")).await.leads_to("/admin/users/");
    assert_eq!(panel.row(ann).await.unwrap().time_zone.as_deref(), Some("Africa/Lagos"));
    let browser = panel.signed_in("ann").await;
    browser.get("/admin/me/").await.says("Times are in Africa/Lagos (UTC+1)");

    // Who opened the form before the owner chose is shown both.
    choose(&browser, "Asia/Tokyo").await;
    let late = [&fields("UTC")[..], &[("version", &version)]].concat();
    let page = root.send("/admin/users/", &path, &late).await.is(409);
    page.says("Time zone").says("Asia/Tokyo").says("UTC");
    assert_eq!(panel.row(ann).await.unwrap().time_zone.as_deref(), Some("Asia/Tokyo"));

    let new = [("username", "eve"), ("is_active", "on"), ("time_zone", "pacific/auckland")];
    let password = crate::support::panel::PASSWORD;
    let new = [&new[..], &[("password", password), ("password2", password)]].concat();
    root.submit("/admin/users/new/", &new).await.is(303);
    let made = panel.app.read(|conn| portcullis::model::user::by_username(conn, "eve")).await.unwrap();
    assert_eq!(made.time_zone.as_deref(), Some("Pacific/Auckland"));
}

/// In Oslo 29 March has 23 hours and 25 October 25: seven days before, as lists count them, began where the calendar says.
#[actix_web::test]
async fn filters_of_days_are_right_across_clock_changes() {
    let panel = Panel::with(|settings| settings.admin.session_lifetime = Duration::from_secs(400 * 86_400)).await;
    articles(
        &panel,
        &[
            "2026-03-22T22:59:59Z",
            "2026-03-22T23:00:00Z",
            "2026-03-29T01:00:00Z",
            "2026-10-18T21:59:59Z",
            "2026-10-18T22:00:00Z",
            "2026-10-25T01:30:00Z",
        ],
    )
    .await;
    wait_until(&panel, "2026-03-30T12:00:00Z");
    let root = panel.signed_in("root").await;
    choose(&root, "Europe/Oslo").await;
    let list = "/admin/articles/?created=7d";
    let page = root.get(list).await.is_silent_on("2026-03-22T22:59:59Z").says("2026-03-22T23:00:00Z");
    page.says("2026-03-29T01:00:00Z").says("yesterday, 03:00").says("(UTC+2)");
    let csv = root.get("/admin/articles/export.csv?created=7d").await.is(200).text;
    assert!(csv.contains("2026-03-22T23:00:00Z") && !csv.contains("2026-03-22T22:59:59Z"), "{csv}");
    assert!(!csv.contains("+02:00"), "files tell UTC: {csv}");

    wait_until(&panel, "2026-10-26T12:00:00Z");
    let root = panel.signed_in("root").await;
    let page = root.get(list).await.is_silent_on("2026-10-18T21:59:59Z").says("2026-10-18T22:00:00Z");
    let page = page.says("yesterday, 02:30").says("(UTC+1)");
    assert!(page.text.contains(r#"datetime="2026-10-25T02:30:00+01:00""#), "{}", page.text);
    // The same list, counted in UTC, begins two hours later.
    choose(&root, "UTC").await;
    root.get(list).await.is_silent_on("2026-10-18T22:00:00Z").says("2026-10-25T01:30:00Z");
}

/// Half an hour before midnight of UTC it is the next day in Oslo.
#[actix_web::test]
async fn what_is_overdue_is_so_by_the_viewers_day() {
    let panel = Panel::new().await;
    wait_until(&panel, "2026-07-01T22:30:00Z");
    let root = panel.signed_in("root").await;
    let task = [("title", "Oil the hinges"), ("due_date", "2026-07-01"), ("owner", "root")];
    root.submit("/admin/tasks/new/", &task).await.is(303);
    root.get("/admin/tasks/").await.says("Oil the hinges was added");
    root.get("/admin/tasks/?due=overdue").await.is_silent_on("Oil the hinges");
    choose(&root, "Europe/Oslo").await;
    root.get("/admin/tasks/?due=overdue").await.says("Oil the hinges root Overdue");
}

#[actix_web::test]
async fn the_charts_of_the_dashboard_are_labelled_by_the_viewers_clock() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    rollup::write(&panel.app.site).await.unwrap();
    root.get("/admin/").await.says("Most sign-ins came in at 12:00").says("As of 12:00");
    choose(&root, "Asia/Kolkata").await;
    root.get("/admin/").await.says("Most sign-ins came in at 17:30").says("As of 17:30");
    root.get("/admin/?period=30d").await.says("Most sign-ins came in at 1 Jan");
    // A day of UTC is mostly the same day in New York, though it begins on the evening before.
    choose(&root, "America/New_York").await;
    root.get("/admin/?period=7d").await.says("Most sign-ins came in at 1 Jan, 07:00");
    root.get("/admin/?period=30d").await.says("Most sign-ins came in at 1 Jan");
}

#[actix_web::test]
async fn a_zone_that_this_version_does_not_know_breaks_no_page() {
    let panel = Panel::new().await;
    let ann = panel.staff("ann", &["users.view"]).await;
    panel.change(ann, |changes| changes.time_zone = Some(Some("Mars/Olympus".to_owned()))).await;
    let browser = panel.signed_in("ann").await;
    browser.get("/admin/users/").await.is(200).says("Times are in UTC");
}
