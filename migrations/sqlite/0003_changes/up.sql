-- The change log: what every process must know of what any process did. `until` is the moment from which it matters no more.
CREATE TABLE changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id BIGINT,
    at BIGINT NOT NULL,
    until BIGINT NOT NULL
);
CREATE INDEX changes_until ON changes (until);

-- How far each running server has come in the change log.
CREATE TABLE followers (
    id TEXT PRIMARY KEY NOT NULL,
    position BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);

-- The longest that a bearer token in use may live. A setting that shortens it does not shorten tokens already out, so the
-- longer one counts until `lowered_at` is that long ago.
CREATE TABLE lifetimes (
    name TEXT PRIMARY KEY NOT NULL,
    micros BIGINT NOT NULL,
    lowered_at BIGINT
);
