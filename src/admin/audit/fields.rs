//! The fields that entries of the audit log tell of, as people say them.

use crate::language::Said;

/// Every field that an entry of this version may tell of.
const FIELDS: [(&str, &str); 62] = [
    ("username", key!("username")),
    ("email", key!("email")),
    ("email_verified", key!("email verified")),
    ("first_name", key!("first name")),
    ("last_name", key!("last name")),
    ("phone_number", key!("phone number")),
    ("date_of_birth", key!("date of birth")),
    ("password", key!("password")),
    ("is_active", key!("active")),
    ("is_staff", key!("staff")),
    ("is_superuser", key!("superuser")),
    ("is_premium", key!("premium")),
    ("time_zone", key!("time zone")),
    ("is_service", key!("service")),
    ("roles", key!("roles")),
    ("roles_given", key!("roles given")),
    ("roles_taken", key!("roles taken")),
    ("name", key!("name")),
    ("description", key!("description")),
    ("permissions", key!("permissions")),
    ("owner", key!("owner")),
    ("scopes", key!("scopes")),
    ("expires_at", key!("expires at")),
    ("overlap_hours", key!("overlap hours")),
    ("title", key!("title")),
    ("body", key!("body")),
    ("author", key!("author")),
    ("completed", key!("completed")),
    ("due_date", key!("due date")),
    ("user", key!("user")),
    ("users", key!("users")),
    ("act", key!("act")),
    ("active", key!("active")),
    ("address", key!("address")),
    ("algorithm", key!("algorithm")),
    ("articles_deleted", key!("articles deleted")),
    ("tasks_deleted", key!("tasks deleted")),
    ("changed", key!("changed")),
    ("device", key!("device")),
    ("done", key!("done")),
    ("of", key!("of")),
    ("up_to", key!("up to")),
    ("rows", key!("rows")),
    ("filter", key!("filter")),
    ("entries", key!("entries")),
    ("force", key!("force")),
    ("holders", key!("holders")),
    ("query", key!("query")),
    ("revoked", key!("revoked")),
    ("session", key!("session")),
    ("sessions", key!("sessions")),
    ("sessions_ended", key!("sessions ended")),
    ("tokens", key!("tokens")),
    ("tokens_ended", key!("tokens ended")),
    ("tokens_revoked", key!("tokens revoked")),
    ("undoes", key!("undoes")),
    ("until", key!("until")),
    ("verdict", key!("verdict")),
    ("started_away", key!("started away")),
    ("backup_set", key!("backup set")),
    ("server_name", key!("server name")),
    ("server_time_zone", key!("server time zone")),
];

/// Fields that a list names; the rest is counted.
const NAMED: usize = 2;

/// The changed fields of an entry in a word: "email, roles +3".
pub fn fields(names: &str) -> String {
    let all: Vec<&str> = names.split(", ").filter(|name| !name.is_empty()).collect();
    let more = all.len().saturating_sub(NAMED);
    let named = all.iter().take(NAMED).map(|name| field(name)).collect::<Vec<_>>().join(", ");
    if more == 0 { named } else { format!("{named} +{more}") }
}

/// A field's name for people: `is_active` is "active", `sessions_ended` "sessions ended".
pub fn field(name: &str) -> String {
    match FIELDS.iter().find(|(known, _)| *known == name) {
        Some((_, words)) => Said::of(*words).to_string(),
        None => name.strip_prefix("is_").unwrap_or(name).replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_fields_are_named_and_the_rest_is_counted() {
        assert_eq!(fields(""), "");
        assert_eq!(fields("email"), "email");
        assert_eq!(fields("email, is_active"), "email, active");
        assert_eq!(fields("email, is_active, roles, sessions_ended"), "email, active +2");
    }
}
