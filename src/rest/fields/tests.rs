//! What the fields of a body take and refuse, as the reference answered.

#![allow(clippy::unwrap_used)]
use super::*;
use chrono::NaiveDate;
use proptest::prelude::*;
use serde_json::json;

#[derive(Debug, Default, PartialEq)]
struct Task {
    title: Option<String>,
    description: Option<String>,
    completed: Option<bool>,
    due_date: Option<Option<NaiveDate>>,
}

impl Input for Task {
    fn read(f: &mut Fields) -> Self {
        f.read_only("id", "integer");
        let title = f.text("title").required().max(200).get();
        let description = f.text("description").blank().get();
        let completed = f.boolean("completed").get();
        let due_date = f.date("due_date").nullable().get();
        f.read_only("user", "field");
        f.read_only("created_at", "datetime");
        Self { title, description, completed, due_date }
    }
}

/// One of each kind, and the rarer rules.
#[derive(Debug, PartialEq)]
struct Odd {
    email: String,
    count: Option<i64>,
    nick: Option<Option<String>>,
    flag: Option<Option<bool>>,
    name: Option<String>,
    sure: Option<bool>,
}

impl Input for Odd {
    fn read(f: &mut Fields) -> Self {
        let no_space = |text: &str| if text.contains(' ') { Err("No spaces.") } else { Ok(()) };
        let email = f.email("email").label("Address").blank().value();
        let count = f.integer("count").get();
        let nick = f.text("nick").nullable().get();
        let flag = f.boolean("flag").nullable().get();
        let name = f.text("name").matching(no_space).max(5).get();
        let sure = f.boolean("sure").required().get();
        if count == Some(13) {
            f.reject("name", "Unlucky.");
            f.reject("count", "Unlucky.");
        }
        Self { email, count, nick, flag, name, sure }
    }
}

fn json_of(value: Value) -> Payload {
    match value {
        Value::Object(object) => Payload::Json(object),
        other => panic!("{other}"),
    }
}

fn body(text: &str) -> Payload {
    json_of(serde_json::from_str(text).unwrap())
}

