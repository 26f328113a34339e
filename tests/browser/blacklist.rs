//! Blacklisted tokens: a session that an administrator ends, and a token that was found where it should not be.

use crate::support::{Browser, ROOT_PASSWORD, journey, with_root};

#[tokio::test]
async fn what_an_administrator_revokes_is_refused_at_once_and_listed() {
    journey("blacklist", with_root, walk).await;
}

async fn walk(browser: &Browser) {
    let ann = browser.register("ann").await;
    let bob = browser.register("bob").await;
    browser.sign_in("root", ROOT_PASSWORD).await;
    browser.go("Blacklisted").await.look("empty").await;

    browser.go("Users").await.follow("ann").await.group("ann").follow("Sessions").await;
    browser.sees("Firefox on Linux").await.look("sessions").await;
    browser.press("Sign out Firefox on Linux").await.sees("No device is signed in").await.look("no-session").await;
    assert_eq!(browser.status("/api/hello/", &ann.access).await, 401);

    browser.go("Blacklisted").await.follow("Revoke a token…").await.look("revoke").await;
    browser.fill("Token", "nothing that we know").await.press("Revoke token").await;
    browser.sees("There is a problem").await.look("revoke-refused").await;
    browser.fill("Token", &bob.refresh).await.press("Revoke token").await.sees("Blacklisted tokens").await;
    assert_eq!(browser.status("/api/hello/", &bob.access).await, 401);

    browser.row("ann").sees("root").await;
    browser.row("bob").sees("root").await;
    browser.look("list").await;
    browser.toggle("Your account, root").await.press("Sign out").await.sees("Sign in to Portcullis").await;
}
