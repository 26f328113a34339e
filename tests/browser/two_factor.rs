//! A second factor: set up with an app, asked for at the next sign-in, recovered without the app, switched off.

use portcullis::clock::Clock;

use crate::authenticator::Authenticator;
use crate::support::{Browser, ROOT_PASSWORD, journey, with_root};

#[tokio::test]
async fn an_administrator_sets_up_two_factor_sign_in_and_comes_back_with_a_code() {
    journey("two-factor", with_root, walk).await;
}

async fn walk(browser: &Browser) {
    browser.sign_in("root", ROOT_PASSWORD).await.toggle("Your account, root").await;
    browser.follow("Two-factor sign-in").await.sees("It is off").await.look("off").await;
    browser.press("Set it up").await.sees("Show this to your app").await.look("set-up").await;
    let app = Authenticator::new(&browser.code_block().await);
    browser.fill("Code", "000000").await.fill("Your password", ROOT_PASSWORD).await.press("Switch on").await;
    browser.sees("There is a problem").await.look("refused").await;
    browser.fill("Code", &app.code(Clock::system().now())).await.fill("Your password", ROOT_PASSWORD).await;
    browser.press("Switch on").await.sees("Your recovery codes").await.look("recovery-codes").await;
    let codes = browser.code_block().await;
    let recovery: Vec<&str> = codes.split_whitespace().collect();
    assert_eq!(recovery.len(), 10);
    browser.follow("I have kept them").await.sees("10 recovery codes").await.misses(recovery[0]).await.look("on").await;

    browser.toggle("Your account, root").await.press("Sign out").await;
    browser.sign_in("root", ROOT_PASSWORD).await.sees("Your code").await.look("code").await;
    browser.visit("/admin/users/").await.sees("Sign in to Portcullis").await;
    browser.sign_in("root", ROOT_PASSWORD).await.fill("Code", "000000").await.press("Sign in").await;
    browser.sees("There is a problem").await.look("code-refused").await;
    browser.fill("Code", recovery[0]).await.press("Sign in").await.sees("root").await;

    browser.visit("/admin/me/two-factor/").await.sees("9 recovery codes").await;
    browser.fill("Code", recovery[1]).await.fill("Your password", ROOT_PASSWORD).await;
    browser.press("Make new recovery codes").await.sees("Your recovery codes").await;
    let new = browser.code_block().await;
    browser.follow("I have kept them").await;
    let code = new.split_whitespace().next().unwrap();
    browser.fill("Code", code).await.fill("Your password", ROOT_PASSWORD).await.press("Switch off").await;
    browser.sees("Two-factor sign-in is off.").await.sees("It is off").await;
}
