//! What each method of each view is for, and what it answers beside what they all may answer.

/// A status, and the record that comes with it; `""` for no body, `Page<…>` for a page.
pub type Outcome = (u16, &'static str);

/// A view's name, a method, what it is for, what it answers.
type Line = (&'static str, &'static str, &'static str, &'static [Outcome]);

/// What a method is for, and what it answers.
pub fn of(view: &str, method: &str) -> Option<(&'static str, &'static [Outcome])> {
    let line = LINES.iter().find(|(name, verb, ..)| *name == view && *verb == method);
    line.map(|(_, _, summary, outcomes)| (*summary, *outcomes))
}

/// The parameters of lists beside `page`: name, type, what it does.
pub fn filters(view: &str) -> &'static [(&'static str, &'static str, &'static str)] {
    match view {
        "Task List" => {
            &[SEARCH, ORDERING, ("completed", "boolean", "Only those that are done, or only those that are not.")]
        }
        "Article List" => &[SEARCH, ORDERING, ("author", "integer", "Only those of this user.")],
        "User List" => &[
            SEARCH,
            ORDERING,
            ("is_active", "boolean", "Only those who may sign in, or only those who may not."),
            ("is_staff", "boolean", "Only staff, or only others."),
            ("is_superuser", "boolean", "Only superusers, or only others."),
            ("is_premium", "boolean", "Only premium users, or only others."),
        ],
        "Revocations" => &[("cursor", "integer", "Of a stream: only what came after this.")],
        _ => &[],
    }
}

const SEARCH: (&str, &str, &str) = ("search", "string", "Words that must all be found; quotes keep a phrase together.");
const ORDERING: (&str, &str, &str) =
    ("ordering", "string", "Names of fields, separated by commas; `-` before one turns its order.");

