//! The tables as diesel sees them: one description for both databases, kept by hand beside the migrations.
#![allow(missing_docs)] // `table!` documents nothing that it makes

mod alone;

pub use alone::{bulk_job_rows, bulk_jobs, facts, metrics};

diesel::table! {
    users (id) {
        id -> BigInt,
        username -> Text,
        password -> Text,
        first_name -> Text,
        last_name -> Text,
        email -> Text,
        email_verified -> Bool,
        phone_number -> Text,
        date_of_birth -> Nullable<Date>,
        is_active -> Bool,
        is_staff -> Bool,
        is_superuser -> Bool,
        is_premium -> Bool,
        generation -> Integer,
        password_generation -> Integer,
        date_joined -> BigInt,
        last_login -> Nullable<BigInt>,
        updated_at -> BigInt,
        time_zone -> Nullable<Text>,
        is_service -> Bool,
    }
}

diesel::table! {
    roles (id) {
        id -> BigInt,
        name -> Text,
        description -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    role_permissions (role_id, permission) {
        role_id -> BigInt,
        permission -> Text,
    }
}

diesel::table! {
    user_roles (user_id, role_id) {
        user_id -> BigInt,
        role_id -> BigInt,
        granted_at -> BigInt,
    }
}

diesel::table! {
    sessions (id) {
        id -> Text,
        user_id -> Nullable<BigInt>,
        generation -> Integer,
        kind -> Text,
        name -> Text,
        ip -> Text,
        user_agent -> Text,
        started_at -> BigInt,
        last_seen_at -> BigInt,
        expires_at -> BigInt,
        ended_at -> Nullable<BigInt>,
        ended_why -> Nullable<Text>,
        ended_by -> Nullable<BigInt>,
    }
}

diesel::table! {
    outstanding_tokens (id) {
        id -> BigInt,
        jti -> Text,
        session_id -> Text,
        user_id -> Nullable<BigInt>,
        kind -> Text,
        kid -> Nullable<Text>,
        created_at -> BigInt,
        expires_at -> BigInt,
        successor -> Nullable<Text>,
        successor_iat -> Nullable<BigInt>,
        successor_exp -> Nullable<BigInt>,
        refreshed_at -> Nullable<BigInt>,
        is_revoked -> Bool,
    }
}

diesel::table! {
    blacklisted_tokens (id) {
        id -> BigInt,
        token_id -> BigInt,
        blacklisted_at -> BigInt,
        reason -> Text,
        by_user -> Nullable<BigInt>,
    }
}

diesel::table! {
    panel_sessions (key_digest) {
        key_digest -> Text,
        state -> Text,
        user_id -> Nullable<BigInt>,
        ip -> Text,
        user_agent -> Text,
        started_at -> BigInt,
        last_seen_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    changes (id) {
        id -> BigInt,
        kind -> Text,
        subject -> Text,
        user_id -> Nullable<BigInt>,
        at -> BigInt,
        until -> BigInt,
        data -> Nullable<Text>,
    }
}

diesel::table! {
    followers (id) {
        id -> Text,
        position -> BigInt,
        seen_at -> BigInt,
        listens -> Bool,
    }
}

diesel::table! {
    signing_keys (kid) {
        kid -> Text,
        algorithm -> Text,
        state -> Text,
        created_at -> BigInt,
        activated_at -> Nullable<BigInt>,
        replaced_at -> Nullable<BigInt>,
        retired_at -> Nullable<BigInt>,
        issued_before -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    api_keys (id) {
        id -> BigInt,
        user_id -> BigInt,
        name -> Text,
        prefix -> Text,
        scopes -> Text,
        ip_ranges -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    api_key_secrets (id) {
        id -> BigInt,
        key_id -> BigInt,
        prefix -> Text,
        digest -> Text,
        until -> Nullable<BigInt>,
    }
}

diesel::table! {
    lifetimes (name) {
        name -> Text,
        micros -> BigInt,
        lowered_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    invitations (id) {
        id -> BigInt,
        email -> Text,
        invited_by -> Nullable<BigInt>,
        created_at -> BigInt,
        expires_at -> BigInt,
        accepted_at -> Nullable<BigInt>,
        accepted_by -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    outbox (id) {
        id -> BigInt,
        kind -> Text,
        address -> Text,
        mailbox -> Text,
        user_id -> Nullable<BigInt>,
        invitation_id -> Nullable<BigInt>,
        created_at -> BigInt,
        due_at -> BigInt,
        attempts -> Integer,
        tried_at -> Nullable<BigInt>,
        sent_at -> Nullable<BigInt>,
        given_up_at -> Nullable<BigInt>,
        trouble -> Text,
    }
}

diesel::table! {
    used_letters (jti) {
        jti -> Text,
        until -> BigInt,
    }
}

diesel::table! {
    articles (id) {
        id -> BigInt,
        title -> Text,
        body -> Text,
        author_id -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    tasks (id) {
        id -> BigInt,
        title -> Text,
        description -> Text,
        completed -> Bool,
        due_date -> Nullable<Date>,
        user_id -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    social_accounts (id) {
        id -> BigInt,
        user_id -> BigInt,
        provider -> Text,
        issuer -> Text,
        subject -> Text,
        linked_at -> BigInt,
    }
}

diesel::table! {
    sign_in_failures (key) {
        key -> Text, times -> Text, expires_at -> BigInt,
    }
}

diesel::table! {
    known_addresses (user_id, network) {
        user_id -> BigInt,
        network -> Text,
        generation -> Integer,
        seen_at -> BigInt,
    }
}

diesel::table! {
    two_factor (user_id) {
        user_id -> BigInt,
        secret -> Text,
        last_step -> BigInt,
        created_at -> BigInt,
        confirmed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    recovery_codes (user_id, digest) {
        user_id -> BigInt,
        digest -> Text,
    }
}

diesel::table! {
    idempotency_keys (id) {
        id -> BigInt,
        user_id -> BigInt,
        key -> Text,
        request -> Text,
        answer -> Text,
        expires_at -> BigInt,
    }
}

diesel::table! {
    throttle_counts (id) {
        id -> BigInt, key -> Text, at -> BigInt, count -> Integer, expires_at -> BigInt,
    }
}

diesel::table! {
    shared_counts (key) {
        key -> Text, times -> Text, wait -> BigInt, expires_at -> BigInt,
    }
}

diesel::table! {
    audit_entries (id) {
        id -> BigInt,
        at -> BigInt,
        actor_id -> Nullable<BigInt>,
        actor -> Text,
        session -> Text,
        ip -> Text,
        user_agent -> Text,
        action -> Text,
        object_kind -> Text,
        object_id -> Text,
        object -> Text,
        fields -> Text,
        changes -> Text,
        reason -> Text,
        request -> Text,
        result -> Text,
        hash -> Text,
    }
}

diesel::table! {
    audit_chain (id) {
        id -> BigInt,
        anchor_id -> BigInt,
        anchor_hash -> Text,
        head_id -> BigInt,
        head_hash -> Text,
        seal -> Text,
    }
}

diesel::table! {
    sign_ins (id) {
        id -> BigInt, at -> BigInt, user_id -> Nullable<BigInt>, name_digest -> Text, outcome -> Text, how -> Text,
        ip -> Text, user_agent -> Text, times -> Integer,
    }
}

diesel::table! {
    throttled (id) {
        id -> BigInt, who -> Text, user_id -> Nullable<BigInt>, kind -> Text, scope -> Text, key -> Text,
        used -> BigInt, most -> BigInt, per -> BigInt, at -> BigInt, until -> Nullable<BigInt>, made_by -> Text,
    }
}

diesel::table! {
    dismissals (user_id, rule, object) {
        user_id -> BigInt, rule -> Text, object -> Text, amount -> BigInt, until -> BigInt,
    }
}

diesel::joinable!(known_addresses -> users (user_id));
diesel::joinable!(role_permissions -> roles (role_id));
diesel::joinable!(user_roles -> roles (role_id));
diesel::joinable!(user_roles -> users (user_id));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(outstanding_tokens -> sessions (session_id));
diesel::joinable!(outstanding_tokens -> users (user_id));
diesel::joinable!(blacklisted_tokens -> outstanding_tokens (token_id));
diesel::joinable!(api_key_secrets -> api_keys (key_id));
diesel::joinable!(articles -> users (author_id));
diesel::joinable!(tasks -> users (user_id));
diesel::joinable!(social_accounts -> users (user_id));

#[rustfmt::skip] // a list reads best as one
diesel::allow_tables_to_appear_in_same_query!(
    users, roles, role_permissions, user_roles, sessions, outstanding_tokens, blacklisted_tokens, panel_sessions,
    api_keys, api_key_secrets, changes, followers, signing_keys, invitations, outbox, used_letters, articles,
    tasks, social_accounts, known_addresses, two_factor, recovery_codes, sign_ins, throttled,
);
