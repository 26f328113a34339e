//! Two-factor sign-in of the staff: set up, asked for after the password, recovered, required, and reset by others.

use portcullis::settings::{Rate, Settings};

use crate::support::authenticator::Authenticator;
use crate::support::panel::{Answer, Browser, PASSWORD, Panel};

const ME: &str = "/admin/me/two-factor/";
const WRONG: &str = "This code is not right, or was used before. Wait for the next one.";

/// Sets it up in a browser that is signed in; returns the app and the recovery codes.
async fn set_up(panel: &Panel, browser: &Browser<'_>) -> (Authenticator, Vec<String>) {
    let page = browser.send(ME, &format!("{ME}start/"), &[]).await.is(200);
    let secret = code_blocks(&page).remove(0);
    let authenticator = Authenticator::new(&secret);
    let code = authenticator.code(panel.now());
    let page = browser.send(ME, &format!("{ME}confirm/"), &proof(&code)).await.is(200);
    let codes = code_blocks(&page).remove(0).split_whitespace().map(str::to_owned).collect();
    panel.wait(2); // the code that confirmed it is used up
    (authenticator, codes)
}

fn code_blocks(page: &Answer) -> Vec<String> {
    let blocks = page.text.split(r#"class="c-code">"#).skip(1);
    blocks.map(|block| block.split('<').next().unwrap().to_owned()).collect()
}

fn proof(code: &str) -> [(&str, &str); 2] {
    [("code", code), ("current_password", PASSWORD)]
}

/// The second page of signing in, answered.
async fn enter(browser: &Browser<'_>, page: &Answer, code: &str) -> Answer {
    let (token, halfway, next) = (page.hidden("csrf_token"), page.hidden("halfway"), page.hidden("next"));
    let fields = [("csrf_token", token.as_str()), ("halfway", &halfway), ("next", &next), ("code", code)];
    browser.post("/admin/login/code/", &fields).await
}

#[actix_web::test]
async fn it_is_set_up_with_a_code_and_the_password_and_shows_its_secrets_once() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    root.get(ME).await.is(200).says("It is off").is_silent_on("recovery");
    let begun = root.send(ME, &format!("{ME}start/"), &[]).await.is(200).says("Show this to your app");
    assert!(begun.text.contains("<svg ") && !begun.text.contains("<?xml"));
    let secret = code_blocks(&begun).remove(0);
    let authenticator = Authenticator::new(&secret);
    root.get(ME).await.is(200).says("It is off").is_silent_on(&secret);

    let confirm = format!("{ME}confirm/");
    let code = authenticator.code(panel.now());
    root.send(ME, &confirm, &[("code", code.as_str()), ("current_password", "wrong horse 9")])
        .await
        .is(422)
        .says("Your password: This is not your password.");
    let refused = root.send(ME, &confirm, &proof("000000")).await.is(422).says(WRONG);
    assert!(refused.text.contains("<title>Error: ") && !refused.text.contains(r#"value="000000""#));
    let shown = root.send(ME, &confirm, &proof(&code)).await.is(200).says("Your recovery codes");
    assert_eq!(code_blocks(&shown)[0].split_whitespace().count(), 10);
    root.get(ME).await.says("It is on").says("10 recovery codes").is_silent_on("Your recovery codes");
    // Nothing shows the secret again, and a second confirmation finds nothing to confirm.
    root.send(ME, &format!("{ME}start/"), &[]).await.leads_to(ME);
    panel.wait(2);
    root.send(ME, &confirm, &proof(&authenticator.code(panel.now()))).await.leads_to(ME);
    root.get("/admin/users/1/").await.says("Two-factor sign-in on").is_silent_on("Reset two-factor");
}

/// ASVS 7.2.4: the session is a new one, and half a sign-in opens nothing.
#[actix_web::test]
async fn after_the_password_comes_the_code_and_before_it_nothing_opens() {
    let panel = Panel::new().await;
    let (authenticator, codes) = set_up(&panel, &panel.signed_in("root").await).await;
    let browser = panel.browser();
    let page = browser.sign_in_and_go_to("root", PASSWORD, "/admin/roles/").await.is(200).says("Your code");
    assert_eq!(browser.session(), None);
    browser.get("/admin/users/").await.is(303);
    browser.get("/admin/login/code/").await.is(303);

    for wrong in ["", "000000", "not a code"] {
        let again = enter(&browser, &page, wrong).await.is(422).says(WRONG);
        assert_eq!(again.hidden("halfway"), page.hidden("halfway"));
        assert_eq!(browser.session(), None, "{wrong}");
    }
    let code = authenticator.code(panel.now());
    enter(&browser, &page, &code).await.leads_to("/admin/roles/");
    browser.get("/admin/roles/").await.is(200);

    // The code is spent, for whoever saw it; a recovery code does as well, once.
    let other = panel.browser();
    let page = other.sign_in("root", PASSWORD).await.is(200);
    enter(&other, &page, &code).await.is(422);
    enter(&other, &page, &codes[0]).await.leads_to("/admin/");
    let third = panel.browser();
    let page = third.sign_in("root", PASSWORD).await.is(200);
    enter(&third, &page, &codes[0]).await.is(422);
    third.sign_in("root", "wrong horse 9").await.is(422).is_silent_on("Your code");
}

#[actix_web::test]
async fn half_a_sign_in_is_good_for_five_minutes_in_its_browser_and_for_its_password() {
    let panel = Panel::new().await;
    let (authenticator, _) = set_up(&panel, &panel.signed_in("root").await).await;
    let late = "That took too long. Sign in again.";
    let browser = panel.browser();
    let page = browser.sign_in("root", PASSWORD).await.is(200);
    let thief = panel.browser();
    let token = thief.get("/admin/login/").await.hidden("csrf_token");
    let halfway = page.hidden("halfway");
    let code = authenticator.code(panel.now());
    let stolen = [("csrf_token", token.as_str()), ("halfway", &halfway), ("next", ""), ("code", &code)];
    thief.post("/admin/login/code/", &stolen).await.is(422).says(late);
    let forged = halfway.replacen("1.", "2.", 1);
    let forged = [("csrf_token", token.as_str()), ("halfway", &forged), ("next", ""), ("code", &code)];
    thief.post("/admin/login/code/", &forged).await.is(422).says(late);
    // Without the token of the form there is no second step either.
    thief.post("/admin/login/code/", &stolen[1..]).await.is(403);

    panel.wait(5);
    enter(&browser, &page, &authenticator.code(panel.now())).await.is(422).says(late);
    let page = browser.sign_in("root", PASSWORD).await.is(200);
    let (grants, now) = (panel.app.site.grants.clone(), panel.now());
    panel.write(move |conn| grants.end_all_in(conn, 1, now).unwrap()).await;
    enter(&browser, &page, &authenticator.code(panel.now())).await.is(422).says(late);
}

#[actix_web::test]
async fn codes_are_guessed_no_faster_than_passwords() {
    let rate = "3/min".parse::<Rate>().unwrap();
    let panel = Panel::with(|settings| settings.throttle.login = Some(rate)).await;
    let (authenticator, _) = set_up(&panel, &panel.signed_in("root").await).await;
    let browser = panel.browser();
    let page = browser.sign_in("root", PASSWORD).await.is(200);
    for _ in 0..3 {
        enter(&browser, &page, "000000").await.is(422);
    }
    let refused = enter(&browser, &page, &authenticator.code(panel.now())).await.is(429);
    assert_eq!(refused.says("Try again in 60 seconds").header("retry-after"), "60");
    panel.browser().sign_in("root", PASSWORD).await.is(429);
    panel.wait(1);
    enter(&browser, &page, &authenticator.code(panel.now())).await.leads_to("/admin/");
}

#[actix_web::test]
async fn it_is_changed_and_switched_off_with_both() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    let (authenticator, old) = set_up(&panel, &root).await;
    for act in ["codes", "disable"] {
        let path = format!("{ME}{act}/");
        let code = authenticator.code(panel.now());
        root.send(ME, &path, &[("code", &code), ("current_password", "")]).await.is(422);
        root.send(ME, &path, &proof("000000")).await.is(422).says(WRONG);
        root.send(ME, &path, &proof("")).await.is(422);
    }
    let page = root.send(ME, &format!("{ME}codes/"), &proof(&authenticator.code(panel.now()))).await.is(200);
    let new = code_blocks(&page).remove(0);
    assert!(!new.contains(&old[0]));
    root.send(ME, &format!("{ME}disable/"), &proof(&old[0])).await.is(422);
    root.send(ME, &format!("{ME}disable/"), &proof(new.split_whitespace().next().unwrap())).await.leads_to(ME);
    root.get(ME).await.says("Two-factor sign-in is off.").says("It is off");
    panel.browser().sign_in("root", PASSWORD).await.leads_to("/admin/");
}

fn required(settings: &mut Settings) {
    settings.admin.require_two_factor = true;
}

#[actix_web::test]
async fn where_it_is_required_there_is_one_page_until_it_is_set_up() {
    let panel = Panel::with(required).await;
    let root = panel.signed_in("root").await;
    for path in ["/admin/", "/admin/users/", "/admin/users/1/"] {
        root.get(path).await.leads_to(ME);
    }
    let token = root.get(ME).await.says("This server requires it").hidden("csrf_token");
    root.post("/admin/users/1/sign-out/", &[("csrf_token", &token)]).await.leads_to(ME);
    set_up(&panel, &root).await;
    root.get("/admin/users/").await.is(200);
    root.get(ME).await.is_silent_on("This server requires it");

    let ann = panel.staff("ann", &["users.view"]).await;
    let other = panel.signed_in("ann").await;
    other.get(&format!("/admin/users/{ann}/")).await.leads_to(ME);
    let token = other.get(ME).await.hidden("csrf_token");
    other.post("/admin/logout/", &[("csrf_token", &token)]).await.leads_to("/admin/login/?note=out");
}

#[actix_web::test]
async fn an_administrator_resets_it_for_those_within_reach_and_never_their_own() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    set_up(&panel, &root).await;
    let eve = panel.staff("eve", &["users.view", "users.change"]).await;
    let sue = panel.staff("sue", &["users.view", "users.change", "roles.change"]).await;
    let ann = panel.staff("ann", &["users.view"]).await;
    let eve_browser = panel.signed_in("eve").await;
    set_up(&panel, &eve_browser).await;
    set_up(&panel, &panel.signed_in("sue").await).await;
    set_up(&panel, &panel.signed_in("ann").await).await;
    let path = |id: i64| format!("/admin/users/{id}/two-factor/");
    let token = eve_browser.get(ME).await.hidden("csrf_token");
    let reset = async |id: i64| eve_browser.post(&path(id), &[("csrf_token", &token)]).await;

    // Not a superuser's, nor of anybody who may do more; nor one's own, which takes a code.
    for beyond in [1, sue] {
        eve_browser.get(&path(beyond)).await.is(403);
        reset(beyond).await.is(403);
        eve_browser.get(&format!("/admin/users/{beyond}/")).await.is_silent_on("Reset two-factor");
    }
    eve_browser.get(&path(eve)).await.is(409);
    reset(eve).await.is(409).says("with a code of it");
    panel.browser().sign_in("root", PASSWORD).await.is(200).says("Your code");

    eve_browser.get(&format!("/admin/users/{ann}/")).await.says("Reset two-factor sign-in");
    eve_browser.get(&path(ann)).await.is(200).says("Reset two-factor sign-in of ann?");
    reset(ann).await.leads_to(&format!("/admin/users/{ann}/"));
    eve_browser.get(&format!("/admin/users/{ann}/")).await.says("ann has no two-factor sign-in any more.");
    reset(ann).await.is(409).says("ann has no two-factor sign-in.");
    panel.browser().sign_in("ann", PASSWORD).await.leads_to("/admin/");

    // Who may not change users resets nothing, and root everybody's but their own.
    let ann_browser = panel.signed_in("ann").await;
    let token = ann_browser.get(ME).await.hidden("csrf_token");
    ann_browser.post(&path(eve), &[("csrf_token", &token)]).await.is(403);
    root.send(&path(sue), &path(sue), &[]).await.leads_to(&format!("/admin/users/{sue}/"));
    root.get(&path(1)).await.is(409);
}
