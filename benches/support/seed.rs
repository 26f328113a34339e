//! A server that has been in use for a while: rows of every kind that the panel lists. For the figures, and for the tests of plans.

use diesel::connection::SimpleConnection;
use portcullis::db::Target;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// Microseconds of a week and an hour.
const WEEK: i64 = 7 * DAY + DAY / 24;

/// How much of everything there is.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Users; as many articles, and tasks, and a tenth of it API keys.
    pub users: i64,
    /// Sessions of four tokens each, of which one has not been exchanged.
    pub sessions: i64,
    /// Attempts to sign in.
    pub sign_ins: i64,
    /// Entries of the audit log.
    pub audit: i64,
}

/// Fills the database as of `now`, in microseconds, and has its statistics made; `told` hears what is done next.
pub fn seed(target: &Target, scale: Scale, now: i64, told: impl Fn(&str)) {
    let mut conn = target.connect().unwrap();
    if matches!(target, Target::Sqlite(_)) {
        conn.batch_execute("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000;").unwrap();
    }
    for (what, sql) in statements(target, scale, now) {
        told(what);
        conn.batch_execute(&sql).unwrap_or_else(|error| panic!("{what}: {error}\n{sql}"));
    }
    told("statistics");
    let last = match target {
        Target::Sqlite(_) => "PRAGMA wal_checkpoint(TRUNCATE);",
        Target::Postgres(_) => "VACUUM ANALYZE;",
    };
    conn.batch_execute(last).unwrap();
}

