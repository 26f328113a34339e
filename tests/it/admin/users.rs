//! The pages about users: found, changed, added, switched off, deleted.

use diesel::prelude::*;
use portcullis::db::schema::{blacklisted_tokens, outstanding_tokens, tasks};
use serde_json::json;

use crate::support::panel::{Browser, PASSWORD, Panel};

/// The names in a list, in order.
async fn names(browser: &Browser<'_>, path: &str) -> Vec<String> {
    let page = browser.get(path).await.is(200);
    let links = page.text.split(r#"<a class="c-who__name""#).skip(1);
    links.map(|link| link.split_once('>').unwrap().1.split('<').next().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn users_are_found_by_name_address_and_id_and_by_their_state_and_role() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |new| (new.first_name, new.last_name) = ("Ann".into(), "O'Neill".into())).await;
    panel.user("per_cent", |_| ()).await;
    let off = panel.user("off", |_| ()).await;
    panel.change(off, |changes| (changes.is_active, changes.email_verified) = (Some(false), Some(true))).await;
    let role = panel.role("Support", &[]).await;
    panel.give(role, ann).await;
    let root = panel.signed_in("root").await;
    for (query, expected) in [
        ("q=ANN", vec!["ann"]),
        ("q=neill", vec!["ann"]),
        ("q=ann+o%27ne", vec!["ann"]),
        ("q=ann%40example", vec!["ann"]),
        (&format!("q={ann}"), vec!["ann"]),
        ("q=r_c", vec!["per_cent"]),
        ("q=r%25c", vec![]),
        ("status=inactive", vec!["off"]),
        ("status=unverified&sort=username", vec!["ann", "per_cent", "root"]),
        (&format!("role={role}"), vec!["ann"]),
        ("role=none&sort=-username", vec!["root", "per_cent", "off"]),
        ("is_superuser=1&password=x&sort=username", vec!["ann", "off", "per_cent", "root"]),
    ] {
        assert_eq!(names(&root, &format!("/admin/users/?{query}")).await, expected, "{query}");
    }
    assert_eq!(
        names(&root, "/admin/users/?role=99&status=inactive").await,
        ["off"],
        "a role that is gone is no filter"
    );
    let page = root.get("/admin/users/?q=zanzibar&status=active").await;
    page.says("No user matches “zanzibar”").says("One filter is on").says("0 of 4 users match").says("Status: Active");
}

#[actix_web::test]
async fn pages_lead_through_everybody_once_in_every_order_and_back() {
    let panel = Panel::new().await;
    let now = panel.now();
    panel
        .write(move |conn| {
            use portcullis::model::user::{NewUser, insert, touch_last_login};
            for number in 0..119_i64 {
                let joined = now - std::time::Duration::from_secs(60 * u64::try_from(number / 3).unwrap());
                let new = NewUser {
                    username: format!("user{number:03}"),
                    password: "!".into(),
                    date_joined: joined,
                    updated_at: joined,
                    ..NewUser::default()
                };
                let id = insert(conn, &new).unwrap().unwrap().id;
                // Two of three have signed in, always two at the same moment.
                if number % 3 != 0 {
                    touch_last_login(conn, id, joined).unwrap();
                }
            }
        })
        .await;
    let root = panel.signed_in("root").await;
    for sort in ["username", "-username", "last_login", "", "joined", "-joined"] {
        let mut path = format!("/admin/users/?sort={sort}");
        let (mut seen, mut pages) = (Vec::new(), vec![path.clone()]);
        loop {
            seen.push(names(&root, &path).await);
            match root.get(&path).await.link("Next") {
                Some(next) => path = next,
                None => break,
            }
            pages.push(path.clone());
        }
        assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 20], "{sort}");
        let mut all: Vec<String> = seen.concat();
        if sort.ends_with("username") {
            let mut expected = all.clone();
            expected.sort();
            if sort.starts_with('-') {
                expected.reverse();
            }
            assert_eq!(all, expected);
        }
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 120, "{sort}");

        let last = root.get(&path).await.says("Users 101–120 of 120");
        let middle = last.link("Previous").unwrap();
        assert_eq!(names(&root, &middle).await, seen[1], "{sort}");
        let page = root.get(&middle).await.says("Users 51–100 of 120");
        assert_eq!(names(&root, &page.link("Previous").unwrap()).await, seen[0], "{sort}");
        assert_eq!(names(&root, &page.link("First").unwrap()).await, seen[0], "{sort}");
    }
    let never = |names: &[String]| names.iter().position(|name| name == "user000").unwrap();
    for order in ["sort=last_login", "sort=-last_login"] {
        let all = names(&root, &format!("/admin/users/?{order}&rows=200")).await;
        assert!(never(&all) >= 80, "{order}: whoever never signed in comes last: {all:?}");
    }
    // The size is remembered.
    assert_eq!(names(&root, "/admin/users/").await.len(), 120);
}

