//! R11: the API describes itself.

use portcullis::settings::social::Provider;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::spec::operations;

async fn described(app: &TestApp) -> Value {
    app.anonymous().get("/api/schema/").await.ok()
}

#[actix_web::test]
async fn every_method_of_every_route_is_described() {
    let app = TestApp::new().await;
    let document = described(&app).await;
    let all = operations(&document);
    assert!(all.len() > 70, "{}", all.len());
    for (path, method, told) in &all {
        assert!(
            told["summary"].as_str().is_some_and(|words| !words.is_empty()),
            "{method} {path} is in no line of answers.rs"
        );
        let responses = told["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with(['1', '2'])), "{method} {path} has no good answer");
    }
    let mut ids: Vec<&str> = all.iter().map(|(.., told)| told["operationId"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all.len(), "two operations have one id");
}

/// What is mounted and not described would answer all the same: so every path answers, and no other method of it does.
#[actix_web::test]
async fn what_is_described_is_what_answers() {
    let app = TestApp::new().await;
    let document = described(&app).await;
    let root = app.user("root").superuser().await.signed_in().await;
    for (path, view) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "4711");
        if path.starts_with("/api/v1/") {
            let answer = root.options(&path).await;
            let told: Vec<&str> = answer
                .header("allow")
                .unwrap()
                .split(", ")
                .filter(|verb| !["HEAD", "OPTIONS"].contains(verb))
                .collect();
            let mut described: Vec<String> = view.as_object().unwrap().keys().map(|key| key.to_uppercase()).collect();
            described.retain(|key| key != "PARAMETERS");
            let order = ["GET", "POST", "PUT", "PATCH", "DELETE"];
            described.sort_by_key(|verb| order.iter().position(|known| known == verb));
            assert_eq!(told, described, "{path}");
        }
    }
}

#[actix_web::test]
async fn a_body_is_described_by_the_rules_that_read_it() {
    let app = TestApp::new().await;
    let document = described(&app).await;
    let task = &document["components"]["schemas"]["TaskListPost"];
    assert_eq!(task["required"], json!(["title"]));
    assert_eq!(
        task["properties"]["title"],
        json!({
            "type": "string", "title": "Title", "maxLength": 200, "minLength": 1, "pattern": r"\S", "examples": ["Buy milk"],
        })
    );
    assert_eq!(task["properties"]["due_date"]["type"], json!(["string", "null"]));
    assert_eq!(task["properties"].get("id"), None, "only the server sets it");
    let change = &document["components"]["schemas"]["TaskInstancePatch"];
    assert_eq!(change.get("required"), None, "what PATCH leaves out is left alone");
}

#[actix_web::test]
async fn who_may_is_described_by_the_permission_itself() {
    let app = TestApp::new().await;
    let document = described(&app).await;
    let both = json!([{ "bearer": [] }, { "apiKey": [] }]);
    for (path, method, security, words) in [
        ("/api/v1/token/", "post", json!([]), "Open to all; credentials are not read."),
        ("/api/v1/hello/", "get", both.clone(), "Permission: `IsAuthenticated`. Any API key will do."),
        (
            "/api/v1/tasks/",
            "post",
            both.clone(),
            "Permission: `IsAuthenticated`. An API key needs the scope `tasks.add` or `*`.",
        ),
        ("/api/v1/keys/", "get", json!([{ "bearer": [] }]), "Permission: `IsSignedIn`. Not for API keys."),
        (
            "/api/v1/register/",
            "post",
            json!([{}, { "bearer": [] }, { "apiKey": [] }]),
            "Permission: `AllowAny`. Any API key will do.",
        ),
        (
            "/api/v1/token/introspect/",
            "post",
            both,
            "Permission: `Or<(IsAuthenticated, IsAdminUser), HasPermission<View<Services>>>`. An API key needs the scope `services.view` or `*`.",
        ),
    ] {
        let told = &document["paths"][path][method];
        assert_eq!((&told["security"], told["description"].as_str()), (&security, Some(words)), "{method} {path}");
    }
}

#[actix_web::test]
async fn settings_show_in_the_description() {
    let app = TestApp::with(|settings| {
        settings.jwt.refresh_cookie = true;
        settings.jwt.auth_header_types = vec!["JWT".into()];
    })
    .await;
    let document = described(&app).await;
    assert_eq!(document["components"]["schemas"]["Pair"]["required"], json!(["access"]));
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["type"], "apiKey");
    let paths = document["paths"].as_object().unwrap();
    assert!(!paths.keys().any(|path| path.contains("/auth/")), "no provider is set up");
}

/// Of every record, asked and answered, and of every refusal; and each is one that the record allows.
#[actix_web::test]
async fn everything_is_shown_by_an_example_that_is_as_described() {
    let app = TestApp::with(|settings| {
        let google = Provider { client_id: vec!["ours".into()], ..Provider::default() };
        settings.social.insert("google".into(), google);
    })
    .await;
    let document = described(&app).await;
    let schemas = &document["components"]["schemas"];
    let judge = |name: &str, schema: &Value, example: &Value| {
        let whole = json!({ "allOf": [schema], "components": { "schemas": schemas } });
        let validator = jsonschema::options().should_validate_formats(true).build(&whole).unwrap();
        let faults: Vec<_> = validator.iter_errors(example).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{name}: {example}: {faults:?}");
    };
    for (name, schema) in schemas.as_object().unwrap() {
        let examples = schema["examples"].as_array().unwrap_or_else(|| panic!("{name} has no example"));
        assert!(!examples.is_empty(), "{name}");
        examples.iter().for_each(|example| judge(name, schema, example));
    }
    for (status, response) in document["components"]["responses"].as_object().unwrap() {
        if status != "304" {
            let kind = if status.starts_with("v2.") { "application/problem+json" } else { "application/json" };
            let told = &response["content"][kind];
            assert!(told["example"].is_object(), "{status} has no example");
            judge(status, &told["schema"], &told["example"]);
        }
    }
}