#[rustfmt::skip] // a table reads best as one
const LINES: &[Line] = &[
    ("Schema", "GET", "This description.", &[(200, "Description")]),
    ("Hello", "GET", "Greets the caller by name.", &[(200, "Message")]),
    ("Protected", "GET", "Something for whoever is signed in.", &[(200, "Message")]),
    ("Admin Only", "GET", "Something for staff.", &[(200, "Message")]),
    ("Premium", "GET", "Something for premium users.", &[(200, "Message")]),
    ("Read Only", "GET", "Something to read.", &[(200, "ReadOnly")]),
    ("Rate Limited", "GET", "Something to read, ten times a minute (`throttle.scopes`).", &[(200, "ReadOnly")]),
    ("Data", "GET", "One URL that differs by version.", &[(200, "Data")]),
    ("Api Root", "GET", "Where the collections are.", &[(200, "Root")]),

    ("Token Obtain Pair", "POST", "A pair of tokens for a name and a password.", &[(200, "Obtained"), (401, "Unauthorized"), (403, "Detail")]),
    ("Login", "POST", "An access token alone, as the older `djangorestframework-jwt` gave it.", &[(200, "Token"), (401, "Failed")]),
    ("Token Refresh", "POST", "A new access token for a refresh token and, with rotation, its successor.", &[(200, "Refreshed"), (401, "Unauthorized"), (403, "Detail")]),
    ("Token Verify", "POST", "Whether a token of any kind is good.", &[(200, "Nothing"), (401, "Unauthorized")]),
    ("Token Blacklist", "POST", "Ends the session of a refresh token.", &[(200, "Nothing"), (401, "Unauthorized"), (403, "Detail")]),
    ("Token Obtain Sliding", "POST", "A sliding token for a name and a password.", &[(200, "Token"), (401, "Unauthorized")]),
    ("Token Refresh Sliding", "POST", "The same sliding token with later dates.", &[(200, "Token"), (401, "Unauthorized")]),
    ("Token Info", "GET", "The claims of one's own token.", &[(200, "TokenInfo")]),
    ("Token Introspect", "POST", "What a token is worth at this moment (RFC 7662).", &[(200, "Introspected")]),
    ("Token Revoke", "POST", "Ends the session of a token of whatever kind (RFC 7009).", &[(200, "")]),
    ("Revocations", "GET", "The revocation feed: a signed snapshot or, as `text/event-stream`, the steps after a cursor.", &[(200, "Snapshot"), (400, "BadRequest"), (410, "Detail")]),
    ("Token Check", "POST", "Whether a text is a good access token.", &[(200, "TokenGood"), (400, "TokenBad|Detail")]),
    ("Social Sign In", "POST", "A pair of tokens for a token of a provider, and an account if there was none.", &[(200, "SignedIn"), (400, "BadRequest|Failed"), (401, "Unauthorized"), (403, "Detail")]),

    ("Register", "POST", "Makes an account and signs it in.", &[(201, "Pair"), (400, "BadRequest|Failed"), (403, "Detail")]),
    ("Profile", "GET", "The caller, in short.", &[(200, "Profile")]),
    ("Me", "GET", "The caller's whole record.", &[(200, "Me")]),
    ("Me", "PUT", "Changes one's own record. A new e-mail address needs `current_password`.", &[(200, "Me")]),
    ("Me", "PATCH", "Changes one's own record. A new e-mail address needs `current_password`.", &[(200, "Me")]),
    ("Me", "DELETE", "Removes the account with all that is its own. Every token of it is dead at once.", &[(204, ""), (409, "Detail")]),
    ("Export", "GET", "All that is kept of the caller, as a file.", &[(200, "Export")]),
    ("Two Factor", "GET", "Whether one's two-factor sign-in is on.", &[(200, "TwoFactor")]),
    ("Two Factor", "POST", "A secret for an authenticator app, which counts once it is confirmed. It is told this once.", &[(201, "TwoFactorBegun"), (409, "Detail")]),
    ("Two Factor", "DELETE", "Switches it off.", &[(204, "")]),
    ("Two Factor Confirm", "POST", "Switches it on, and tells the recovery codes, once.", &[(200, "RecoveryCodes")]),
    ("Recovery Codes", "POST", "New recovery codes in place of the old, told once.", &[(200, "RecoveryCodes")]),
    ("User List", "GET", "Users, a page at a time.", &[(200, "Page<User>")]),
    ("User List", "POST", "Makes a user.", &[(201, "User"), (409, "Detail")]),
    ("User Instance", "GET", "One user.", &[(200, "User")]),
    ("User Instance", "PUT", "Changes a user. Switching one off ends the sessions, and so does a new password.", &[(200, "User"), (409, "Detail")]),
    ("User Instance", "PATCH", "Changes what the body names of a user.", &[(200, "User"), (409, "Detail")]),
    ("Password Change", "POST", "Another password: ends every session and begins a new one.", &[(200, "Pair")]),
    ("Password Reset", "POST", "A letter that sets a forgotten password anew. The answer is the same whether there is an account.", &[(200, "Message")]),
    ("Password Reset Confirm", "POST", "Sets the password, ends every session and begins none.", &[(200, "Message")]),
    ("Email Verify", "POST", "A letter that verifies an address: one's own or, for a stranger, that of the body.", &[(200, "Message")]),
    ("Email Verify Confirm", "POST", "The address that the letter went to is its owner's.", &[(200, "Message")]),
    ("Invitation List", "GET", "Invitations, the newest first.", &[(200, "Page<Invitation>")]),
    ("Invitation List", "POST", "Invites an address, by a letter.", &[(201, "Invitation"), (409, "Detail")]),
    ("Invitation Instance", "GET", "One invitation.", &[(200, "Invitation")]),
    ("Invitation Instance", "DELETE", "Takes an invitation back that is still open.", &[(204, ""), (409, "Detail")]),
    ("Logout", "POST", "Ends the session of a refresh token: all its tokens are dead at once.", &[(205, ""), (400, "")]),
    ("Logout All", "POST", "Ends every session of the caller.", &[(205, "")]),
    ("Session List", "GET", "One's own sessions, the last used first.", &[(200, "Page<Session>")]),
    ("Session List", "DELETE", "Ends all of them but the present one.", &[(204, "")]),
    ("Session Instance", "GET", "One of one's own sessions.", &[(200, "Session")]),
    ("Session Instance", "PATCH", "Gives it a name; an empty one brings the device's own back.", &[(200, "Session")]),
    ("Session Instance", "DELETE", "Signs that device out.", &[(204, "")]),
    ("API Key List", "GET", "One's own API keys, the newest first.", &[(200, "Page<ApiKey>")]),
    ("API Key List", "POST", "Makes a key, and shows its secret this once.", &[(201, "ApiKey")]),
    ("API Key Instance", "GET", "One of one's own API keys.", &[(200, "ApiKey")]),
    ("API Key Instance", "PATCH", "Changes a key from the next request on.", &[(200, "ApiKey")]),
    ("API Key Instance", "DELETE", "Revokes a key with all its secrets.", &[(204, "")]),
    ("API Key Rotate", "POST", "Another secret, shown this once; the one so far is good for `overlap_hours` more.", &[(200, "ApiKey")]),
];

/// What every resource does: its list first, then one of it.
pub fn of_resource(is_list: bool, method: &str, noun: &str) -> Option<(String, u16)> {
    let noun = noun.to_lowercase();
    Some(match (is_list, method) {
        (true, "GET") => (format!("Lists each {noun} that the caller may see, a page at a time."), 200),
        (true, "POST") => (format!("Makes one {noun}."), 201),
        (false, "GET") => (format!("Shows one {noun}."), 200),
        (false, "PUT") => (format!("Changes one {noun}: the body is whole."), 200),
        (false, "PATCH") => (format!("Changes what the body names of one {noun}."), 200),
        (false, "DELETE") => (format!("Removes one {noun}."), 204),
        _ => return None,
    })
}
