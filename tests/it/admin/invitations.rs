//! Invitations in the panel: who was asked, by whom, and what became of it; taken back, sent again.

use portcullis::model::invitation;
use portcullis::settings::Registration;

use crate::support::letters::{link, path_of};
use crate::support::panel::{Answer, Browser, Panel};

const LIST: &str = "/admin/users/invitations/";

/// Invites an address, as root over the API would.
async fn invite(panel: &Panel, email: &'static str) -> i64 {
    let (life, now) = (panel.app.site.settings.accounts.invitation_lifetime, panel.now());
    panel.write(move |conn| invitation::invite(conn, email, Some(1), life, now).unwrap().id).await
}

async fn act(root: &Browser<'_>, id: i64, act: &str) -> Answer {
    root.send(LIST, &format!("{LIST}{id}/{act}/"), &[]).await
}

#[actix_web::test]
async fn invitations_are_listed_with_what_became_of_them() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    root.get(LIST).await.is(200).says("No invitations yet");
    invite(&panel, "old@example.org").await;
    panel.wait(30 * 24 * 60);
    let root = panel.signed_in("root").await;
    invite(&panel, "Ann@example.org").await;
    let gone = invite(&panel, "bob@example.org").await;
    let now = panel.now();
    panel.write(move |conn| invitation::revoke(conn, gone, now).unwrap()).await;
    let page = root.get(LIST).await.is(200);
    page.says("Ann@example.org Pending root today").says("bob@example.org Taken back").says("old@example.org Expired");
    for (query, told, silent) in [
        ("q=ann@", "Ann@example.org", "bob@example.org"),
        ("state=pending", "Ann@example.org Pending", "bob@example.org"),
        ("state=expired", "old@example.org", "Ann@example.org"),
        ("state=revoked", "bob@example.org", "old@example.org"),
        ("state=accepted", "No invitation matches", "old@example.org"),
        ("sort=time", "oldest first", "nothing of that"),
    ] {
        root.get(&format!("{LIST}?{query}")).await.is(200).says(told).is_silent_on(silent);
    }
    assert_eq!(root.get("/admin/users/").await.link("Invitations").as_deref(), Some(LIST));
}

#[actix_web::test]
async fn an_invitation_is_taken_back_once_and_its_link_opens_nothing() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    let id = invite(&panel, "ann@example.org").await;
    let letter = panel.app.letter_to("ann@example.org").await;
    let door = path_of(&link(&letter));
    panel.browser().get(&door).await.is(200);
    act(&root, id, "revoke").await.leads_to(LIST);
    assert_eq!(
        (panel.last_entry().await.action.as_str(), panel.entries("invitation.revoke").await),
        ("invitation.revoke", 1)
    );
    root.get(LIST).await.says("The invitation of ann@example.org was taken back.");
    panel.browser().get(&door).await.says("no longer good");
    act(&root, id, "revoke").await.leads_to(LIST);
    root.get(LIST).await.says("had been taken back before");
    act(&root, id, "again").await.is(409).says("This invitation is over");
    act(&root, 99, "revoke").await.is(404);
    assert_eq!(panel.entries("invitation.revoke").await, 1);
}

#[actix_web::test]
async fn an_invitation_is_sent_again_with_a_new_time_where_its_own_is_over() {
    let panel = Panel::new().await;
    let id = invite(&panel, "ann@example.org").await;
    let first = path_of(&link(&panel.app.letter_to("ann@example.org").await));
    panel.wait(30 * 24 * 60);
    let root = panel.signed_in("root").await;
    panel.browser().get(&first).await.says("no longer good");
    act(&root, id, "again").await.leads_to(LIST);
    assert_eq!(panel.last_entry().await.action, "invitation.send_again");
    root.get(LIST).await.says("is on its way again").says("ann@example.org Pending");
    let second = path_of(&link(&panel.app.letter_to("ann@example.org").await));
    panel.browser().get(&second).await.is(200).is_silent_on("no longer good");
    for _ in 0..2 {
        act(&root, id, "again").await.leads_to(LIST);
        panel.app.letter_to("ann@example.org").await;
    }
    act(&root, id, "again").await.is(409).says("ann@example.org has had 3 invitations within a day");
    assert_eq!(panel.entries("invitation.send_again").await, 3);
}

#[actix_web::test]
async fn invitations_are_for_those_who_may_add_users_and_for_nobody_where_registration_is_closed() {
    let panel = Panel::with(|settings| settings.accounts.registration = Registration::Closed).await;
    let id = invite(&panel, "ann@example.org").await;
    panel.staff("eve", &["users.view", "users.change"]).await;
    let (root, eve) = (panel.signed_in("root").await, panel.signed_in("eve").await);
    eve.get(LIST).await.is(403).says("the permission users.add");
    eve.get("/admin/users/").await.is_silent_on("Invitations");
    for path in ["revoke", "again"] {
        eve.send("/admin/users/", &format!("{LIST}{id}/{path}/"), &[]).await.is(403).says("users.add");
    }
    root.get(LIST).await.says("Registration is closed").is_silent_on("Send again");
    act(&root, id, "again").await.is(409).says("Registration is closed");
    act(&root, id, "revoke").await.leads_to(LIST);
}
