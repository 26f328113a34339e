//! What happened: the audit log with an entry of it, the attempts to sign in, and both as tabs of a user.

use crate::support::{Browser, ROOT_PASSWORD, journey, with_root};

#[tokio::test]
async fn an_administrator_reads_who_did_what_and_who_signed_in() {
    journey("activity", with_root, walk).await;
}

async fn walk(browser: &Browser) {
    browser.register("ann").await;
    browser.visit("/admin/").await.sign_in("ann", "not the password 1").await.sees("There is a problem").await;
    browser.sign_in("root", ROOT_PASSWORD).await;

    browser.go("Users").await.follow("ann").await;
    browser.tick("Premium", true).await.fill("First name", "Ann").await.press("Save and keep editing").await;
    browser.follow("Sign out everywhere").await.look("reason").await;
    browser.fill("Reason", "She lost her laptop.").await.press("Sign out everywhere").await.sees("signed out").await;

    browser.go("Audit log").await.sees("Signed out everywhere").await.look("log").await;
    browser.choose("On what", "Roles").await.press("Apply").await.sees("Clear").await.look("log-empty").await;
    browser.visit("/admin/audit/8/").await.sees("She lost her laptop.").await.look("entry").await;
    browser.follow("Older").await.sees("User changed: ann").await.sees("premium").await.look("change").await;

    browser.go("Sign-ins").await.sees("Signed in").await.look("sign-ins").await;
    browser.choose("Outcome", "Signed in").await.press("Apply").await.sees("Outcome: Signed in").await;

    browser.visit("/admin/users/2/history/").await.sees("Signed out everywhere").await.look("history").await;
    browser.group("ann").follow("Sign-ins").await.look("user-sign-ins").await;
    browser.toggle("Your account, root").await.press("Sign out").await.sees("Sign in to Portcullis").await;
}
