//! Roles: made, given, felt by who holds them, taken, deleted.

use crate::support::{Browser, PASSWORD, ROOT_PASSWORD, journey, with_root};

#[tokio::test]
async fn a_role_is_made_given_felt_taken_and_deleted() {
    journey("roles", with_root, walk).await;
}

async fn walk(browser: &Browser) {
    browser.register("ann").await;
    browser.sign_in("root", ROOT_PASSWORD).await;

    browser.go("Roles").await.look("list").await;
    browser.follow("Add role").await.look("new").await;
    browser.press("Save role").await.sees("There is a problem").await.look("new-refused").await;
    browser.fill("Name", "Helpdesk").await.fill("Description", "Helps people who cannot sign in").await;
    browser.tick("View users", true).await.press("Save role").await.sees("Helpdesk").await;
    browser.go("Roles").await.follow("Helpdesk").await;
    assert!(browser.ticked("View users").await, "the page forgot what it saved");
    browser.tick("View sessions", true).await.look("edit").await;
    browser.press("Save role").await.sees("Helpdesk").await;

    browser.go("Users").await.follow("ann").await.tick("Staff", true).await;
    browser.group("Roles of ann").tick("Helpdesk", true).await;
    browser.press("Save changes").await.row("ann@example.org").sees("Helpdesk").await.look("given").await;
    sign_out(browser, "root").await;

    browser.sign_in("ann", PASSWORD).await.go("Users").await.sees("root").await.look("as-ann").await;
    assert!(!browser.offers("Add user").await, "a button that she may not use is drawn");
    browser.visit("/admin/roles/").await.look("forbidden").await;
    assert!(!browser.offers("Add role").await);
    sign_out(browser, "ann").await;

    browser.sign_in("root", ROOT_PASSWORD).await.go("Users").await.follow("ann").await;
    browser.group("Roles of ann").tick("Helpdesk", false).await;
    browser.press("Save changes").await.sees("ann was saved").await.row("ann@example.org").misses("Helpdesk").await;
    browser.go("Roles").await.follow("Helpdesk").await.follow("Delete…").await.look("confirm").await;
    browser.press("Delete role").await.sees("Add role").await;
    assert!(!browser.row("Helps people who cannot").offers("Helpdesk").await, "the role is still there");
}

async fn sign_out(browser: &Browser, name: &str) {
    browser.toggle(&format!("Your account, {name}")).await.press("Sign out").await.sees("Sign in to Portcullis").await;
}
