//! R13: the example page, and the client beneath it: tabs of one browser that share a sign-in and see the same.

use std::time::Duration;

use serde_json::{Value, json};
use thirtyfour::WindowHandle;

use crate::process::Home;
use crate::support::{Browser, PASSWORD, journey, short_journey, without_limits};

#[tokio::test]
async fn two_tabs_share_a_sign_in_and_see_what_happens_to_tasks() {
    journey("demo", without_limits, walk).await;
}

async fn walk(browser: &Browser) {
    browser.visit("/demo/").await;
    if !browser.runs_scripts() {
        browser.sees("so it needs scripts, which are switched off here").await.look("no-script").await;
        return;
    }
    browser.shows("Make an account").await.look("door").await;
    let one = browser.tab().await;
    let two = browser.new_tab().await;
    browser.visit("/demo/").await.shows("Sign in").await;

    browser
        .turn_to(&one)
        .await
        .fill("Username", "ann")
        .await
        .fill("Password", "12345678")
        .await
        .toggle("Make an account")
        .await;
    browser.sees("This password is entirely numeric.").await.look("refused").await;
    browser
        .fill("Password", PASSWORD)
        .await
        .toggle("Make an account")
        .await
        .sees("Nothing to do.")
        .await
        .sees("Live")
        .await;
    browser.turn_to(&two).await.sees("Nothing to do.").await.sees("Live").await.look("empty").await;

    browser.turn_to(&one).await.fill("What is to be done", "Buy milk").await.toggle("Add").await.sees("Buy milk").await;
    browser.turn_to(&two).await.sees("Buy milk").await.tick("Buy milk", true).await;
    browser.turn_to(&one).await.sees_ticked("Buy milk", true).await;
    browser
        .fill("What is to be done", "Write to Ben, whom nobody has heard of for so long that it is unlikely")
        .await
        .toggle("Add")
        .await;
    browser.sees("Write to Ben").await.look("list").await.toggle("Delete Buy milk").await.loses("Buy milk").await;
    browser.turn_to(&two).await.loses("Buy milk").await.sees("Write to Ben").await;

    browser.toggle("Sign out").await.look("menu").await.toggle("Sign out here").await.shows("Sign in").await;
    browser.turn_to(&one).await.shows("Sign in").await.misses("Write to Ben").await;
    assert_eq!(browser.script("return localStorage.length").await, 0);

    browser.fill("Username", "ann").await.fill("Password", "wrong horse 9").await.toggle("Sign in").await;
    browser.sees("No active account found with the given credentials").await;
    browser.fill("Password", PASSWORD).await.toggle("Sign in").await.sees("Write to Ben").await;
    browser.turn_to(&two).await.sees("Write to Ben").await;
}

async fn enter(browser: &Browser) -> Vec<WindowHandle> {
    browser
        .visit("/demo/")
        .await
        .fill("Username", "ann")
        .await
        .fill("Password", PASSWORD)
        .await
        .toggle("Sign in")
        .await;
    browser.sees("Live").await;
    let one = browser.tab().await;
    let two = browser.new_tab().await;
    browser.visit("/demo/").await.sees("Live").await;
    vec![one, two]
}

fn short_lived() -> Home {
    without_limits().with("PORTCULLIS_JWT__ACCESS_TOKEN_LIFETIME", "8s")
}

/// Both tabs need a newer token at the same moment: one of them fetches it, and both sockets live on with it.
#[tokio::test]
async fn of_two_tabs_one_refreshes_and_both_sockets_live_on() {
    short_journey("refresh", short_lived, one_refresh).await;
}

/// A page that does not come by TLS has no locks.
#[tokio::test]
async fn of_two_tabs_one_refreshes_where_there_are_no_locks() {
    short_journey("lease", short_lived, async |browser| {
        browser.do_without("navigator.locks");
        one_refresh(browser).await;
        assert!(browser.script("return navigator.locks").await.is_null());
    })
    .await;
}

async fn one_refresh(browser: &Browser) {
    browser.register("ann").await;
    let tabs = enter(browser).await;
    let refreshed = browser.sees_logged("POST /api/token/refresh/ 200", 3, Duration::from_secs(60)).await;
    for pair in refreshed.windows(2) {
        let apart = (pair[1] - pair[0]).num_milliseconds();
        assert!(apart > 3000, "two tabs refreshed at once: {refreshed:?}");
    }
    browser.fill("What is to be done", "Buy milk").await.toggle("Add").await.sees("Buy milk").await;
    browser.turn_to(&tabs[0]).await.sees("Buy milk").await.sees("Live").await;
    let handshakes = browser.sees_logged("GET /ws/ 101", 2, Duration::from_secs(1)).await;
    assert_eq!(handshakes.len(), 2, "a socket was opened again");
}

/// A token that the server takes no more is exchanged, and the request is sent once more.
#[tokio::test]
async fn a_401_is_answered_by_a_refresh_and_one_more_try() {
    short_journey("retry", without_limits, retry).await;
}