#[actix_web::test]
async fn a_profile_is_saved_as_a_whole_and_a_new_address_is_unverified() {
    let panel = Panel::new().await;
    let id = panel.user("ann", |_| ()).await;
    panel.change(id, |changes| changes.email_verified = Some(true)).await;
    let root = panel.signed_in("root").await;
    let path = format!("/admin/users/{id}/");
    let fields = [
        ("username", "anna"),
        ("email", "anna@Example.ORG"),
        ("first_name", "Anna"),
        ("last_name", ""),
        ("is_active", "on"),
        ("is_premium", "on"),
        ("email_verified", "on"),
        ("then", "stay"),
    ];
    root.submit(&path, &fields).await.leads_to(&path);
    root.get(&path).await.says("anna was saved. The new address is not verified.").says("Premium");
    root.get(&path).await.is_silent_on("was saved");
    let row = panel.row(id).await.unwrap();
    assert_eq!((row.username.as_str(), row.email.as_str()), ("anna", "anna@example.org"));
    assert!(row.is_premium && row.is_active && !row.email_verified && !row.is_staff);
}

#[actix_web::test]
async fn a_refused_profile_keeps_what_was_typed_and_says_where_it_is_wrong() {
    let panel = Panel::new().await;
    let id = panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    let path = format!("/admin/users/{id}/");
    let page = root.submit(&path, &[("username", "two words"), ("email", "x"), ("first_name", "Ann")]).await.is(422);
    let page = page.says("There is a problem").says("E-mail: Enter a valid email address.");
    assert!(page.text.contains("<title>Error: ann · Users · Portcullis</title>"));
    assert!(page.text.contains(r##"<a href="#f-email">"##) && page.text.contains(r#"value="two words""#));
    assert!(page.text.contains(r#"aria-invalid="true" aria-describedby="e-username""#));
    let page = root.submit(&path, &[("username", "root"), ("is_active", "on")]).await.is(422);
    page.says("Username: Another account already has the name root.");
    assert_eq!(panel.row(id).await.unwrap().username, "ann");
}

#[actix_web::test]
async fn who_saves_second_sees_both_versions_and_chooses() {
    let panel = Panel::new().await;
    let id = panel.user("ann", |_| ()).await;
    let (first, second) = (panel.signed_in("root").await, panel.signed_in("root").await);
    let path = format!("/admin/users/{id}/");
    let version = second.get(&path).await.hidden("version");
    let base = [("username", "ann"), ("email", "ann@example.org"), ("is_active", "on")];
    first.submit(&path, &[&base[..], &[("first_name", "Anna"), ("is_premium", "on")]].concat()).await.is(303);

    let mine = [&base[..], &[("first_name", "Annie"), ("last_name", "Lee"), ("version", version.as_str())]].concat();
    let page = second.send(&path, &path, &mine).await.is(409).says("ann was changed meanwhile");
    let page = page
        .says("First name Annie , your version of “First name” Anna , their version of “First name”")
        .says("Premium empty");
    assert_eq!(panel.row(id).await.unwrap().first_name, "Anna");

    let current = page.hidden("version");
    let chosen = [("take-first_name", "theirs"), ("take-last_name", "yours"), ("take-is_premium", "theirs")];
    let answer = [&mine[..5], &[("version", current.as_str())], &chosen].concat();
    second.send(&path, &path, &answer).await.leads_to("/admin/users/");
    let row = panel.row(id).await.unwrap();
    assert_eq!((row.first_name.as_str(), row.last_name.as_str(), row.is_premium), ("Anna", "Lee", true));
}

#[actix_web::test]
async fn a_user_is_added_and_signs_in_with_the_password_set() {
    let panel = Panel::new().await;
    let role = panel.role("Support", &["users.view"]).await.to_string();
    let root = panel.signed_in("root").await;
    let fields = [
        ("username", "ann"),
        ("email", "ann@example.org"),
        ("password", PASSWORD),
        ("password2", PASSWORD),
        ("is_active", "on"),
        ("is_staff", "on"),
        ("roles", &role),
    ];
    let common = [&fields[..2], &[("password", "password1"), ("password2", "password1")]].concat();
    root.submit("/admin/users/new/", &common).await.is(422).says("This password is too common.");
    root.submit("/admin/users/new/", &fields).await.leads_to("/admin/users/2/");
    root.submit("/admin/users/new/", &fields).await.is(422).says("Another account already has the name ann.");
    panel.signed_in("ann").await.get("/admin/users/").await.is(200);
}

#[actix_web::test]
async fn a_password_that_is_set_ends_every_session_and_token() {
    let panel = Panel::new().await;
    let id = panel.user("ann", |_| ()).await;
    let (access, refresh) = panel.tokens("ann").await;
    let root = panel.signed_in("root").await;
    let new = [("password", "another horse 9"), ("password2", "another horse 9")];
    root.submit(&format!("/admin/users/{id}/password/"), &new).await.is(303);
    root.get("/admin/users/").await.says("ann has a new password. 1 session ended.");
    assert_eq!(panel.api("/api/hello/", &access, None).await.0, 401);
    assert_eq!(panel.api("/api/token/refresh/", "", Some(json!({ "refresh": refresh }))).await.0, 401);
    let given = json!({ "username": "ann", "password": "another horse 9" });
    assert_eq!(panel.api("/api/token/", "", Some(given)).await.0, 200);
}

#[actix_web::test]
async fn one_session_is_ended_and_the_others_live() {
    let panel = Panel::new().await;
    let id = panel.user("ann", |_| ()).await;
    let (first, _) = panel.tokens("ann").await;
    panel.wait(2);
    let (second, _) = panel.tokens("ann").await;
    let root = panel.signed_in("root").await;
    let path = format!("/admin/users/{id}/sessions/");
    let page = root.get(&path).await.says("curl 8.5.0");
    let newest = page.hidden("session");
    root.send(&path, &format!("{path}sign-out/"), &[("session", &newest)]).await.leads_to(&path);
    root.get(&path).await.says("ann was signed out of curl 8.5.0.");
    assert_eq!(panel.api("/api/hello/", &second, None).await.0, 401);
    assert_eq!(panel.api("/api/hello/", &first, None).await.0, 200);
    root.send(&path, &format!("{path}sign-out/"), &[("session", &newest)]).await.is(303);
    root.get(&path).await.says("That session had ended before.");
}

#[actix_web::test]
async fn signing_out_everywhere_and_deactivating_say_what_ends_and_end_it() {
    for act in ["sign-out", "deactivate"] {
        let panel = Panel::new().await;
        let id = panel.user("ann", |_| ()).await;
        let (access, _) = panel.tokens("ann").await;
        panel.tokens("ann").await;
        let root = panel.signed_in("root").await;
        let path = format!("/admin/users/{id}/{act}/");
        root.get(&path).await.is(200).says("Sessions 2 signed out now, with their access tokens");
        assert_eq!(panel.api("/api/hello/", &access, None).await.0, 200);
        root.submit(&path, &[]).await.leads_to(&format!("/admin/users/{id}/"));
        root.get("/admin/users/").await.says("2 sessions ended.");
        assert_eq!(panel.api("/api/hello/", &access, None).await.0, 401);
        assert_eq!(panel.row(id).await.unwrap().is_active, act == "sign-out");
        root.get("/admin/users/").await.says(if act == "sign-out" { "Active" } else { "Inactive" });
    }
}

#[actix_web::test]
async fn an_account_is_deleted_once_its_name_is_typed_and_its_tokens_stay_blacklisted() {
    let panel = Panel::new().await;
    let id = panel.user("ann", |_| ()).await;
    let (access, refresh) = panel.tokens("ann").await;
    panel.api("/api/tasks/", &access, Some(json!({ "title": "Buy milk" }))).await;
    let root = panel.signed_in("root").await;
    let path = format!("/admin/users/{id}/delete/");
    let page =
        root.get(&path).await.says("Tasks 1 deleted").says("Refresh tokens 1 revoked").says("API keys 0 revoked");
    assert_eq!(page.link("deactivate the account"), Some(format!("/admin/users/{id}/deactivate/")));
    for typed in ["", "Ann", "ann2"] {
        root.submit(&path, &[("confirm", typed)]).await.is(422).says("Type ann exactly as it stands.");
    }
    assert!(panel.row(id).await.is_some());
    root.submit(&path, &[("confirm", " ann ")]).await.leads_to("/admin/users/");
    root.get("/admin/users/").await.says("ann was deleted. 1 session ended, 1 token revoked.");
    assert!(panel.row(id).await.is_none());
    assert_eq!(panel.api("/api/hello/", &access, None).await.0, 401);
    assert_eq!(panel.api("/api/token/refresh/", "", Some(json!({ "refresh": refresh }))).await.0, 401);
    let (left, tasks) = panel
        .write(|conn| {
            let tokens = blacklisted_tokens::table.inner_join(outstanding_tokens::table).count();
            let left: i64 = tokens.get_result(conn).unwrap();
            (left, tasks::table.count().get_result::<i64>(conn).unwrap())
        })
        .await;
    assert_eq!((left, tasks), (1, 0));
    root.get("/admin/blacklist/").await.says("deleted user").says("By administrator");
}

#[actix_web::test]
async fn many_are_done_at_once_after_a_page_that_says_to_whom() {
    let panel = Panel::new().await;
    let (ann, bob) = (panel.user("ann", |_| ()).await.to_string(), panel.user("bob", |_| ()).await.to_string());
    let (access, _) = panel.tokens("ann").await;
    let root = panel.signed_in("root").await;
    let back = "/admin/users/?sort=username";
    let picked = [("list", "users"), ("back", back), ("id", &ann), ("id", &bob), ("id", "1"), ("id", "999")];
    let with = |more: &[(&'static str, &'static str)]| [&picked[..], more].concat();

    root.send(back, "/admin/confirm/", &[("list", "users"), ("back", back)]).await.leads_to(back);
    root.get(back).await.says("Tick the rows first");
    root.send(back, "/admin/confirm/", &with(&[("action", "")])).await.leads_to(back);
    root.get(back).await.says("Choose what to do first");

    let page = root.send(back, "/admin/confirm/", &with(&[("action", "deactivate")])).await.is(200);
    let page = page.says("Deactivate 2 users?").says("root left out: You cannot deactivate yourself");
    assert_eq!(page.link("Back to the list").as_deref(), Some(back));
    assert_eq!(panel.api("/api/hello/", &access, None).await.0, 200);
    root.send(back, "/admin/confirm/", &with(&[("action", "deactivate"), ("sure", "yes")])).await.leads_to(back);
    root.get(back).await.says("2 users were deactivated. 1 session ended. 2 were left out.");
    assert_eq!(panel.api("/api/hello/", &access, None).await.0, 401);

    root.send(back, "/admin/confirm/", &with(&[("action", "activate"), ("sure", "yes")])).await.leads_to(back);
    root.get(back).await.says("2 users were activated.");
    assert_eq!(panel.api("/api/hello/", &access, None).await.0, 401);

    let role: &'static str = panel.role("Support", &[]).await.to_string().leak();
    root.send(back, "/admin/confirm/", &with(&[("action", "give-role")])).await.is(200).says("Role Support");
    let give = with(&[("action", "give-role"), ("sure", "yes"), ("role", role)]);
    root.send(back, "/admin/confirm/", &give).await.leads_to(back);
    root.get(back).await.says("3 users have the role Support now. 1 was left out.");
    let take = with(&[("action", "take-role"), ("sure", "yes"), ("role", role)]);
    root.send(back, "/admin/confirm/", &take).await.leads_to(back);
    root.get(back).await.says("3 users have the role Support no more.");
}

#[actix_web::test]
async fn more_than_a_hundred_are_counted_by_whoever_does_it() {
    let panel = Panel::new().await;
    let ids = panel
        .write(|conn| {
            use portcullis::model::user::{NewUser, insert};
            let new = |number| NewUser { username: format!("user{number}"), ..NewUser::default() };
            (0..101).map(|number| insert(conn, &new(number)).unwrap().unwrap().id.to_string()).collect::<Vec<_>>()
        })
        .await;
    let root = panel.signed_in("root").await;
    let mut fields = vec![("list", "users"), ("action", "sign-out"), ("sure", "yes")];
    fields.extend(ids.iter().map(|id| ("id", id.as_str())));
    let page = root.send("/admin/users/", "/admin/confirm/", &fields).await.is(422);
    page.says("Type 101 to confirm").says("and 91 more");
    fields.push(("confirm", "101"));
    root.send("/admin/users/", "/admin/confirm/", &fields).await.is(303);
    root.get("/admin/users/").await.says("101 users were signed out everywhere.");
}

#[actix_web::test]
async fn users_are_found_by_their_rank_and_by_their_last_sign_in() {
    let panel = Panel::with(|settings| settings.jwt.update_last_login = true).await;
    panel.user("ann", |_| ()).await;
    panel.user("old", |_| ()).await;
    panel.staff("sam", &[]).await;
    panel.tokens("old").await;
    panel.wait(40 * 24 * 60);
    panel.tokens("ann").await;
    let root = panel.signed_in("root").await;
    for (query, expected) in [
        ("rank=staff", vec!["root", "sam"]),
        ("rank=superuser", vec!["root"]),
        ("seen=24h", vec!["ann", "root"]),
        ("seen=30d&rank=staff", vec!["root"]),
        ("seen=30d-ago", vec!["old"]),
        ("seen=90d-ago", vec![]),
        ("seen=never", vec!["sam"]),
    ] {
        assert_eq!(names(&root, &format!("/admin/users/?{query}&sort=username")).await, expected, "{query}");
    }
}

/// Three selects are in view; one more is, once it narrows the list.
#[actix_web::test]
async fn what_filters_do_not_fit_stand_under_more_filters() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    let page = root.get("/admin/users/").await.says("More filters");
    let (before, after) = page.text.split_once("<details class=\"c-more c-toolbar__more\">").unwrap();
    assert_eq!((before.matches("id=\"f-").count(), after.matches("id=\"f-").count()), (3, 2));
    let page = root.get("/admin/users/?rank=staff").await.says("Rank: Staff");
    assert!(page.text.contains("<details class=\"c-more c-toolbar__more\" open>"));
    root.get("/admin/articles/").await.is_silent_on("More filters");
}

#[actix_web::test]
async fn users_whose_sign_ins_are_held_back_are_found_until_they_are_not() {
    use portcullis::settings::Rate;
    let hour = std::time::Duration::from_secs(3600);
    let panel = Panel::with(|settings| {
        settings.throttle.login = Some(Rate { requests: 100, per: hour });
        settings.throttle.login_address = None;
        settings.throttle.login_account = Some(Rate { requests: 3, per: hour });
    })
    .await;
    panel.user("ann", |_| ()).await;
    panel.user("bob", |_| ()).await;
    let root = panel.signed_in("root").await;
    let fail = async |name: &str, times: usize| {
        for _ in 0..times {
            panel.api("/api/token/", "", Some(json!({ "username": name, "password": "wrong" }))).await;
        }
        panel.wait(1);
        portcullis::ops::limits::write_down(&panel.app.site).await.unwrap();
    };
    fail("ann", 3).await;
    fail("bob", 2).await;
    assert_eq!(names(&root, "/admin/users/?status=locked").await, ["ann"]);
    root.get("/admin/users/?status=locked").await.says("ann@example.org Locked");
    root.get("/admin/users/2/").await.says("Locked yes, for strangers");
    root.get("/admin/users/1/").await.says("Locked no");
    panel.wait(59);
    let root = panel.signed_in("root").await;
    assert_eq!(names(&root, "/admin/users/?status=locked").await, Vec::<String>::new());
}
