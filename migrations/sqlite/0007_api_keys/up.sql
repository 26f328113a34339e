-- API keys. Scopes are names of permissions, or '*' for all that the owner may; ranges are networks; both are parted by spaces.
CREATE TABLE api_keys (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    scopes TEXT NOT NULL,
    ip_ranges TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT
);
CREATE INDEX api_keys_user ON api_keys (user_id, id);

-- What opens: the present secret of a key and, for a while after a rotation, those before. Digests alone (SHA-256).
CREATE TABLE api_key_secrets (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    key_id BIGINT NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    prefix TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    until BIGINT
);
CREATE INDEX api_key_secrets_prefix ON api_key_secrets (prefix);
CREATE INDEX api_key_secrets_key ON api_key_secrets (key_id);
