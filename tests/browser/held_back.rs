//! What goes out and who is let in: the e-mail log, invitations, throttling, and what needs attention put away.

use crate::process::Home;
use crate::support::{Browser, ROOT_PASSWORD, journey, with_root};

#[tokio::test]
async fn an_administrator_looks_after_letters_and_holds_an_address_back() {
    journey("held-back", home, walk).await;
}

/// One whose mail server is away.
fn home() -> Home {
    let leads = |page: &str| format!("https://app.example/{page}?token={{token}}");
    let settings = [
        ("BACKEND", "smtp".to_owned()),
        ("SMTP_HOST", "127.0.0.1".to_owned()),
        ("SMTP_PORT", "1".to_owned()),
        ("SMTP_TLS", "none".to_owned()),
        ("VERIFY_URL", leads("verify")),
        ("RESET_URL", leads("reset")),
        ("INVITATION_URL", leads("join")),
    ];
    settings.into_iter().fold(with_root(), |home, (name, value)| home.with(&format!("PORTCULLIS_MAIL__{name}"), &value))
}

async fn walk(browser: &Browser) {
    let ann = browser.register("ann").await;
    browser.sign_in("root", ROOT_PASSWORD).await.sees("Needs attention").await;

    browser.go("E-mail log").await.sees("ann@example.org").await.look("letters").await;
    browser.follow("Send a test message").await.look("test").await;
    browser.fill("Address", "it@example.org").await.press("Send test message").await;
    browser.sees("A test message to it@example.org is on its way.").await.look("letter").await;
    browser.go("E-mail log").await.choose("Kind", "Verification").await.press("Apply").await;
    browser.sees("Kind: Verification").await.follow("ann@example.org").await;
    browser.sees("Links are cut").await.sees("could not be spoken to").await.look("verification").await;
    browser.press("Send again").await.sees("is on its way again").await;

    browser.invite("bob@example.org");
    browser.go("Users").await.follow("Invitations").await.sees("bob@example.org").await.look("invitations").await;
    browser.toggle("Actions for bob@example.org").await.press("Take back").await.sees("was taken back").await;

    for _ in 0..11 {
        browser.status("/api/rate-limited/", &ann.access).await;
    }
    browser.visit("/admin/throttling/203.0.113.9/").await.sees("Nothing:").await.look("address").await;
    browser.press("Hold back for 24 h").await.sees("203.0.113.9 is held back for 24 hours").await;
    browser.visit("/admin/throttling/2001:db8::7/").await.press("Never hold back").await.look("network").await;
    browser.go("Throttling").await.sees("sample").await.sees("203.0.113.9").await.look("throttling").await;
    browser.row("ann").toggle("Actions for ann, sample").await.look("throttling-menu").await;
    browser.press("Clear").await.sees("What stood against ann is cleared").await;
    browser.choose("State", "Over").await.press("Apply").await.sees("No entry matches").await;

    browser.go("Sign-ins").await.sees("Signed in").await.look("sign-ins").await;
    browser.visit("/admin/").await.sees("Needs attention").await.look("attention").await;
}
