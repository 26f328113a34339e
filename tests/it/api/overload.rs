//! More than the server can do: what overflows is told to come again, and everybody else goes on.

use std::future::IntoFuture;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::app::{TestApp, no_limits};
use crate::support::people::PASSWORD;

/// A14, DOS-01.
#[actix_web::test]
async fn a_storm_of_sign_ins_is_told_to_wait_and_disturbs_nobody_who_is_signed_in() {
    let app = TestApp::with(|settings| {
        no_limits(settings);
        settings.passwords.hashing_threads = 1;
        settings.passwords.queue = 1;
    })
    .await;
    let ann = app.user("ann").await;
    let signed_in = ann.signed_in().await;
    let body = json!({ "username": "ann", "password": PASSWORD });

    let storm = join_all((0..64).map(|_| app.anonymous().post("/api/token/", body.clone()).into_future()));
    let (answers, hello) = futures_util::future::join(storm, signed_in.get("/api/hello/").into_future()).await;

    hello.is(200, json!({ "message": "Hello, ann" }));
    let (done, turned_away): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert!(!done.is_empty() && !turned_away.is_empty(), "{} of 64 signed in", done.len());
    for answer in turned_away {
        assert_eq!(answer.header("retry-after"), Some("1"));
        answer.is(503, json!({ "detail": "The server is busy. Nothing was changed; please try again." }));
    }
    // The storm is over, and nothing is left of it.
    ann.obtain().await;
}