async fn retry(browser: &Browser) {
    let ann = browser.register("ann").await;
    browser.make_task("Buy milk", &ann.access).await;
    enter(browser).await;
    let spoil = "const held = JSON.parse(localStorage.portcullis);
        held.access = held.access.replace(/.{8}$/, 'AAAAAAAA'); held.until = Date.now() + 1e6;
        localStorage.portcullis = JSON.stringify(held);";
    browser.script(spoil).await;
    browser.visit("/demo/").await.sees("Live").await.sees("Buy milk").await;
    browser.sees_logged("POST /api/token/refresh/ 200", 1, Duration::from_secs(1)).await;

    // A session that was ended elsewhere is over in all tabs, with what they show.
    let answer = browser.end_all_sessions("ann", PASSWORD).await;
    assert_eq!(answer, 205);
    browser.shows("Sign in").await.misses("Buy milk").await;
}

#[tokio::test]
async fn the_socket_comes_back_with_the_server_and_the_list_is_read_again() {
    short_journey("restart", without_limits, restart).await;
}

async fn restart(browser: &Browser) {
    let ann = browser.register("ann").await;
    browser.make_task("Buy milk", &ann.access).await;
    let tabs = enter(browser).await;
    browser.sees("Buy milk").await;
    let successor = browser.restart_server(async || _ = browser.loses("Live").await).await;
    browser.make_task("Write to Ben", &ann.access).await;
    for tab in &tabs {
        browser.turn_to(tab).await.sees("Live").await.sees("Write to Ben").await;
    }
    browser.make_task("Feed the cat", &ann.access).await;
    browser.sees("Feed the cat").await;
    drop(successor);
}

/// T18: no script can read what the browser keeps.
#[tokio::test]
async fn in_browser_mode_tabs_share_the_access_token_and_the_cookie_outlives_them() {
    let home = || without_limits().with("PORTCULLIS_JWT__REFRESH_COOKIE", "true");
    short_journey("cookie", home, cookie).await;
}

async fn cookie(browser: &Browser) {
    browser.register_in_browser_mode("ann").await;
    let tabs = enter(browser).await;
    browser.fill("What is to be done", "Buy milk").await.toggle("Add").await.sees("Buy milk").await;
    browser.turn_to(&tabs[0]).await.sees("Buy milk").await;
    assert_eq!(
        browser.script("return [localStorage.length, sessionStorage.length, document.cookie]").await,
        json!([0, 0, ""])
    );
    // No tab is left that could tell the others.
    for tab in &tabs {
        browser.turn_to(tab).await.visit("about:blank").await;
    }
    browser.visit("/demo/").await.sees("Buy milk").await.sees("Live").await;
    browser.toggle("Sign out").await.toggle("Sign out on all devices").await.shows("Sign in").await;
    browser.visit("/demo/").await.shows("Sign in").await.misses("Buy milk").await;
}

/// Nothing is kept but in the open tabs, which tell each other.
#[tokio::test]
async fn in_memory_alone_a_sign_in_lives_as_long_as_one_of_its_tabs() {
    short_journey("memory", without_limits, memory).await;
}

async fn memory(browser: &Browser) {
    const BEGIN: &str = "
        const { Portcullis } = await import('/static/portcullis.js');
        window.auth = new Portcullis({ mode: 'memory', name: 'ours' });
        await auth.ready;";
    let within = async |script: &str| browser.script(&format!("return (async () => {{ {script} }})()")).await;
    browser.register("ann").await;
    let one = browser.visit("/demo/").await.tab().await;
    let sign_in = format!(
        "{BEGIN} await auth.signIn({{ username: 'ann', password: '{PASSWORD}' }}); return auth.claims.username;"
    );
    assert_eq!(within(&sign_in).await, "ann");
    let two = browser.new_tab().await;
    browser.visit("/demo/").await;
    let greet = format!("{BEGIN} return auth.signedIn ? (await auth.json('/api/hello/')).message : null;");
    assert_eq!(within(&greet).await, "Hello, ann");
    assert_eq!(within("return localStorage.length").await, 0);

    // The first is reloaded, and is told by the second; then both are.
    browser.turn_to(&one).await.visit("/demo/").await;
    assert_eq!(within(&greet).await, "Hello, ann");
    browser.turn_to(&two).await;
    within("window.left = new Promise(resolve => auth.addEventListener('signout', () => resolve('left')))").await;
    browser.turn_to(&one).await;
    within("await auth.signOut()").await;
    browser.turn_to(&two).await;
    assert_eq!(within("return [await window.left, auth.signedIn]").await, json!(["left", false]));
    browser.visit("/demo/").await;
    assert_eq!(within(&greet).await, Value::Null);
}

/// The token is for its server: another one is never told it.
#[tokio::test]
async fn the_client_sends_the_token_nowhere_else() {
    short_journey("elsewhere", without_limits, async |browser| {
        browser.register("ann").await;
        enter(browser).await;
        let told = browser
            .script(
                "return (async () => {
                    const { Portcullis } = await import('/static/portcullis.js');
                    return new Portcullis().fetch('https://elsewhere.example/').catch(error => String(error));
                })()",
            )
            .await;
        assert_eq!(told, "TypeError: https://elsewhere.example is not told the token");
    })
    .await;
}
