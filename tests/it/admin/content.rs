//! Articles and tasks in the panel: made, changed and deleted by whoever may, whoever they belong to.

use serde_json::json;

use crate::support::panel::Panel;
use crate::support::socket::Listening;

#[actix_web::test]
async fn an_article_is_made_changed_and_deleted() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    root.get("/admin/articles/").await.says("No articles yet");
    let new = [("title", "On gates"), ("body", "They close."), ("author", "ann")];
    root.submit("/admin/articles/new/", &[("title", ""), ("body", "x"), ("author", "ann")]).await.is(422);
    let nobody = [("title", "On gates"), ("body", "x"), ("author", "nobody")];
    root.submit("/admin/articles/new/", &nobody).await.is(422).says("Nobody has the username nobody");
    root.submit("/admin/articles/new/", &new).await.leads_to("/admin/articles/1/");
    let page = root.get("/admin/articles/1/").await.says("The article On gates was added");
    assert!(page.text.contains("They close."));
    let (access, _) = panel.tokens("ann").await;
    assert_eq!(panel.api("/api/articles/1/", &access, None).await.1["author"], 2);

    let changed = [("title", "On doors"), ("body", "They open."), ("author", "root")];
    root.submit("/admin/articles/1/", &changed).await.leads_to("/admin/articles/");
    root.get("/admin/articles/").await.says("The article On doors was saved").says("On doors root");
    // Who opened the form before that is shown both.
    let late = [("title", "On walls"), ("body", "They stand."), ("author", "ann"), ("version", "1")];
    root.send("/admin/articles/", "/admin/articles/1/", &late).await.is(409).says("was changed meanwhile");
    root.get("/admin/articles/1/delete/").await.is(200).says("Delete “On doors”?");
    root.submit("/admin/articles/1/delete/", &[("reason", "spam")]).await.leads_to("/admin/articles/");
    assert_eq!(panel.api("/api/articles/1/", &access, None).await.0, 404);
    root.get("/admin/articles/1/").await.is(404);
    for (act, times) in [("article.create", 1), ("article.change", 1), ("article.delete", 1)] {
        assert_eq!(panel.entries(act).await, times, "{act}");
    }
    assert_eq!(panel.last_entry().await.reason, "spam");
}

#[actix_web::test]
async fn a_task_is_made_changed_marked_done_and_deleted() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    let new = [("title", "Oil the hinges"), ("description", ""), ("due_date", "2025-12-24"), ("owner", "ann")];
    root.submit("/admin/tasks/new/", &[("title", "x"), ("due_date", "soon"), ("owner", "ann")]).await.is(422);
    root.submit("/admin/tasks/new/", &new).await.leads_to("/admin/tasks/1/");
    root.get("/admin/tasks/?due=overdue").await.says("Oil the hinges ann Overdue 24 Dec 2025");
    let changed = [("title", "Oil the hinges"), ("description", "all four"), ("due_date", ""), ("owner", "ann")];
    root.submit("/admin/tasks/1/", &[&changed[..], &[("then", "stay")]].concat()).await.leads_to("/admin/tasks/1/");
    let (access, _) = panel.tokens("ann").await;
    let (_, task) = panel.api("/api/tasks/1/", &access, None).await;
    assert_eq!((&task["description"], &task["due_date"]), (&json!("all four"), &json!(null)));

    let ticked = [("list", "tasks"), ("action", "done"), ("id", "1"), ("sure", "yes"), ("back", "/admin/tasks/")];
    root.send("/admin/tasks/", "/admin/confirm/", &ticked).await.leads_to("/admin/tasks/");
    root.get("/admin/tasks/?done=yes").await.says("1 task was marked done").says("Oil the hinges");
    root.send("/admin/tasks/", "/admin/confirm/", &ticked).await.is(303);
    root.get("/admin/tasks/").await.says("Nothing was changed");
    let ticked = [("list", "tasks"), ("action", "delete"), ("id", "1"), ("sure", "yes"), ("back", "/admin/tasks/")];
    root.send("/admin/tasks/", "/admin/confirm/", &ticked).await.is(422);
    root.send("/admin/tasks/", "/admin/confirm/", &[&ticked[..], &[("confirm", "1")]].concat()).await.is(303);
    root.get("/admin/tasks/").await.says("1 task was deleted").says("No tasks yet");
    for (act, times) in [("task.create", 1), ("task.change", 2), ("task.delete", 1)] {
        assert_eq!(panel.entries(act).await, times, "{act}");
    }
}