fn form(query: &str) -> Payload {
    Payload::Form(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
}

fn complaints<I: Input>(payload: Payload) -> Value {
    match read_input::<I>(payload, false) {
        Ok(_) => json!({}),
        Err(error) => error.body(),
    }
}

fn task(payload: Payload) -> Task {
    read_input(payload, false).unwrap()
}

fn odd(payload: Payload) -> Odd {
    read_input(payload, true).unwrap()
}

#[test]
fn all_complaints_are_told_at_once_in_order_of_declaration() {
    let sent = json!({ "due_date": "x", "completed": "x", "description": [], "title": "" });
    let told = r#"{"title":["This field may not be blank."],"description":["Not a valid string."],"completed":["Must be a valid boolean."],"due_date":["Date has wrong format. Use one of these formats instead: YYYY-MM-DD."]}"#;
    assert_eq!(complaints::<Task>(json_of(sent)).to_string(), told);
}

#[test]
fn text_is_refused_in_the_words_of_drf() {
    for (sent, told) in [
        ("{}", json!(["This field is required."])),
        (r#"{"title":null}"#, json!(["This field may not be null."])),
        (r#"{"title":""}"#, json!(["This field may not be blank."])),
        (r#"{"title":"\u001c\u2028"}"#, json!(["This field may not be blank."])),
        (r#"{"title":true}"#, json!(["Not a valid string."])),
        (r#"{"title":[1]}"#, json!(["Not a valid string."])),
        (r#"{"title":{"a":1}}"#, json!(["Not a valid string."])),
        (r#"{"title":"x\u0000"}"#, json!(["Null characters are not allowed."])),
    ] {
        assert_eq!(complaints::<Task>(body(sent)), json!({ "title": told }), "{sent}");
    }
    let long = format!("a\0{}", "b".repeat(201));
    let told = json!(["Ensure this field has no more than 200 characters.", "Null characters are not allowed."]);
    assert_eq!(complaints::<Task>(json_of(json!({ "title": long }))), json!({ "title": told }));
}

#[test]
fn text_is_trimmed_before_it_is_measured_and_numbers_become_text() {
    let sent = json!({ "title": format!("\u{a0}{}\n", "é".repeat(200)), "description": "\na\n\nb \u{200b}\u{3000}" });
    let read = task(json_of(sent));
    assert_eq!(read.title, Some("é".repeat(200)));
    assert_eq!(read.description.as_deref(), Some("a\n\nb \u{200b}"));
    for (sent, text) in [("5", "5"), ("-0", "0"), ("1.0", "1.0"), ("1e16", "1e+16"), ("1e400", "inf")] {
        assert_eq!(task(body(&format!("{{\"title\":{sent}}}"))).title.as_deref(), Some(text), "{sent}");
    }
}

#[test]
fn an_absent_field_is_none_and_null_is_some_none() {
    let read = task(json_of(json!({ "title": "t", "due_date": null, "unknown": 1, "id": "x" })));
    assert_eq!(read, Task { title: Some("t".into()), due_date: Some(None), ..Task::default() });
    assert_eq!(
        complaints::<Task>(json_of(json!({ "title": "t", "description": null, "completed": null }))),
        json!({
            "description": ["This field may not be null."],
            "completed": ["This field may not be null."],
        })
    );
}

#[test]
fn a_partial_body_lacks_what_it_likes() {
    assert_eq!(read_input::<Task>(body("{}"), true).unwrap(), Task::default());
    let error = read_input::<Task>(body(r#"{"title":""}"#), true).unwrap_err();
    assert_eq!(error.body(), json!({ "title": ["This field may not be blank."] }));
}

#[test]
fn there_are_many_ways_to_say_yes_and_no() {
    let said = |value: &str| complaints_or(&format!(r#"{{"title":"t","completed":{value}}}"#));
    for yes in ["true", "1", "1.0", "1e0", "1.00000000000000000000001", r#""T""#, r#""Yes""#, r#""on""#, r#""1""#] {
        assert_eq!(said(yes), Some(true), "{yes}");
    }
    for no in ["false", "0", "-0", "-0.0", r#""F""#, r#""No""#, r#""OFF""#, r#""0""#] {
        assert_eq!(said(no), Some(false), "{no}");
    }
    for other in ["2", "1e400", r#""""#, r#"" true ""#, r#""null""#, r#""maybe""#, "[]", "{}"] {
        assert_eq!(said(other), None, "{other}");
    }
}

fn complaints_or(text: &str) -> Option<bool> {
    read_input::<Task>(body(text), false).ok().and_then(|task| task.completed)
}

#[test]
fn a_date_is_a_day_of_the_calendar() {
    let read = |value: &str| read_input::<Task>(body(&format!(r#"{{"title":"t","due_date":{value}}}"#)), false);
    for day in [r#""2028-02-29""#, r#""0001-01-01""#, r#""9999-12-31""#] {
        assert_eq!(read(day).unwrap().due_date.flatten().map(|day| format!("\"{day}\"")).as_deref(), Some(day));
    }
    for other in [
        r#""2026-02-30""#,
        r#""28/02/2026""#,
        r#""""#,
        r#""2026-02-28T10:00:00Z""#,
        "20260228",
        "[]",
        "true",
        "1e400",
        r#""0000-01-01""#,
        r#"" 2026-01-01""#,
        r#""2026-1-001""#,
        r#""-026-01-01""#,
        r#""2026-01--1""#,
        r#""20260-1-01""#,
    ] {
        assert!(read(other).is_err(), "{other}");
    }
}

#[test]
fn in_a_form_emptiness_says_null_and_absence_says_false() {
    let read = task(form("title=t"));
    assert_eq!(read, Task { title: Some("t".into()), completed: Some(false), ..Task::default() });
    let read = task(form("title=a&title=+b+&completed=on&description=&due_date="));
    assert_eq!((read.title.as_deref(), read.completed), (Some("b"), Some(true)));
    assert_eq!((read.description.as_deref(), read.due_date), (Some(""), Some(None)));
    assert_eq!(task(form("title=t&completed=")).completed, None);
    assert_eq!(read_input::<Task>(form("title=t"), true).unwrap().completed, None);
    assert_eq!(
        complaints::<Task>(form("title=+&completed=null&due_date=+")),
        json!({
            "title": ["This field may not be blank."],
            "completed": ["Must be a valid boolean."],
            "due_date": ["Date has wrong format. Use one of these formats instead: YYYY-MM-DD."],
        })
    );
    assert_eq!(complaints::<Task>(form("")), json!({ "title": ["This field is required."] }));
}

#[test]
fn an_empty_text_in_a_form_is_no_text_unless_it_may_be_blank_or_null() {
    assert_eq!(odd(form("name=")).name, None);
    assert_eq!(odd(form("nick=")).nick, Some(None));
    assert_eq!(odd(form("email=")).email, "");
    assert_eq!(
        complaints::<Odd>(body(r#"{"name":"","nick":"","sure":0}"#)),
        json!({
            "nick": ["This field may not be blank."],
            "name": ["This field may not be blank."],
        })
    );
}

#[test]
fn a_required_boolean_may_lack_in_a_form_but_not_be_empty() {
    assert_eq!(read_input::<Odd>(form(""), false).unwrap().sure, Some(false));
    assert_eq!(complaints::<Odd>(form("sure=")), json!({ "sure": ["Must be a valid boolean."] }));
}

#[test]
fn a_boolean_that_may_be_null_says_so_in_words_too() {
    for sent in ["null", r#""null""#, r#""""#, r#""NULL""#] {
        assert_eq!(odd(body(&format!(r#"{{"flag":{sent}}}"#))).flag, Some(None), "{sent}");
    }
    assert_eq!(read_input::<Odd>(form(""), false).unwrap().flag, Some(None));
}

#[test]
fn no_field_takes_a_file_and_a_later_part_counts() {
    let parts = |parts: &[(&str, Option<&str>)]| {
        let owned = |(name, text): &(&str, Option<&str>)| ((*name).to_owned(), text.map(str::to_owned));
        Payload::Multipart(parts.iter().map(owned).collect())
    };
    let sent = parts(&[("title", Some("t")), ("title", None), ("completed", None), ("due_date", None)]);
    assert_eq!(
        complaints::<Task>(sent),
        json!({
            "title": ["Not a valid string."],
            "completed": ["Must be a valid boolean."],
            "due_date": ["Date has wrong format. Use one of these formats instead: YYYY-MM-DD."],
        })
    );
    assert_eq!(task(parts(&[("title", None), ("title", Some("t"))])).title.as_deref(), Some("t"));
}

#[test]
fn an_address_is_at_most_254_characters_of_the_right_shape() {
    let address = "Enter a valid email address.";
    let long = "Ensure this field has no more than 254 characters.";
    let email = |email: Value| complaints::<Odd>(json_of(json!({ "sure": 1, "email": email })));
    for wrong in [json!([]), json!({}), json!(true), json!(5), json!("nope")] {
        assert_eq!(email(wrong), json!({ "email": [address] }));
    }
    assert_eq!(email(json!(null)), json!({ "email": ["This field may not be null."] }));
    assert_eq!(email(json!(format!("{}@ex.org", "x".repeat(310)))), json!({ "email": [long] }));
    assert_eq!(email(json!(format!("{}@ex.org", "x".repeat(400)))), json!({ "email": [long, address] }));
    assert_eq!(email(json!("a\0@x.org")), json!({ "email": ["Null characters are not allowed.", address] }));
    assert_eq!(email(json!(" Ann@Example.org\n")), json!({}));
}

#[test]
fn our_own_checks_come_first_and_all_complaints_are_told() {
    let sent = json!({ "sure": true, "name": "a b c d" });
    let told = ["No spaces.", "Ensure this field has no more than 5 characters."];
    assert_eq!(complaints::<Odd>(json_of(sent)), json!({ "name": told }));
    let told = r#"{"name":["No spaces.","Unlucky."],"count":["Unlucky."]}"#;
    let sent = json!({ "sure": true, "name": "a b", "count": 13 });
    assert_eq!(complaints::<Odd>(json_of(sent)).to_string(), told);
}

#[test]
fn whole_numbers_come_as_numbers_or_text() {
    for (sent, number) in [("5", 5), ("-7", -7), ("1.0", 1), (r#"" +5 ""#, 5), (r#""5.00""#, 5), (r#""5.""#, 5)] {
        assert_eq!(odd(body(&format!(r#"{{"count":{sent}}}"#))).count, Some(number), "{sent}");
    }
    for sent in ["1.5", "1e30", "99999999999999999999", "true", "[]", r#""""#, r#""x""#, r#""1e3""#] {
        let told = complaints::<Odd>(body(&format!(r#"{{"sure":1,"count":{sent}}}"#)));
        assert_eq!(told, json!({ "count": ["A valid integer is required."] }), "{sent}");
    }
}

/// A moment and lists.
#[derive(Debug, PartialEq)]
struct Plan {
    at: Option<Option<Timestamp>>,
    steps: Option<Vec<String>>,
    notes: Option<Vec<String>>,
}

impl Input for Plan {
    fn read(f: &mut Fields) -> Self {
        let at = f.datetime("at").nullable().get();
        let steps = f.texts("steps").required().get();
        Self { at, steps, notes: f.texts("notes").blank().get() }
    }
}

#[test]
fn a_moment_has_an_offset_or_is_utc() {
    let at = |text: &str| {
        let plan = read_input::<Plan>(json_of(json!({ "at": text, "steps": ["x"] })), false);
        plan.ok().and_then(|plan| plan.at.flatten()).map(Timestamp::rfc3339)
    };
    for (text, read) in [
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"),
        (" 2026-03-01T10:00:00+02:00 ", "2026-03-01T08:00:00Z"),
        ("2026-03-01T10:00:00.25-00:30", "2026-03-01T10:30:00.250000Z"),
        ("2026-03-01T10:00", "2026-03-01T10:00:00Z"),
        ("2026-03-01T10:00+01:00", "2026-03-01T09:00:00Z"),
        ("2026-03-01T10:00:00.000001", "2026-03-01T10:00:00.000001Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    ] {
        assert_eq!(at(text).as_deref(), Some(read), "{text}");
    }
    for text in [
        "",
        "2026-03-01",
        "10:00",
        "2026-02-30T10:00:00Z",
        "2026-03-01T25:00:00Z",
        "+10000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "0000-12-31T00:00:00Z",
        "1767268800",
        "2026-03-01T10:00:00Zx",
    ] {
        assert_eq!(at(text), None, "{text}");
    }
}

#[test]
fn a_list_is_of_texts_and_a_form_says_its_name_for_each() {
    let read = |payload| read_input::<Plan>(payload, false).map(|plan| (plan.steps.unwrap(), plan.notes));
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let steps = json_of(json!({ "steps": [" a ", "", 1, "b"], "notes": [] }));
    assert_eq!(read(steps).unwrap(), (owned(&["a", "1", "b"]), Some(Vec::new())));
    assert_eq!(read(form("steps=a&at=&steps=b")).unwrap(), (owned(&["a", "b"]), None));
    assert_eq!(read(form("steps=a&notes=")).unwrap(), (owned(&["a"]), Some(Vec::new())));
    let file = Payload::Multipart(vec![("steps".into(), Some("a".into())), ("steps".into(), None)]);
    assert_eq!(complaints::<Plan>(file), json!({ "steps": ["Not a valid string."] }));
    let is_not = |kind: &str| json!({ "steps": [format!("Expected a list of items but got type \"{kind}\".")] });
    for (value, kind) in
        [(json!("a"), "str"), (json!(1), "int"), (json!(1.5), "float"), (json!(true), "bool"), (json!({}), "dict")]
    {
        assert_eq!(complaints::<Plan>(json_of(json!({ "steps": value }))), is_not(kind));
    }
    for empty in [json!([]), json!(["", " "])] {
        let told = json!({ "steps": ["This list may not be empty."] });
        assert_eq!(complaints::<Plan>(json_of(json!({ "steps": empty }))), told);
    }
    assert_eq!(complaints::<Plan>(form("")), json!({ "steps": ["This field is required."] }));
    assert_eq!(
        complaints::<Plan>(json_of(json!({ "steps": ["a\0"] }))),
        json!({ "steps": ["Null characters are not allowed."] })
    );
}

#[test]
fn options_tells_what_is_declared() {
    let told = concat!(
        r#"{"id":{"type":"integer","required":false,"read_only":true,"label":"ID"},"#,
        r#""title":{"type":"string","required":true,"read_only":false,"label":"Title","max_length":200},"#,
        r#""description":{"type":"string","required":false,"read_only":false,"label":"Description"},"#,
        r#""completed":{"type":"boolean","required":false,"read_only":false,"label":"Completed"},"#,
        r#""due_date":{"type":"date","required":false,"read_only":false,"label":"Due date"},"#,
        r#""user":{"type":"field","required":false,"read_only":true,"label":"User"},"#,
        r#""created_at":{"type":"datetime","required":false,"read_only":true,"label":"Created at"}}"#,
    );
    assert_eq!(serde_json::to_string(&actions::<Task>()).unwrap(), told);
    let labels: Vec<_> = describe::<Odd>().into_iter().map(|info| (info.name, info.label, info.max_length)).collect();
    assert_eq!(labels.first(), Some(&("email", "Address".into(), Some(254))));
}

proptest! {
    #[test]
    fn no_value_makes_it_stumble(text in "\\PC{0,20}", number in "-?[0-9]{1,25}(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,4})?") {
        for value in [json!(text), serde_json::from_str(&number).unwrap_or(Value::Null)] {
            let all = ["title", "description", "completed", "due_date", "email", "count", "nick", "flag", "name", "sure"];
            let sent: Map<String, Value> = all.iter().map(|name| ((*name).to_owned(), value.clone())).collect();
            let _ = read_input::<Task>(Payload::Json(sent.clone()), false);
            let _ = read_input::<Odd>(Payload::Json(sent), false);
        }
    }
}
