//! The first minutes of a new server: the link in its log, one form, and in.

use crate::support::{Browser, ROOT_PASSWORD, journey, without_limits};

#[tokio::test]
async fn a_newcomer_becomes_the_administrator_by_the_link_in_the_log() {
    journey("setup", without_limits, walk).await;
}

async fn walk(browser: &Browser) {
    let link = browser.server().setup_link();

    browser.visit("/admin/").await.sees("This server has no administrator yet").await.look("nobody-yet").await;
    browser.visit(&link).await.look("form").await;
    browser.fill("Username", "mira").await.fill("E-mail", "mira@example.org").await;
    browser.fill("Password", "12345678").await.fill("Password again", "12345678").await;
    browser.press("Make administrator").await;
    browser.sees("There is a problem").await.look("refused").await;
    browser.fill("Password", ROOT_PASSWORD).await.fill("Password again", ROOT_PASSWORD).await;
    browser.fill("Name of this server", "Harbour").await.fill("Time zone", "Oslo").await;
    browser.press("Make administrator").await;
    browser.sees("“Oslo” is not a time zone").await.look("refused-zone").await;
    browser.fill("Password", ROOT_PASSWORD).await.fill("Password again", ROOT_PASSWORD).await;
    browser.fill("Time zone", "Europe/Oslo").await.press("Make administrator").await;
    browser.sees("Getting started").await.sees("Times are in Europe/Oslo").await.look("dashboard").await;
    browser.group("Getting started").press("Backups are made").await;
    browser.sees("1 of 6 done").await;

    browser.go("Users").await.follow("Add user").await.look("add-user").await;
    browser.tick("A service", true).await.look("add-service").await;
    browser.fill("Username", "nightly").await.press("Add user").await;
    browser.sees("nightly was added").await.look("service").await;
    browser.go("Users").await.follow("Add user").await;
    browser.tick("A person, by invitation", true).await.look("add-invitation").await;
    browser.fill("E-mail", "ann@example.org").await.press("Add user").await;
    browser.sees("ann@example.org is invited").await;
    browser.go("Roles").await.sees("Reads everything, changes nothing").await.look("roles").await;
    browser.go("Dashboard").await.press("Put away").await.sees("was put away").await;

    browser.toggle("Your account, mira").await.sees("Sign out").await.look("arrived").await;
    browser.press("Sign out").await;
    browser.visit(&link).await;
    assert!(!browser.offers("Make administrator").await, "the link works a second time");
    browser.look("link-is-dead").await;
    browser.sign_in("mira", ROOT_PASSWORD).await.toggle("Your account, mira").await;
}