fn statements(target: &Target, scale: Scale, now: i64) -> Vec<(&'static str, String)> {
    let is_sqlite = matches!(target, Target::Sqlite(_));
    let numbers = |count: i64| {
        if is_sqlite {
            format!(
                "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n) AS n"
            )
        } else {
            format!("(SELECT generate_series(1::bigint, {count}) AS i) AS n")
        }
    };
    // As real ids are: 22 characters of base64url whose last has no spare bits, and 32 hexadecimal digits.
    let (sid, jti, day) = if is_sqlite {
        (
            "substr(hex(randomblob(11)), 1, 21) || 'A'",
            "lower(hex(randomblob(16)))",
            "date('2026-06-01', '+' || (i % 400) || ' days')",
        )
    } else {
        (
            "substr(upper(md5(random()::text)), 1, 21) || 'A'",
            "md5(random()::text)",
            "DATE '2026-06-01' + (i % 400)::integer",
        )
    };
    let Scale { users, sessions, sign_ins, audit } = scale;
    let first = "trim(substr('Anna    Boris   Chloe   Dmitri  Elena   Farid   Grace   Hanna   Igor    Julia   Kofi    Lena    Marta   Nikolai Olga    Pavel   Quentin Rosa    Sofia   Tomas   ', CAST(1 + 8 * (i % 20) AS integer), 8))";
    let last = "trim(substr('Adeyemi Brandt  Castro  Duarte  Eriksen Fischer Goldman Haddad  Ivanova Jansen  Keller  Lindholmart    Novak   Okafor  Petrov  QuintanaRossi   Schmidt Tanaka  ', CAST(1 + 8 * (i / 20 % 20) AS integer), 8))";
    let name = format!("lower({first} || '.' || {last}) || i");
    let someone = format!("1 + i * 7919 % {users}");
    let ip = "'10.' || (i % 7) || '.' || (i % 251) || '.' || (i % 241)";
    let agent = "'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'";
    vec![
        ("users", format!(
            "INSERT INTO users (username, password, first_name, last_name, email, email_verified, is_active, is_staff, is_superuser, generation, date_joined, last_login, updated_at)
             SELECT {name}, '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$c29tZWhhc2hzb21laGFzaHNvbWVoYXNoc29tZWhhc2g', {first}, {last}, {name} || '@example.org',
                    i % 10 <> 0, i % 200 <> 0, i % 1000 = 1, i % 5000 = 1, CASE WHEN i % 50 = 0 THEN 1 ELSE 0 END,
                    {now} - ({users} - i) * 600000000, CASE WHEN i % 4 <> 0 THEN {now} - i * 7919 % 100000 * {DAY} / 1000 END, {now}
             FROM {};", numbers(users))),
        ("roles", format!(
            "INSERT INTO roles (name, created_at, updated_at) SELECT 'Role number ' || i, {now}, {now} FROM {};
             INSERT INTO role_permissions (role_id, permission) SELECT id, 'users.view' FROM roles WHERE name LIKE 'Role number %';
             INSERT INTO user_roles (user_id, role_id, granted_at)
             SELECT users.id, roles.id, {now} FROM users, roles WHERE roles.name = 'Role number ' || (1 + users.id % 8) AND users.id % 5 = 0;", numbers(8))),
        // As old as a week and an hour: what has expired for longer was swept away.
        ("sessions", format!(
            "INSERT INTO sessions (id, user_id, generation, kind, ip, user_agent, started_at, last_seen_at, expires_at, ended_at, ended_why)
             SELECT {sid}, {someone}, CASE WHEN i % 2 = 0 THEN 1 ELSE 0 END, CASE WHEN i % 20 = 0 THEN 'sliding' ELSE 'pair' END, {ip}, {agent},
                    {now} - i * {WEEK} / {sessions}, {now} - i * {WEEK} / {sessions} + i % 1000 * 1000000, {now} - i * {WEEK} / {sessions} + 14 * {DAY},
                    CASE WHEN i % 5 = 0 THEN {now} - i END, CASE WHEN i % 5 = 0 THEN 'signed out' END
             FROM {};
             UPDATE sessions SET ended_at = {now}, ended_why = 'signed out everywhere'
             WHERE ended_at IS NULL AND EXISTS (SELECT 1 FROM users WHERE users.id = user_id AND users.generation > sessions.generation);
             UPDATE sessions SET expires_at = {now} - 1000000 WHERE id IN (SELECT id FROM sessions ORDER BY started_at LIMIT {sessions} / 50);", numbers(sessions))),
        ("tokens", format!(
            "INSERT INTO outstanding_tokens (jti, session_id, user_id, kind, kid, created_at, expires_at, refreshed_at, is_revoked)
             SELECT {jti}, id, user_id, 'refresh', NULL, started_at + (i - 1) * (({now} - started_at) / 5), started_at + (i - 1) * (({now} - started_at) / 5) + 7 * {DAY},
                    CASE WHEN i < 4 THEN started_at + i * (({now} - started_at) / 5) END, i = 4 AND ended_at IS NOT NULL
             FROM sessions, {};", numbers(4))),
        ("blacklist", format!(
            "INSERT INTO blacklisted_tokens (token_id, blacklisted_at, reason, by_user)
             SELECT outstanding_tokens.id, sessions.started_at + outstanding_tokens.id % 1000, CASE WHEN outstanding_tokens.id % 30 = 0 THEN 'by admin' WHEN outstanding_tokens.id % 7 = 0 THEN 'password changed' ELSE 'signed out' END,
                    CASE WHEN outstanding_tokens.id % 30 = 0 THEN 1 END
             FROM outstanding_tokens JOIN sessions ON sessions.id = session_id WHERE is_revoked AND ended_why = 'signed out';
             INSERT INTO panel_sessions (key_digest, state, user_id, ip, user_agent, started_at, last_seen_at, expires_at)
             SELECT {jti}, '{{}}', 1 + i, {ip}, {agent}, {now} - i, {now} - i, {now} + {DAY} FROM {};", numbers(100))),
        ("sign-ins", format!(
            "INSERT INTO sign_ins (at, user_id, name_digest, outcome, how, ip, user_agent, times)
             SELECT {now} - ({sign_ins} - i) * 3000000, CASE WHEN i % 20 <> 0 THEN {someone} END, CASE WHEN i % 20 = 0 THEN {jti} ELSE '' END,
                    CASE WHEN i % 20 = 0 THEN 'unknown' WHEN i % 12 = 0 THEN 'wrong password' WHEN i % 1999 = 0 THEN 'locked' ELSE 'ok' END,
                    CASE WHEN i % 9 = 0 THEN 'admin' WHEN i % 1001 = 0 THEN 'social' ELSE 'password' END, {ip}, {agent}, 1
             FROM {};", numbers(sign_ins))),
        ("audit entries", format!(
            "INSERT INTO audit_entries (id, at, actor_id, actor, session, ip, user_agent, action, object_kind, object_id, object, fields, changes, reason, request, result, hash)
             SELECT 1000000 + i, {now} - ({audit} - i) * 60000000, CASE WHEN i % 9 <> 0 THEN 1 + i % 100 * 1000 END, CASE WHEN i % 9 <> 0 THEN 'staff' || (i % 100) ELSE 'system' END, '', {ip}, {agent},
                    CASE i % 4 WHEN 0 THEN 'user.change' WHEN 1 THEN 'session.end' WHEN 2 THEN 'role.give' ELSE 'user.deactivate' END,
                    CASE WHEN i % 4 = 1 THEN 'session' ELSE 'user' END, CAST({someone} AS text), 'user' || ({someone}), 'email, is_active', '[]', '', 'r' || i, CASE WHEN i % 50 = 0 THEN 'refused' ELSE 'done' END, {jti}
             FROM {};", numbers(audit))),
        ("articles and tasks", format!(
            "INSERT INTO articles (title, body, author_id, created_at, updated_at)
             SELECT 'On ' || {last} || ' and gates, part ' || i, 'They close at night.', {someone}, {now} - i * 60000000, {now} - i * 7919 % 100000 * 60000000 FROM {0};
             INSERT INTO tasks (title, description, completed, due_date, user_id, created_at, updated_at)
             SELECT 'Write to ' || {first} || ' about letter ' || i, 'Two pages', i % 3 = 0, CASE WHEN i % 4 <> 0 THEN {day} END, {someone}, {now} - i * 60000000, {now} FROM {0};", numbers(users))),
        ("API keys", format!(
            "INSERT INTO api_keys (user_id, name, prefix, scopes, created_at, expires_at, last_used_at)
             SELECT {someone}, 'Key ' || i, 'pk' || i, '*', {now} - i * 60000000, CASE WHEN i % 5 = 0 THEN {now} - 1 WHEN i % 5 = 1 THEN {now} + {DAY} END, CASE WHEN i % 3 <> 0 THEN {now} - i * 120000000 END FROM {0};
             INSERT INTO api_key_secrets (key_id, prefix, digest) SELECT id, prefix, {jti} FROM api_keys;", numbers(users / 10))),
        ("letters", format!(
            "INSERT INTO outbox (kind, address, mailbox, created_at, due_at, attempts, sent_at, given_up_at)
             SELECT CASE WHEN i % 2 = 0 THEN 'reset' ELSE 'verification' END, {name} || '@example.org', {name} || '@example.org', {now} - i * 60000000, {now}, 1,
                    CASE WHEN i % 10 <> 0 THEN {now} - i * 60000000 END, CASE WHEN i % 10 = 0 THEN {now} - i * 60000000 END FROM {0};
             INSERT INTO invitations (email, created_at, expires_at) SELECT {name} || '@example.com', {now} - i * 60000000, {now} + {DAY} FROM {0};
             INSERT INTO throttled (who, kind, scope, key, used, most, per, at, until)
             SELECT {ip}, 'rate', 'throttle.anon', {jti}, 100 + i, 100, {DAY}, {now} - i * 60000000, {now} + {DAY} - i * 120000000 FROM {0};", numbers(users / 10))),
    ]
}
