//! What an administrator does with many rows, and takes back: ticked, all that match, by a job; and a key that leaked.

use crate::support::{Browser, ROOT_PASSWORD, journey, with_root};

#[tokio::test]
async fn an_administrator_acts_on_many_rows_takes_it_back_and_follows_a_job() {
    journey("acts", with_root, walk).await;
}

async fn walk(browser: &Browser) {
    browser.crowd("crowd", 1001);
    browser.api_key("root");
    browser.sign_in("root", ROOT_PASSWORD).await.sees("Needs attention").await;

    browser.go("Users").await.fill("Search", "crowd").await.press("Apply").await.sees("1,001 of 1,002").await;
    browser.tick("Select crowd1000", true).await.tick("Select crowd0999", true).await;
    browser.choose("With selected", "Deactivate").await.press("Continue").await.sees("Deactivate 2 users?").await;
    browser.look("bulk").await.fill("Reason", "by mistake").await.press("Deactivate").await;
    browser.sees("2 users were deactivated.").await.look("undo-offered").await;
    browser.press("Undo").await.sees("Undone: 2 users are as before.").await.look("undone").await;

    if browser.runs_scripts() && browser.is_wide() {
        browser.tick("Select every user on this page", true).await;
    }
    browser.tick("All 1,001 matching", true).await.look("all-matching").await;
    browser.choose("With selected", "Sign out everywhere").await.press("Continue").await;
    browser.sees("all that match: search for “crowd”").await.look("all-asked").await;
    browser.fill("Type", "1001").await.press("Sign out everywhere").await.sees("rows reached").await;
    browser.sees("1,001 of 1,001 rows reached").await.look("job-done").await;

    browser.stuck_job();
    browser.visit("/admin/jobs/2/?refresh=off").await.sees("Running").await.look("job-running").await;
    browser.press("Stop").await.sees("The job was stopped.").await.look("job-stopped").await;

    browser.go("API keys").await.sees("With selected").await.look("api-keys").await;
    browser.go("Signing keys").await.press("Rotate now").await.sees("signs from now on").await.look("keys").await;
    browser.toggle("Actions for").await.look("keys-menu").await;
    browser.follow("Condemn…").await.sees("For a key that others may know").await.look("condemn").await;
}
