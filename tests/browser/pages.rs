//! An administrator's questions: is this token good, who holds it, what is signed in; and the answers: revoke, sign out.

use crate::support::{Browser, ROOT_PASSWORD, journey, with_root};

#[tokio::test]
async fn an_administrator_inspects_a_token_revokes_it_and_ends_a_session() {
    journey("tokens", with_root, walk).await;
}

async fn walk(browser: &Browser) {
    let ann = browser.register("ann").await;
    let bob = browser.register("bob").await;
    browser.sign_in("root", ROOT_PASSWORD).await.sees("Needs attention").await;

    browser.go("Token inspector").await.look("inspector").await;
    browser.fill("Token", &ann.refresh).await.press("Inspect").await;
    browser.sees("Accepted").await.sees("Belongs to").await.look("inspector-accepted").await;
    browser.fill("Token", "eyJhbGciOiJub25lIn0.eyJ1c2VyX2lkIjoiMSJ9.eA").await.press("Inspect").await;
    browser.sees("Refused: algorithm not allowed").await.sees("Not verified").await.look("inspector-refused").await;

    browser.fill("Token", &ann.refresh).await.press("Inspect").await.follow("Revoke token…").await;
    browser.look("revoke").await.choose("What to revoke", "The whole session: Firefox on Linux").await;
    browser.press("Revoke token").await.sees("was revoked").await.look("token").await;
    assert_eq!(browser.status("/api/hello/", &ann.access).await, 401);
    browser.go("Token inspector").await.fill("Token", &ann.refresh).await.press("Inspect").await;
    browser.sees("Refused: revoked").await.look("inspector-revoked").await;

    browser.go("Outstanding").await.look("list").await;
    browser.choose("State", "Live").await.press("Apply").await;
    browser.row("bob").sees("Live").await;
    browser.fill("Search", "nobody").await.press("Apply").await.sees("Clear").await.look("list-empty").await;

    browser.go("Sessions").await.look("sessions").await;
    browser.row("bob").follow("Firefox on Linux").await;
    browser.sees("Timeline").await.look("session").await;
    browser.press("Sign out").await.sees("bob was signed out").await;
    assert_eq!(browser.status("/api/hello/", &bob.access).await, 401);
    browser.go("Blacklisted").await.look("blacklist").await;
}

#[tokio::test]
async fn an_administrator_looks_after_herself() {
    journey("me", with_root, own).await;
}

async fn own(browser: &Browser) {
    browser.register("ann").await;
    browser.sign_in("root", ROOT_PASSWORD).await.sees("Needs attention").await;
    browser.go("Settings").await.look("settings").await;
    browser.fill("Search", "smtp").await.press("Apply").await.sees("mail.smtp_host").await.misses("jwt.leeway").await;

    browser.fill("Find a user, token id or address", "ann\u{E007}").await;
    browser.sees("Search for “ann”").await.look("search").await.follow("ann").await;
    browser.group("ann").follow("Tokens").await;
    browser.sees("Newest tokens").await.look("user-tokens").await;
    browser.group("ann").follow("Content").await;
    browser.look("user-content").await;

    browser.toggle("Your account, root").await.follow("Your profile").await.look("me").await;
    browser.group("Your account").follow("Sessions").await;
    browser.sees("this device").await.look("me-sessions").await;
    browser.group("Your account").follow("Preferences").await;
    browser.look("me-preferences").await;
    browser.choose("Theme", "Dark").await.press("Save changes").await.sees("kept in this browser").await;
    browser.shows("Switch to light theme").await.choose("Theme", "As the system").await.press("Save changes").await;
    browser.group("Your account").follow("Password").await;
    browser.look("me-password").await;
    browser.fill("Your password", "not mine 4").await.fill("Password", "another gate 8").await;
    browser.fill("Password again", "another gate 8").await.press("Change password").await;
    browser.sees("This is not your password").await.look("me-password-refused").await;
}

#[tokio::test]
async fn an_administrator_keeps_content_and_keys() {
    journey("keys", with_root, keep).await;
}

async fn keep(browser: &Browser) {
    browser.register("ann").await;
    browser.sign_in("root", ROOT_PASSWORD).await.sees("Needs attention").await;
    browser.go("Articles").await.look("articles-empty").await;
    browser.follow("Add article").await.fill("Title", "On gates").await.fill("Text", "They close.").await;
    browser.fill("Author", "nobody").await.press("Save changes").await.sees("There is a problem").await;
    browser.look("article-refused").await.fill("Author", "ann").await.press("Save changes").await;
    browser.sees("was added").await.look("article").await.go("Articles").await.look("articles").await;
    browser.go("Tasks").await.follow("Add task").await.fill("Title", "Oil the hinges").await;
    browser.fill("Owner", "ann").await.press("Save changes").await.sees("was added").await.look("task").await;
    browser.go("Tasks").await.look("tasks").await;

    browser.go("API keys").await.look("keys-empty").await.follow("Create API key").await.look("key-new").await;
    browser.fill("Name", "nightly").await.fill("Owner", "ann").await.tick("tasks.view", true).await;
    browser.press("Create API key").await.sees("You will not see it again").await.look("key-shown").await;
    browser.follow("I have kept it").await.look("key").await.follow("Revoke key…").await.look("key-revoke").await;
    browser.follow("Keep the key").await.go("API keys").await.look("keys").await;

    browser.go("Signing keys").await.press("Rotate now").await.sees("signs from now on").await.look("ring").await;
    browser.toggle("Actions for").await.follow("Retire…").await.look("retire").await;
}
