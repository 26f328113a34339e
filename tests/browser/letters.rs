//! What a letter's link opens: an address is verified, a password set, an account made.

use std::time::Duration;

use crate::process::{Home, eventually};
use crate::support::{Browser, PASSWORD, journey, without_limits};

#[tokio::test]
async fn letters_lead_to_pages_that_verify_an_address_set_a_password_and_make_an_account() {
    journey("letters", home, walk).await;
}

fn home() -> Home {
    without_limits().with("PORTCULLIS_MAIL__FROM", "Auth <auth@example.org>")
}

/// The link of the newest letter that leads to this page, as the server has printed it.
async fn link(browser: &Browser, page: &'static str) -> String {
    let (browser, start) = (browser.clone(), format!("{}/{page}/", browser.server().origin()));
    let find = move || {
        eventually("the printed letter", Duration::from_secs(30), || {
            let words = browser.server().words();
            words.lines().rfind(|line| line.starts_with(&start)).map(ToOwned::to_owned)
        })
    };
    tokio::task::spawn_blocking(find).await.unwrap()
}

async fn walk(browser: &Browser) {
    let ann = browser.register("ann").await;
    let verify = link(browser, "verify").await;
    browser.visit(&verify).await.sees("Press the button to say that ann@example.org is yours.").await;
    browser.look("verify").await.press("Verify this address").await;
    browser.sees("Your address is verified").await.look("verified").await;
    browser.visit(&verify).await.sees("This link is no longer good").await.look("used").await;

    browser.ask("/api/password/reset/", "ann@example.org").await;
    browser.visit(&link(browser, "reset").await).await.sees("For the account ann").await.look("reset").await;
    browser.fill("Password", "12345678").await.fill("Password again", "12345678").await.press("Set password").await;
    browser.sees("This password is entirely numeric.").await.look("refused").await;
    browser.fill("Password", PASSWORD).await.fill("Password again", PASSWORD).await.press("Set password").await;
    browser.sees("You have a new password").await.look("set").await;
    assert_eq!(browser.status("/api/hello/", &ann.access).await, 401);

    browser.invite("bob@example.org");
    browser.visit(&link(browser, "invitation").await).await.look("invitation").await;
    browser.fill("Username", "bob").await.fill("Password", PASSWORD).await.fill("Password again", PASSWORD).await;
    browser.press("Make account").await.sees("You are bob at").await.look("made").await;
}
