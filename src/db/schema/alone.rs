//! Tables that no query joins with others.

diesel::table! {
    bulk_jobs (id) {
        id -> BigInt,
        list -> Text,
        action -> Text,
        choice -> Text,
        chosen -> Text,
        query -> Text,
        filter -> Text,
        reason -> Text,
        total -> BigInt,
        state -> Text,
        cursor -> Text,
        last -> Text,
        done -> BigInt,
        left_out -> BigInt,
        failed -> BigInt,
        also -> BigInt,
        actor_id -> BigInt,
        actor -> Text,
        session -> Text,
        ip -> Text,
        user_agent -> Text,
        request -> Text,
        created_at -> BigInt,
        runner -> Text,
        beat_at -> BigInt,
        ended_at -> Nullable<BigInt>,
        trouble -> Text,
    }
}

diesel::table! {
    bulk_job_rows (id) {
        id -> BigInt,
        job_id -> BigInt,
        key -> Text,
        name -> Text,
        outcome -> Text,
        why -> Text,
    }
}

diesel::table! {
    facts (name) {
        name -> Text,
        value -> Text,
    }
}

diesel::table! {
    metrics (span, at, name) {
        span -> BigInt,
        at -> BigInt,
        name -> Text,
        value -> BigInt,
    }
}