#[actix_web::test]
async fn who_may_only_look_is_offered_nothing_and_does_nothing() {
    let panel = Panel::new().await;
    let (access, _) = panel.tokens("root").await;
    panel.api("/api/articles/", &access, Some(json!({ "title": "On gates", "body": "They close." }))).await;
    panel.staff("looks", &["articles.view"]).await;
    let looks = panel.signed_in("looks").await;
    looks.get("/admin/articles/").await.is(200).says("On gates").is_silent_on("Add article").is_silent_on("Delete");
    looks.get("/admin/articles/1/").await.is(200).is_silent_on("Save changes");
    let fields = [("title", "x"), ("body", "x"), ("author", "root"), ("version", "0")];
    looks.send("/admin/articles/", "/admin/articles/1/", &fields).await.is(403);
    looks.send("/admin/articles/", "/admin/articles/1/delete/", &[]).await.is(403);
    looks.get("/admin/tasks/").await.is(403);
    root_sees(&panel, "On gates").await;
}

async fn root_sees(panel: &Panel, title: &str) {
    panel.signed_in("root").await.get("/admin/articles/?q=GATES").await.says(title).says("1 of 1 articles matches");
}

#[actix_web::test]
async fn tasks_are_sorted_by_the_day_they_are_due_and_those_without_one_come_last() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    for (title, due) in
        [("Never", ""), ("Late", "2026-03-01"), ("Early", "2025-12-24"), ("Nowhen", ""), ("Middle", "2026-01-15")]
    {
        let fields = [("title", title), ("description", ""), ("due_date", due), ("owner", "root")];
        root.submit("/admin/tasks/new/", &fields).await.is(303);
    }
    for (sort, expected) in [
        ("due", ["Early", "Middle", "Late", "Never", "Nowhen"]),
        ("-due", ["Late", "Middle", "Early", "Nowhen", "Never"]),
    ] {
        let words = root.get(&format!("/admin/tasks/?sort={sort}")).await.is(200).words();
        let places: Vec<usize> = expected.iter().map(|title| words.rfind(&format!("{title} root")).unwrap()).collect();
        assert!(places.is_sorted(), "{sort}: {words}");
    }
}

/// Whoever has a page open sees what the staff do at once, as if its owner had done it.
#[actix_web::test]
async fn what_is_done_in_the_panel_is_told_at_open_sockets() {
    let panel = Panel::new().await;
    let names = ["ann", "bob"];
    let mut sockets = Vec::new();
    let live = Listening::new(&panel.app).await;
    for name in names {
        panel.user(name, |_| ()).await;
        let (access, _) = panel.tokens(name).await;
        sockets.push(live.socket(&access).await);
    }
    let [anns, bobs] = sockets.as_mut_slice() else { panic!("two sockets") };
    let root = panel.signed_in("root").await;

    let article = |title| [("title", title), ("body", "They close."), ("author", "ann")];
    root.submit("/admin/articles/new/", &article("On gates")).await.is(303);
    root.submit("/admin/articles/1/", &article("On doors")).await.is(303);
    root.submit("/admin/articles/1/delete/", &[]).await.is(303);
    for socket in [&mut *anns, &mut *bobs] {
        for (event, title) in
            [("article.created", "On gates"), ("article.updated", "On doors"), ("article.deleted", "On doors")]
        {
            let told = socket.event().await;
            assert_eq!((&told["event"], &told["data"]["title"]), (&json!(event), &json!(title)));
            assert_eq!(told["data"]["author"], 2);
        }
    }

    let task = |owner| [("title", "Oil the hinges"), ("description", ""), ("due_date", ""), ("owner", owner)];
    root.submit("/admin/tasks/new/", &task("ann")).await.is(303);
    root.submit("/admin/tasks/1/", &task("bob")).await.is(303);
    let all = |action| [("list", "tasks"), ("action", action), ("id", "1"), ("sure", "yes"), ("back", "/admin/tasks/")];
    root.send("/admin/tasks/", "/admin/confirm/", &all("done")).await.is(303);
    root.send("/admin/tasks/", "/admin/confirm/", &[&all("delete")[..], &[("confirm", "1")]].concat()).await.is(303);
    for event in ["task.created", "task.deleted"] {
        assert_eq!(anns.event().await["event"], event);
    }
    for (event, done) in [("task.created", false), ("task.updated", true), ("task.deleted", true)] {
        let told = bobs.event().await;
        assert_eq!((&told["event"], &told["data"]["completed"]), (&json!(event), &json!(done)));
    }
    anns.is_open_and_told_nothing().await;
    bobs.is_open_and_told_nothing().await;
}
