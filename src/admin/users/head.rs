//! The head of a user's pages: name, status, acts, tabs.

use crate::admin::layout::Face;
use crate::admin::users::{Actor, Badge, Removal, Target, rank, status};
use crate::admin::when::{Now, When};
use crate::auth::permissions::Verb;
use crate::language::Said;
use crate::model::user::User;

/// What the head shows.
pub struct Head {
    /// The user's id.
    pub id: i64,
    /// The user's name.
    pub username: String,
    /// The circle.
    pub face: Face,
    /// Active or not.
    pub status: Badge,
    /// Staff, superuser, premium.
    pub badges: Vec<Badge>,
    /// When the account was made.
    pub joined: When,
    /// Which tab is open.
    pub tab: &'static str,
    /// How many sessions live; none if the viewer may not see them.
    pub sessions: Option<usize>,
    /// Whether the viewer may see sign-ins.
    pub sees_sign_ins: bool,
    /// Whether the viewer may see the audit log.
    pub sees_history: bool,
    /// Whether the viewer may see the user's tokens, API keys, and articles or tasks.
    pub tabs: [bool; 3],
    /// Whether the account is within the viewer's reach.
    pub is_within_reach: bool,
    /// Whether the viewer may sign the user out.
    pub may_revoke: bool,
    /// Whether it is a service, which has no password.
    pub is_service: bool,
    /// Whether the viewer may set a password.
    pub may_set_password: bool,
    /// Whether the viewer may send a letter that resets it.
    pub may_send_reset: bool,
    /// Whether the viewer may create an API key for the account.
    pub may_add_key: bool,
    /// Whether the viewer may delete the account.
    pub may_delete: bool,
}

/// Why no letter that resets the password goes to the account.
pub fn cannot_send_reset(user: &User) -> Option<Said> {
    let why = match user {
        User { is_service: true, .. } => said!("a service account has no password"),
        User { is_active: false, .. } => said!("inactive"),
        User { email, .. } if email.is_empty() => said!("no e-mail address"),
        _ => return None,
    };
    Some(why)
}

impl Head {
    /// The head of this user's pages, as `actor` sees it. `live` is how many sessions live.
    pub fn new(
        user: &User,
        target: &Target,
        actor: &Actor,
        tab: &'static str,
        live: usize,
        must_be_verified: bool,
        now: Now,
    ) -> Self {
        let within_reach = actor.out_of_reach(target).is_none();
        let may = |area, verb| within_reach && actor.may(area, verb);
        let mut badges = rank(user.is_staff, user.is_superuser);
        if user.is_service {
            badges.push(Badge { kind: "", text: say!("Service"), icon: "" });
        }
        if user.is_premium {
            badges.push(Badge { kind: "", text: say!("Premium"), icon: "" });
        }
        Self {
            id: user.id,
            username: user.username.clone(),
            face: Face::of(user.id, &user.username),
            status: status(user.is_active, user.email_verified, must_be_verified),
            badges,
            joined: When::new(user.date_joined, now),
            tab,
            sessions: actor.may("sessions", Verb::View).then_some(live),
            sees_sign_ins: actor.may("sign-ins", Verb::View),
            sees_history: actor.may("audit", Verb::View),
            tabs: [
                actor.may("tokens", Verb::View),
                actor.may("api-keys", Verb::View),
                actor.may("articles", Verb::View) || actor.may("tasks", Verb::View),
            ],
            is_within_reach: within_reach,
            may_revoke: may("sessions", Verb::Revoke),
            is_service: user.is_service,
            may_set_password: !user.is_service && may("users", Verb::Change),
            may_send_reset: cannot_send_reset(user).is_none() && may("users", Verb::Change),
            may_add_key: user.is_active && may("api-keys", Verb::Add),
            may_delete: may("users", Verb::Delete) && actor.must_stay(target, Removal::Delete).is_none(),
        }
    }
}
