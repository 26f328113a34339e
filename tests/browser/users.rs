//! The administrator's everyday: find somebody, see and change what they may do, sign them out.

use crate::support::{Browser, ROOT_PASSWORD, journey, with_root};

#[tokio::test]
async fn an_administrator_finds_a_user_changes_her_and_signs_her_out_everywhere() {
    journey("users", with_root, walk).await;
}

async fn walk(browser: &Browser) {
    let ann = browser.register("ann").await;
    browser.register("bob").await;

    browser.visit("/admin/").await.look("sign-in").await;
    browser.sign_in("root", "not the password 1").await;
    browser.sees("There is a problem").await.look("sign-in-refused").await;
    browser.sign_in("root", ROOT_PASSWORD).await.sees("Needs attention").await.look("dashboard").await;
    browser.go("Users").await.sees("bob").await.look("list").await;
    browser.fill("Search", "nobody of that name").await.press("Apply").await.sees("Clear").await.look("empty").await;
    browser.fill("Search", "ann").await.press("Apply").await.sees("ann@example.org").await.misses("bob@").await;

    browser.choose("Status", "Inactive").await.press("Apply").await.misses("ann@").await;
    browser.choose("Status", "Active").await.press("Apply").await.sees("ann@example.org").await;

    browser.follow("ann").await.look("profile").await;
    browser.tick("Premium", true).await.fill("First name", "Ann").await.press("Save and keep editing").await;
    assert!(browser.ticked("Premium").await, "the page forgot what it saved");
    assert_eq!(browser.status("/api/premium/", &ann.access).await, 200);

    browser.fill("Username", "not a name!").await.press("Save changes").await;
    browser.sees("There is a problem").await.look("profile-refused").await;
    browser.follow("Cancel").await;
    browser.fill("Search", "ann").await.press("Apply").await.follow("ann").await;

    browser.follow("Sign out everywhere").await.look("confirm").await;
    browser.press("Sign out everywhere").await.sees("signed out").await.look("signed-out").await;
    assert_eq!(browser.status("/api/hello/", &ann.access).await, 401);

    browser
        .toggle("Switch to dark theme")
        .await
        .toggle("Switch to light theme")
        .await
        .shows("Switch to dark theme")
        .await;
    browser.toggle("Your account, root").await.press("Sign out").await.sees("Sign in to Portcullis").await;
    browser.visit("/admin/users/").await.sees("Sign in to Portcullis").await;
}
