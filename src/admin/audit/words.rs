//! The codes of the audit log, as people say them. Log and exports keep the codes.

use crate::admin::users::Badge;
use crate::model::audit::list::Line;

/// Every code, and what it says was done.
pub const ACTIONS: [(&str, &str); 64] = [
    ("user.create", "User added"),
    ("user.change", "User changed"),
    ("user.activate", "User activated"),
    ("user.deactivate", "User deactivated"),
    ("user.delete", "User deleted"),
    ("user.password", "Password set"),
    ("user.send_reset", "Password reset sent"),
    ("user.preferences", "Preferences changed"),
    ("user.sign_out", "Signed out everywhere"),
    ("user.create_superuser", "Superuser made"),
    ("user.two_factor_begin", "Two-factor sign-in begun"),
    ("user.two_factor_on", "Two-factor sign-in on"),
    ("user.two_factor_codes", "New recovery codes"),
    ("user.two_factor_off", "Two-factor sign-in off"),
    ("user.two_factor_reset", "Two-factor sign-in reset"),
    ("role.create", "Role added"),
    ("role.change", "Role changed"),
    ("role.delete", "Role deleted"),
    ("role.give", "Role given"),
    ("role.take", "Role taken"),
    ("session.end", "Session ended"),
    ("session.end_others", "Other sessions ended"),
    ("session.end_everybodys", "Everybody signed out"),
    ("token.revoke", "Token revoked"),
    ("token.restore", "Token restored"),
    ("token.inspect", "Token inspected"),
    ("token.sweep", "Expired tokens swept"),
    ("token.flush", "Expired tokens deleted"),
    ("blacklist.add", "Token blacklisted"),
    ("invitation.create", "Invitation sent"),
    ("invitation.revoke", "Invitation taken back"),
    ("invitation.send_again", "Invitation sent again"),
    ("attention.dismiss", "Put away for a day"),
    ("mail.test", "Test letter sent"),
    ("mail.send_again", "Letter sent again"),
    ("throttling.clear", "Counts cleared"),
    ("throttling.hold", "Held back"),
    ("throttling.never", "Never held back"),
    ("api_key.create", "API key made"),
    ("api_key.rotate", "API key rotated"),
    ("api_key.revoke", "API key revoked"),
    ("signing_key.add", "Signing key added"),
    ("signing_key.add_legacy", "Signing key brought in"),
    ("signing_key.rotate", "Signing key rotated"),
    ("signing_key.retire", "Signing key retired"),
    ("signing_key.condemn", "Signing key condemned"),
    ("import.django", "Taken over from Django"),
    ("article.create", "Article added"),
    ("article.change", "Article changed"),
    ("article.delete", "Article deleted"),
    ("task.create", "Task added"),
    ("task.change", "Task changed"),
    ("task.delete", "Task deleted"),
    ("list.export", "List exported"),
    ("panel.setup", "First administrator made"),
    ("panel.started", "First step of the server"),
    ("panel.sign_in", "Signed in to the panel"),
    ("panel.sign_out", "Signed out of the panel"),
    ("panel.password_again", "Password shown again"),
    ("panel.bulk", "Done to many"),
    ("panel.undo", "Undone"),
    ("job.begin", "Job begun"),
    ("job.stop", "Job stopped"),
    ("audit.sweep", "Audit log swept"),
];

/// The kinds of objects.
pub const KINDS: [(&str, &str); 15] = [
    ("user", "Users"),
    ("role", "Roles"),
    ("session", "Sessions"),
    ("token", "Tokens"),
    ("api key", "API keys"),
    ("signing key", "Signing keys"),
    ("invitation", "Invitations"),
    ("letter", "Letters"),
    ("attention", "Needs attention"),
    ("throttling", "Throttling"),
    ("article", "Articles"),
    ("task", "Tasks"),
    ("job", "Jobs"),
    ("audit", "Audit log"),
    ("server", "Server"),
];

/// What came of acts.
pub const RESULTS: [(&str, &str); 3] = [("done", "Done"), ("refused", "Refused"), ("failed", "Failed")];

/// What a code says was done; the code itself, if it is none that this version knows.
pub fn action(code: &str) -> String {
    ACTIONS.iter().find(|(known, _)| *known == code).map_or(code, |(_, words)| words).to_owned()
}

/// What came of an act, where that is not that it was done.
pub fn result(line: &Line) -> Option<Badge> {
    match line.result.as_str() {
        "done" => None,
        "refused" => Some(Badge { kind: "warn", text: "Refused".to_owned(), icon: "ban" }),
        _ => Some(Badge { kind: "bad", text: "Failed".to_owned(), icon: "fail" }),
    }
}

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
    name.strip_prefix("is_").unwrap_or(name).replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::audits::ACTS;

    #[test]
    fn every_code_of_the_panel_has_words() {
        for (_, code, _) in ACTS {
            assert_ne!(action(code), code);
        }
        assert_eq!(action("of.tomorrow"), "of.tomorrow");
    }

    #[test]
    fn two_fields_are_named_and_the_rest_is_counted() {
        assert_eq!(fields(""), "");
        assert_eq!(fields("email"), "email");
        assert_eq!(fields("email, is_active"), "email, active");
        assert_eq!(fields("email, is_active, roles, sessions_ended"), "email, active +2");
    }
}
