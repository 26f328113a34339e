-- A session is one sign-in. Its id rides in every token of it as `sid`. It is over when it has ended, and when its
-- generation is no longer its user's.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY NOT NULL,
    user_id BIGINT REFERENCES users (id) ON DELETE SET NULL,
    generation INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL DEFAULT '',
    ip TEXT NOT NULL DEFAULT '',
    user_agent TEXT NOT NULL DEFAULT '',
    started_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    ended_why TEXT,
    ended_by BIGINT REFERENCES users (id) ON DELETE SET NULL
);
CREATE INDEX sessions_user ON sessions (user_id, last_seen_at);
CREATE INDEX sessions_ended_by ON sessions (ended_by) WHERE ended_by IS NOT NULL;
CREATE INDEX sessions_expires ON sessions (expires_at);

-- Refresh and sliding tokens on record. The token itself is nowhere: its jti cannot be used as one.
CREATE TABLE outstanding_tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    jti TEXT NOT NULL UNIQUE,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    user_id BIGINT REFERENCES users (id) ON DELETE SET NULL,
    kind TEXT NOT NULL,
    kid TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    successor TEXT,
    successor_iat BIGINT,
    successor_exp BIGINT,
    refreshed_at BIGINT
);
CREATE INDEX outstanding_tokens_session ON outstanding_tokens (session_id);
CREATE INDEX outstanding_tokens_user ON outstanding_tokens (user_id, id);
CREATE INDEX outstanding_tokens_kid ON outstanding_tokens (kid, expires_at);
CREATE INDEX outstanding_tokens_expires ON outstanding_tokens (expires_at, id);

CREATE TABLE blacklisted_tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    token_id BIGINT NOT NULL UNIQUE REFERENCES outstanding_tokens (id) ON DELETE CASCADE,
    blacklisted_at BIGINT NOT NULL,
    reason TEXT NOT NULL,
    by_user BIGINT REFERENCES users (id) ON DELETE SET NULL
);
CREATE INDEX blacklisted_tokens_at ON blacklisted_tokens (blacklisted_at, id);
CREATE INDEX blacklisted_tokens_by ON blacklisted_tokens (by_user) WHERE by_user IS NOT NULL;

-- The panel's own sign-ins. Only the digest of the cookie's key is kept.
CREATE TABLE panel_sessions (
    key_digest TEXT PRIMARY KEY NOT NULL,
    state TEXT NOT NULL,
    user_id BIGINT REFERENCES users (id) ON DELETE CASCADE,
    ip TEXT NOT NULL DEFAULT '',
    user_agent TEXT NOT NULL DEFAULT '',
    started_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX panel_sessions_user ON panel_sessions (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX panel_sessions_expires ON panel_sessions (expires_at);
