//! The panel in the language that nobody speaks, whose sentences are two fifths longer, and in one that is written from right
//! to left: nothing is wider than the window. Without script, at the widths of a desk and of a telephone.

use std::sync::LazyLock;

use tempfile::TempDir;

use crate::pseudo::{self, said};
use crate::support::{Browser, PASSES, ROOT_PASSWORD, passes, with_root};

static LANGUAGES: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = TempDir::new().unwrap();
    for tag in ["en-XA", "ar"] {
        pseudo::write(folder.path(), tag);
    }
    folder
});

const PAGES: [&str; 24] = [
    "",
    "users/",
    "users/new/",
    "users/2/",
    "users/2/sessions/",
    "users/2/tokens/",
    "users/2/history/",
    "users/2/delete/",
    "roles/",
    "roles/1/",
    "roles/new/",
    "sessions/",
    "tokens/",
    "blacklist/",
    "api-keys/new/",
    "articles/",
    "tasks/new/",
    "audit/",
    "sign-ins/",
    "mail/",
    "throttling/",
    "signing-keys/",
    "settings/",
    "search/?q=nobody",
];

#[tokio::test]
async fn sentences_may_be_longer_and_lines_begin_at_the_right() {
    let home = || with_root().with("PORTCULLIS_ADMIN__LANGUAGES", LANGUAGES.path().to_str().unwrap());
    passes(&PASSES[2..], "language", home, walk).await;
}

async fn walk(browser: &Browser) {
    browser.register("ann").await;
    browser.sign_in("root", ROOT_PASSWORD).await.visit("/admin/me/preferences/").await;
    browser.choose("Language", &pseudo::name("en-XA")).await.press("Save changes").await;
    browser.sees(&said("Your preferences are kept.")).await;
    for page in PAGES {
        browser.visit(&format!("/admin/{page}")).await.look(&name("longer", page)).await;
    }
    browser.visit("/admin/me/preferences/").await;
    browser.choose(said("Language").trim(), &pseudo::name("ar")).await.press(said("Save changes").trim()).await;
    for page in PAGES.into_iter().step_by(3) {
        browser.visit(&format!("/admin/{page}")).await.look(&name("from-the-right", page)).await;
    }
}

fn name(kind: &str, page: &str) -> String {
    let page: String = page.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("{kind}-{}", page.trim_matches('-'))
}
