//! One story a model, the same function on both databases: rows go in and come out as they were.

use diesel::prelude::*;
use portcullis::api::articles::Article;
use portcullis::api::tasks::Task;
use portcullis::clock::Timestamp;
use portcullis::db::Conn;
use portcullis::db::schema::{articles, blacklisted_tokens, tasks};
use portcullis::error::Result;
use portcullis::model::api_key::{self, ApiKeyChanges, KeyDigest, NewApiKey};
use portcullis::model::belongings;
use portcullis::model::change::{self, What};
use portcullis::model::known_address;
use portcullis::model::lifetime;
use portcullis::model::role;
use portcullis::model::session::{self, Device, Ended, NewSession, SessionId, SessionKind};
use portcullis::model::sign_in_failure::{self, Failures};
use portcullis::model::signing_key::{self, KeyState};
use portcullis::model::social;
use portcullis::model::token::{self, NewOutstandingToken, Use};
use portcullis::model::two_factor;
use portcullis::model::user::{self, NewUser, User, UserChanges};
use portcullis::settings::Secret;

use super::{made, on_both};
use crate::support::app::{NOON, days, hours, minutes, seconds};

#[tokio::test]
async fn users() {
    on_both(|conn| {
        let birthday = chrono::NaiveDate::from_ymd_opt(1990, 2, 28);
        let new = NewUser {
            username: "ann".into(),
            password: "$argon2id$".into(),
            email: "ann@example.org".into(),
            date_of_birth: birthday,
            date_joined: NOON,
            updated_at: NOON,
            ..NewUser::default()
        };
        let ann = user::insert(conn, &new)?.unwrap();
        assert!(ann.is_active && !ann.is_staff && !ann.is_superuser && !ann.is_premium && !ann.email_verified);
        assert_eq!((ann.date_of_birth, ann.date_joined, ann.last_login), (birthday, NOON, None));
        assert_eq!((ann.generation, ann.password_generation), (0, 0));

        // A taken name spoils nothing that follows, also on PostgreSQL.
        assert!(user::insert(conn, &new)?.is_err());
        let bob = made(conn, "bob")?;
        let as_ann = UserChanges { username: Some("ann".into()), updated_at: NOON, ..UserChanges::default() };
        assert!(user::update(conn, bob.id, &as_ann)?.is_err());
        assert!(user::by_username(conn, "Ann")?.is_none());

        user::set_password(conn, ann.id, "new", NOON + seconds(1))?;
        user::raise_generation(conn, ann.id)?;
        user::renew_hash(conn, ann.id, "old", "never")?;
        user::touch_last_login(conn, ann.id, NOON + seconds(2))?;
        let now = user::by_id(conn, ann.id)?.unwrap();
        assert_eq!((now.generation, now.password_generation, now.password.as_str()), (2, 1, "new"));
        assert_eq!((now.updated_at, now.last_login), (NOON + seconds(1), Some(NOON + seconds(2))));

        user::set_active(conn, bob.id, false, NOON)?;
        user::set_active(conn, bob.id, true, NOON)?;
        let bob = user::by_id(conn, bob.id)?.unwrap();
        assert_eq!((bob.is_active, bob.generation), (true, 1));

        user::delete(conn, bob.id)?;
        assert!(user::by_id(conn, bob.id)?.is_none());
        assert!(made(conn, "bob")?.id > bob.id, "an id is never given twice");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn roles() {
    on_both(|conn| {
        let ann = made(conn, "ann")?;
        let may = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let editor = role::insert(conn, "editor", "writes", &may(&["articles.change", "articles.add"]), NOON)?.unwrap();
        assert!(role::insert(conn, "editor", "", &[], NOON)?.is_err());
        let viewer = role::insert(conn, "viewer", "", &may(&["users.view", "articles.add"]), NOON)?.unwrap();
        assert_eq!(role::permissions(conn, editor.id)?, ["articles.add", "articles.change"]);

        assert!(role::give(conn, editor.id, ann.id, NOON)?);
        assert!(!role::give(conn, editor.id, ann.id, NOON)?);
        assert!(role::give(conn, viewer.id, ann.id, NOON)?);
        let mut held = user::permissions(conn, ann.id)?;
        held.sort();
        assert_eq!(held, ["articles.add", "articles.change", "users.view"]);
        assert_eq!(user::role_names(conn, ann.id)?, ["editor", "viewer"]);
        assert_eq!(role::of_user(conn, ann.id)?.len(), 2);
        assert_eq!(role::holders(conn, editor.id)?, [ann.id]);
        assert_eq!(role::holder_counts(conn, &[editor.id, viewer.id, 99])?, [(editor.id, 1), (viewer.id, 1)].into());

        let later = NOON + seconds(1);
        assert!(role::update(conn, viewer.id, "editor", "", &[], later)?.is_err());
        assert_eq!(role::permissions(conn, viewer.id)?.len(), 2, "what is refused changes nothing");
        let viewer = role::update(conn, viewer.id, "reader", "reads", &may(&["tasks.view"]), later)?.unwrap();
        assert_eq!((viewer.name.as_str(), viewer.updated_at), ("reader", later));
        assert_eq!(user::permissions(conn, ann.id)?.len(), 3);

        assert!(role::take(conn, viewer.id, ann.id)?);
        assert!(!role::take(conn, viewer.id, ann.id)?);
        role::delete(conn, editor.id)?;
        assert_eq!(user::permissions(conn, ann.id)?, Vec::<String>::new());
        assert_eq!(role::all(conn)?.iter().map(|role| role.name.as_str()).collect::<Vec<_>>(), ["reader"]);
        Ok(())
    })
    .await;
}

/// Begins a session of the user with one refresh token on record.
fn session_with_token(conn: &mut Conn, user: &User, jti: &str) -> Result<SessionId> {
    let id = SessionId::random()?;
    let device = Device { ip: "192.0.2.1".into(), user_agent: "curl".into() };
    let new = NewSession {
        id,
        user: Some(user.id),
        generation: user.generation,
        kind: SessionKind::Pair,
        device: &device,
        expires: NOON + hours(48),
    };
    session::start(conn, new, NOON)?;
    recorded(conn, id, Some(user.id), jti)?;
    Ok(id)
}

fn recorded(conn: &mut Conn, session: SessionId, user: Option<i64>, jti: &str) -> Result<()> {
    let session = session.to_string();
    let (created_at, expires_at) = (NOON, NOON + hours(24));
    let kind = "refresh";
    token::insert(
        conn,
        &NewOutstandingToken { jti, session_id: &session, user_id: user, kind, kid: None, created_at, expires_at },
    )
}

#[tokio::test]
async fn sessions() {
    on_both(|conn| {
        let ann = made(conn, "ann")?;
        let (one, other) = (session_with_token(conn, &ann, "one")?, session_with_token(conn, &ann, "other")?);
        session::touch(conn, one, NOON + minutes(1))?;
        let live: Vec<String> = session::live_of(conn, ann.id, NOON)?.into_iter().map(|session| session.id).collect();
        assert_eq!(live, [one.to_string(), other.to_string()]);

        assert!(session::end(conn, one, Ended::ByAdmin, Some(ann.id), NOON)?);
        assert!(!session::end(conn, one, Ended::SignedOut, None, NOON + seconds(1))?);
        let ended = session::by_id(conn, one)?.unwrap();
        assert_eq!(
            (ended.ended_at, ended.ended_why.as_deref(), ended.ended_by),
            (Some(NOON), Some("by admin"), Some(ann.id))
        );
        assert_eq!(session::count_live(conn, ann.id, NOON)?, 1);
        assert_eq!(session::count_live(conn, ann.id, NOON + hours(48))?, 0);
        user::raise_generation(conn, ann.id)?;
        assert_eq!(session::count_live(conn, ann.id, NOON)?, 0);

        user::delete(conn, ann.id)?;
        let kept = session::by_id(conn, other)?.unwrap();
        assert_eq!((kept.user_id, kept.ip.as_str(), kept.user_agent.as_str()), (None, "192.0.2.1", "curl"));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn tokens() {
    on_both(|conn| {
        let ann = made(conn, "ann")?;
        let session = session_with_token(conn, &ann, "parent")?;
        recorded(conn, session, Some(ann.id), "child")?;
        let parent = token::by_jti(conn, "parent")?.unwrap();
        let usage = |conn: &mut Conn, at| {
            let parent = token::by_jti(conn, "parent")?.unwrap();
            token::usage(conn, &parent, Some(seconds(10)), at)
        };

        assert_eq!(usage(conn, NOON)?, Use::Live);
        assert!(token::set_successor(conn, parent.id, "child", NOON, NOON + hours(24), NOON)?);
        assert!(!token::set_successor(conn, parent.id, "twin", NOON, NOON, NOON)?, "the first successor stands");
        assert_eq!(usage(conn, NOON + hours(1))?, Use::Live);
        let child = token::by_jti(conn, "child")?.unwrap();
        token::set_successor(conn, child.id, "grandchild", NOON, NOON, NOON + hours(1))?;
        assert_eq!(usage(conn, NOON + hours(1) + seconds(10))?, Use::Live);
        assert_eq!(usage(conn, NOON + hours(1) + seconds(11))?, Use::Spent);

        recorded(conn, session, Some(ann.id), "grandchild")?;
        assert_eq!(token::blacklist_session(conn, session, Ended::SignedOut, None, NOON)?, 1);
        let last = token::by_jti(conn, "grandchild")?.unwrap();
        assert!(token::is_blacklisted(conn, last.id)? && !token::is_blacklisted(conn, parent.id)?);
        assert!(token::blacklist(conn, parent.id, Ended::ByAdmin, Some(ann.id), NOON)?);
        assert!(!token::blacklist(conn, parent.id, Ended::ByAdmin, Some(ann.id), NOON)?);

        user::delete(conn, ann.id)?;
        assert_eq!(token::by_jti(conn, "parent")?.unwrap().user_id, None);
        assert_eq!(token::purge(conn, NOON + hours(23), 10)?, (0, 0));
        assert_eq!(token::purge(conn, NOON + hours(24), 2)?, (2, 0), "a token is left");
        assert_eq!(token::purge(conn, NOON + hours(24), 2)?, (1, 1));
        assert_eq!(blacklisted_tokens::table.count().get_result::<i64>(conn)?, 0);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn changes() {
    on_both(|conn| {
        let session = SessionId::random()?;
        let start = change::position(conn)?;
        let ended = What::Ended { session, user: Some(7) };
        let event = What::Event { name: "task.created".into(), to: Some(7), data: "{}".into() };
        change::append(conn, ended.clone(), NOON, NOON + minutes(5))?;
        change::append(conn, What::User(7), NOON, NOON + minutes(10))?;
        change::append(conn, event.clone(), NOON, NOON + minutes(15))?;

        let told: Vec<_> =
            change::since(conn, start, 10)?.into_iter().map(|change| (change.what, change.until)).collect();
        assert_eq!(
            told,
            [(ended, NOON + minutes(5)), (What::User(7), NOON + minutes(10)), (event, NOON + minutes(15))]
        );
        let place = change::position(conn)?;
        assert_eq!(change::since(conn, place, 10)?, []);
        assert_eq!(change::since(conn, start, 1)?.len(), 1);

        assert_eq!(change::slowest_follower(conn, NOON)?, None);
        change::follow(conn, "one", 5, false, NOON)?;
        change::follow(conn, "other", 3, false, NOON)?;
        change::follow(conn, "one", 6, true, NOON + seconds(9))?;
        assert!(change::anyone_listens(conn, NOON + seconds(9))?);
        assert!(!change::anyone_listens(conn, NOON + seconds(10))?);
        assert_eq!(change::slowest_follower(conn, NOON)?, Some(3));
        assert_eq!(change::slowest_follower(conn, NOON + seconds(1))?, Some(6));
        change::unfollow(conn, "other")?;
        assert_eq!(change::slowest_follower(conn, Timestamp::default())?, Some(6));

        assert_eq!(change::purge(conn, NOON + hours(1), 10)?, 2);
        assert_eq!(change::position(conn)?, place, "the newest entry holds the place");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn resources() {
    on_both(|conn| {
        let ann = made(conn, "ann")?;
        let day = chrono::NaiveDate::from_ymd_opt(2026, 2, 28);
        let times = (tasks::created_at.eq(NOON), tasks::updated_at.eq(NOON));
        let row = (tasks::title.eq("Milk"), tasks::user_id.eq(ann.id), tasks::due_date.eq(day), times);
        let task: Task =
            diesel::insert_into(tasks::table).values(row).returning(tasks::all_columns).get_result(conn)?;
        assert_eq!((task.description.as_str(), task.completed, task.due_date), ("", false, day));

        let times = (articles::created_at.eq(NOON), articles::updated_at.eq(NOON));
        let row = (articles::title.eq("Milk"), articles::body.eq("white"), articles::author_id.eq(ann.id), times);
        diesel::insert_into(articles::table).values(row).execute(conn)?;
        let article: Article = articles::table.first(conn)?;
        assert_eq!((article.body.as_str(), article.created_at), ("white", NOON));

        user::delete(conn, ann.id)?;
        assert_eq!(tasks::table.count().get_result::<i64>(conn)? + articles::table.count().get_result::<i64>(conn)?, 0);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn signing_keys() {
    on_both(|conn| {
        signing_key::insert(conn, "k-1", "HS256", KeyState::Active, None, NOON)?;
        signing_key::insert(conn, "k-2", "ES256", KeyState::Standby, None, NOON + seconds(1))?;
        signing_key::insert(conn, "legacy-3", "HS256", KeyState::Verifying, Some(NOON), NOON + seconds(2))?;
        let second = conn.transaction(|conn| signing_key::insert(conn, "k-4", "HS256", KeyState::Active, None, NOON));
        assert!(second.is_err(), "one key signs");
        assert!(!signing_key::retire(conn, "k-1", NOON)?, "the key that signs is not retired");

        assert!(signing_key::activate(conn, "k-2", NOON + minutes(1))?);
        assert!(signing_key::retire(conn, "k-1", NOON + minutes(2))?);
        assert!(!signing_key::retire(conn, "k-1", NOON + minutes(3))?);

        let keys = signing_key::all(conn)?;
        let told: Vec<_> = keys.iter().map(|key| (key.kid.as_str(), key.state.as_str())).collect();
        assert_eq!(told, [("k-1", "retired"), ("k-2", "active"), ("legacy-3", "verifying")]);
        let first = signing_key::by_kid(conn, "k-1")?.unwrap();
        assert_eq!((first.activated_at, first.replaced_at), (Some(NOON), Some(NOON + minutes(1))));
        assert_eq!((first.retired_at, first.issued_before), (Some(NOON + minutes(2)), None));
        assert_eq!((keys[1].activated_at, keys[2].issued_before), (Some(NOON + minutes(1)), Some(NOON)));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn lifetimes() {
    on_both(|conn| {
        let (short, long) = (minutes(5), hours(1));
        assert_eq!(lifetime::longest_bearer(conn, short)?, short);
        lifetime::note_bearer(conn, long, NOON)?;
        assert_eq!(lifetime::longest_bearer(conn, short)?, long);
        // A shorter one counts at a start so long after the last that the longest there was between them has expired.
        for at in [NOON, NOON + minutes(59)] {
            lifetime::note_bearer(conn, short, at)?;
            assert_eq!(lifetime::longest_bearer(conn, short)?, long);
        }
        lifetime::note_bearer(conn, short, NOON + minutes(59) + hours(1))?;
        assert_eq!(lifetime::longest_bearer(conn, short)?, short);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn social_accounts() {
    on_both(|conn| {
        let (ann, bob) = (made(conn, "ann")?, made(conn, "bob")?);
        social::link(conn, ann.id, "google", "https://accounts.google.com", "1001", NOON)?;
        social::link(conn, ann.id, "acme", "https://acme.example", "1001", NOON + seconds(1))?;
        // One and the same there is one here; a second link spoils nothing that follows, also on PostgreSQL.
        let twice = conn.transaction(|conn| social::link(conn, bob.id, "acme", "https://acme.example", "1001", NOON));
        assert!(twice.is_err());
        let owner = |conn: &mut Conn, issuer: &str, subject: &str| -> Result<Option<i64>> {
            Ok(social::owner(conn, issuer, subject)?.map(|user| user.id))
        };
        assert_eq!(owner(conn, "https://acme.example", "1001")?, Some(ann.id));
        assert_eq!(owner(conn, "https://acme.example", "1002")?, None);
        assert_eq!(owner(conn, "https://acme.example/", "1001")?, None);
        let links: Vec<_> =
            social::of_user(conn, ann.id)?.into_iter().map(|link| (link.provider, link.linked_at)).collect();
        assert_eq!(links, [("google".to_owned(), NOON), ("acme".to_owned(), NOON + seconds(1))]);
        let own = belongings::of(conn, ann.id, NOON)?;
        assert_eq!((own.links, own.in_words().as_str()), (2, "0 articles, 0 tasks and 2 social sign-ins"));

        assert_eq!(social::unlink_all(conn, ann.id)?, 2);
        assert_eq!(belongings::of(conn, ann.id, NOON)?.in_words(), "0 articles and 0 tasks");
        social::link(conn, bob.id, "google", "https://accounts.google.com", "1001", NOON)?;
        user::delete(conn, bob.id)?;
        assert_eq!(owner(conn, "https://accounts.google.com", "1001")?, None);

        let holding = |conn: &mut Conn, name: &str, verified: bool, active: bool| -> Result<i64> {
            let user = made(conn, name)?;
            let changes = UserChanges {
                email: Some("shared@example.org".into()),
                email_verified: Some(verified),
                is_active: Some(active),
                updated_at: NOON,
                ..UserChanges::default()
            };
            Ok(user::update(conn, user.id, &changes)?.unwrap().id)
        };
        let found = |conn: &mut Conn| -> Result<(Vec<i64>, bool, Vec<i64>)> {
            let holders = social::holders(conn, "shared@example.org")?;
            let ids = |users: Vec<User>| users.into_iter().map(|user| user.id).collect::<Vec<_>>();
            Ok((ids(holders.verified), holders.has_barred, ids(holders.unverified)))
        };
        assert_eq!(found(conn)?, (vec![], false, vec![]));
        let one = holding(conn, "one", false, true)?;
        let two = holding(conn, "two", true, true)?;
        holding(conn, "three", false, false)?;
        assert_eq!(found(conn)?, (vec![two], false, vec![one]));
        holding(conn, "four", true, false)?;
        let five = holding(conn, "five", false, true)?;
        holding(conn, "six", false, true)?;
        assert_eq!(found(conn)?, (vec![two], true, vec![one, five]));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn failed_sign_ins() {
    on_both(|conn| {
        let one = |key: &str, times: &[u64]| Failures {
            key: key.into(),
            times: times.iter().map(|second| NOON + seconds(*second)).collect(),
            expires: NOON + seconds(times.last().copied().unwrap_or(0) + 60),
        };
        let (ann, bob) = (one("a", &[1, 2]), one("b", &[3]));
        sign_in_failure::store(conn, &[ann.clone(), bob.clone(), one("none", &[])])?;
        assert_eq!(sign_in_failure::live(conn, NOON, 9)?, [bob.clone(), ann.clone()]);
        assert_eq!(sign_in_failure::live(conn, NOON, 1)?, std::slice::from_ref(&bob));
        assert_eq!(sign_in_failure::live(conn, NOON + seconds(62), 9)?, std::slice::from_ref(&bob));

        let again = one("a", &[2, 9]);
        sign_in_failure::store(conn, &[again.clone(), one("b", &[])])?;
        assert_eq!(sign_in_failure::live(conn, NOON, 9)?, [again]);
        assert_eq!(sign_in_failure::purge(conn, NOON + seconds(68), 9)?, 0);
        assert_eq!(sign_in_failure::purge(conn, NOON + seconds(69), 9)?, 1);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn known_addresses() {
    on_both(|conn| {
        let ann = made(conn, "ann")?;
        let knows = |conn: &mut Conn, network: &str, now| known_address::is_known(conn, "ann", network, now);
        for place in 0..9 {
            known_address::remember(conn, &ann, &format!("place{place}"), NOON + seconds(place))?;
        }
        // Again within a day it writes nothing, so the oldest of nine is the one that goes.
        known_address::remember(conn, &ann, "place1", NOON + hours(1))?;
        assert!(!knows(conn, "place0", NOON)? && knows(conn, "place1", NOON)? && !knows(conn, "elsewhere", NOON)?);
        assert!(!known_address::is_known(conn, "bob", "place1", NOON)?);

        let half_a_year = hours(24 * 180);
        known_address::remember(conn, &ann, "place8", NOON + hours(25))?;
        assert!(knows(conn, "place8", NOON + half_a_year + hours(24))?);
        assert!(!knows(conn, "place1", NOON + half_a_year + hours(24))?);
        assert_eq!(known_address::purge(conn, NOON + half_a_year + hours(24), 9)?, 7);

        user::raise_generation(conn, ann.id)?;
        assert!(!knows(conn, "place8", NOON + hours(26))?);
        let ann = user::by_id(conn, ann.id)?.unwrap();
        known_address::remember(conn, &ann, "place8", NOON + hours(26))?;
        assert!(knows(conn, "place8", NOON + hours(26))?);
        user::delete(conn, ann.id)
    })
    .await;
}

#[tokio::test]
async fn two_factor_sign_in() {
    on_both(|conn| {
        let ann = made(conn, "ann")?.id;
        assert!(two_factor::of(conn, ann)?.is_none());
        two_factor::begin(conn, ann, "first", NOON)?;
        two_factor::begin(conn, ann, "second", NOON + seconds(1))?;
        assert!(!two_factor::is_on(conn, ann)?);
        assert!(!two_factor::confirm(conn, ann, "first", NOON)?);
        assert!(two_factor::confirm(conn, ann, "second", NOON + seconds(2))?);
        assert!(!two_factor::confirm(conn, ann, "second", NOON + seconds(3))?);
        let row = two_factor::of(conn, ann)?.unwrap();
        let told = (row.user_id, row.secret.as_str(), row.last_step, row.created_at, row.confirmed_at);
        assert_eq!(told, (ann, "second", 0, NOON + seconds(1), Some(NOON + seconds(2))));

        assert!(two_factor::use_step(conn, ann, 7)?);
        assert!(!two_factor::use_step(conn, ann, 7)? && !two_factor::use_step(conn, ann, 6)?);
        two_factor::set_codes(conn, ann, &["a".into(), "b".into()])?;
        assert!(two_factor::use_code(conn, ann, "a")? && !two_factor::use_code(conn, ann, "a")?);
        assert_eq!(two_factor::codes_left(conn, ann)?, 1);
        two_factor::set_codes(conn, ann, &["c".into()])?;
        assert!(!two_factor::use_code(conn, ann, "b")?);
        assert!(two_factor::remove(conn, ann)? && !two_factor::remove(conn, ann)?);
        assert_eq!(two_factor::codes_left(conn, ann)?, 0);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_api_key_has_one_present_secret_and_for_a_while_those_before() {
    fn story(conn: &mut Conn) -> Result<()> {
        let ann = made(conn, "ann")?;
        let new = NewApiKey {
            user: ann.id,
            name: "nightly".into(),
            scopes: "tasks.view".into(),
            ip_ranges: String::new(),
            expires_at: None,
        };
        let first = Secret::from("a chosen one");
        let (second, third) = (api_key::new_secret()?, api_key::new_secret()?);
        let key = api_key::insert(conn, &new, &first, NOON)?.unwrap();
        // One that is in use is told, and the transaction goes on.
        assert!(api_key::insert(conn, &new, &first, NOON)?.is_err());
        assert_eq!(api_key::count(conn, ann.id)?, 1);

        let digest = |secret: &Secret| KeyDigest::of(secret.expose().as_bytes());
        let tomorrow = NOON + days(1);
        let rotated = api_key::rotate(conn, key.id, &second, tomorrow, NOON)?;
        assert_eq!(rotated.prefix, api_key::prefix_of(second.expose().as_bytes()));
        let found = api_key::by_prefix(conn, &key.prefix)?;
        assert_eq!((found[0].0, found[0].1, found[0].2.id), (digest(&first), Some(tomorrow), key.id));
        let found = api_key::by_prefix(conn, &rotated.prefix)?;
        assert_eq!((found[0].0, found[0].1), (digest(&second), None));
        // No rotation makes an old one live longer, and one without overlap ends all of them.
        api_key::rotate(conn, key.id, &third, NOON + days(2), NOON)?;
        assert_eq!(api_key::by_prefix(conn, &key.prefix)?[0].1, Some(tomorrow));
        assert_eq!(api_key::digests(conn, key.id)?.len(), 3);
        let last = api_key::new_secret()?;
        api_key::rotate(conn, key.id, &last, NOON, NOON)?;
        assert_eq!(api_key::digests(conn, key.id)?, [digest(&last)]);
        assert!(api_key::by_digest(conn, &digest(&third))?.is_none());

        api_key::touch(conn, key.id, NOON - minutes(1), NOON)?;
        api_key::touch(conn, key.id, NOON - seconds(1), NOON + seconds(59))?; // once a minute
        assert_eq!(api_key::by_id(conn, ann.id, key.id)?.unwrap().last_used_at, Some(NOON));
        assert!(api_key::by_id(conn, ann.id + 1, key.id)?.is_none());
        let changes = ApiKeyChanges { expires_at: Some(Some(tomorrow)), ..ApiKeyChanges::default() };
        assert_eq!(api_key::update(conn, key.id, &changes)?.expires_at, Some(tomorrow));
        assert_eq!(api_key::update(conn, key.id, &ApiKeyChanges::default())?.expires_at, Some(tomorrow));
        user::delete(conn, ann.id)?;
        assert!(api_key::by_digest(conn, &digest(&last))?.is_none());
        Ok(())
    }
    on_both(story).await;
}
