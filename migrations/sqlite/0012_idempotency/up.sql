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
