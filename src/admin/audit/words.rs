//! The codes of the audit log, as people say them. Log and exports keep the codes.

use crate::admin::users::Badge;
use crate::language::Said;
use crate::model::audit::list::Line;

/// Every code, and what it says was done.
pub const ACTIONS: [(&str, &str); 64] = [
    ("user.create", key!("User added")),
    ("user.change", key!("User changed")),
    ("user.activate", key!("User activated")),
    ("user.deactivate", key!("User deactivated")),
    ("user.delete", key!("User deleted")),
    ("user.password", key!("Password set")),
    ("user.send_reset", key!("Password reset sent")),
    ("user.preferences", key!("Preferences changed")),
    ("user.sign_out", key!("Signed out everywhere")),
    ("user.create_superuser", key!("Superuser made")),
    ("user.two_factor_begin", key!("Two-factor sign-in begun")),
    ("user.two_factor_on", key!("Two-factor sign-in on")),
    ("user.two_factor_codes", key!("New recovery codes")),
    ("user.two_factor_off", key!("Two-factor sign-in off")),
    ("user.two_factor_reset", key!("Two-factor sign-in reset")),
    ("role.create", key!("Role added")),
    ("role.change", key!("Role changed")),
    ("role.delete", key!("Role deleted")),
    ("role.give", key!("Role given")),
    ("role.take", key!("Role taken")),
    ("session.end", key!("Session ended")),
    ("session.end_others", key!("Other sessions ended")),
    ("session.end_everybodys", key!("Everybody signed out")),
    ("token.revoke", key!("Token revoked")),
    ("token.restore", key!("Token restored")),
    ("token.inspect", key!("Token inspected")),
    ("token.sweep", key!("Expired tokens swept")),
    ("token.flush", key!("Expired tokens deleted")),
    ("blacklist.add", key!("Token blacklisted")),
    ("invitation.create", key!("Invitation sent")),
    ("invitation.revoke", key!("Invitation taken back")),
    ("invitation.send_again", key!("Invitation sent again")),
    ("attention.dismiss", key!("Put away for a day")),
    ("mail.test", key!("Test letter sent")),
    ("mail.send_again", key!("Letter sent again")),
    ("throttling.clear", key!("Counts cleared")),
    ("throttling.hold", key!("Held back")),
    ("throttling.never", key!("Never held back")),
    ("api_key.create", key!("API key made")),
    ("api_key.rotate", key!("API key rotated")),
    ("api_key.revoke", key!("API key revoked")),
    ("signing_key.add", key!("Signing key added")),
    ("signing_key.add_legacy", key!("Signing key brought in")),
    ("signing_key.rotate", key!("Signing key rotated")),
    ("signing_key.retire", key!("Signing key retired")),
    ("signing_key.condemn", key!("Signing key condemned")),
    ("import.django", key!("Taken over from Django")),
    ("article.create", key!("Article added")),
    ("article.change", key!("Article changed")),
    ("article.delete", key!("Article deleted")),
    ("task.create", key!("Task added")),
    ("task.change", key!("Task changed")),
    ("task.delete", key!("Task deleted")),
    ("list.export", key!("List exported")),
    ("panel.setup", key!("First administrator made")),
    ("panel.started", key!("First step of the server")),
    ("panel.sign_in", key!("Signed in to the panel")),
    ("panel.sign_out", key!("Signed out of the panel")),
    ("panel.password_again", key!("Password shown again")),
    ("panel.bulk", key!("Done to many")),
    ("panel.undo", key!("Undone")),
    ("job.begin", key!("Job begun")),
    ("job.stop", key!("Job stopped")),
    ("audit.sweep", key!("Audit log swept")),
];

/// The kinds of objects.
pub const KINDS: [(&str, &str); 15] = [
    ("user", key!("Users")),
    ("role", key!("Roles")),
    ("session", key!("Sessions")),
    ("token", key!("Tokens")),
    ("api key", key!("API keys")),
    ("signing key", key!("Signing keys")),
    ("invitation", key!("Invitations")),
    ("letter", key!("Letters")),
    ("attention", key!("Needs attention")),
    ("throttling", key!("Throttling")),
    ("article", key!("Articles")),
    ("task", key!("Tasks")),
    ("job", key!("Jobs")),
    ("audit", key!("Audit log")),
    ("server", key!("Server")),
];

/// What came of acts.
pub const RESULTS: [(&str, &str); 3] =
    [("done", key!("Done")), ("refused", key!("Refused")), ("failed", key!("Failed"))];

/// One object of each kind.
const OBJECTS: [(&str, &str); 15] = [
    ("user", key!("user")),
    ("role", key!("role")),
    ("session", key!("session")),
    ("token", key!("token")),
    ("api key", key!("api key")),
    ("signing key", key!("signing key")),
    ("invitation", key!("invitation")),
    ("letter", key!("letter")),
    ("attention", key!("attention")),
    ("throttling", key!("throttling")),
    ("article", key!("article")),
    ("task", key!("task")),
    ("job", key!("job")),
    ("audit", key!("audit")),
    ("server", key!("server")),
];

/// What an object of a kind is called; the code itself, if it is none that this version knows.
pub fn kind(code: &str) -> String {
    said(&OBJECTS, code)
}

/// What a code says was done; the code itself, if it is none that this version knows.
pub fn action(code: &str) -> String {
    said(&ACTIONS, code)
}

fn said(all: &[(&str, &'static str)], code: &str) -> String {
    let known = all.iter().find(|(known, _)| *known == code);
    known.map_or_else(|| code.to_owned(), |(_, words)| Said::of(*words).to_string())
}

/// What came of an act, where that is not that it was done.
pub fn result(line: &Line) -> Option<Badge> {
    match line.result.as_str() {
        "done" => None,
        "refused" => Some(Badge { kind: "warn", text: say!("Refused"), icon: "ban" }),
        _ => Some(Badge { kind: "bad", text: say!("Failed"), icon: "fail" }),
    }
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
}
