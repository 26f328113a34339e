-- First answers to requests that may be sent again. Key and request are keyed digests.
CREATE TABLE idempotency_keys (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    request TEXT NOT NULL,
    answer TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    UNIQUE (user_id, key)
);
CREATE INDEX idempotency_keys_order ON idempotency_keys (user_id, id);
CREATE INDEX idempotency_keys_expires ON idempotency_keys (expires_at);

-- Requests that throttle.anon and throttle.user have counted, so that a restart forgets none. The key is a keyed digest.
CREATE TABLE throttle_counts (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    key TEXT NOT NULL,
    at BIGINT NOT NULL,
    count INTEGER NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX throttle_counts_expires ON throttle_counts (expires_at);
