//! The password again, before what matters most.

use crate::support::{Browser, ROOT_PASSWORD, journey, with_root};

#[tokio::test]
async fn an_administrator_shows_the_password_again_and_goes_on() {
    journey("again", with_root, walk).await;
}

async fn walk(browser: &Browser) {
    browser.sign_in("root", ROOT_PASSWORD).await.visit("/admin/again/?next=/admin/roles/").await;
    browser.sees("Your password again").await.look("asked").await;
    browser.fill("Password", "wrong horse 9").await.press("Go on").await;
    browser.sees("This is not your password.").await.look("refused").await;
    browser.fill("Password", ROOT_PASSWORD).await.press("Go on").await.sees("Roles").await;
}
