-- Letters and invitations as the panel lists them, and letters that were given up as its first page counts them.
CREATE INDEX outbox_created ON outbox (created_at, id);
CREATE INDEX outbox_given_up ON outbox (given_up_at) WHERE given_up_at IS NOT NULL;
CREATE INDEX invitations_created ON invitations (created_at, id);

-- Who is held back: by a rate, as it refuses, or by an administrator's word; and who never is. A row for each count that has
-- refused somebody, one for what was decided of somebody. No end is for ever.
CREATE TABLE throttled (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    who TEXT NOT NULL,
    user_id BIGINT REFERENCES users (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    scope TEXT NOT NULL DEFAULT '',
    key TEXT NOT NULL UNIQUE,
    used BIGINT NOT NULL DEFAULT 0,
    most BIGINT NOT NULL DEFAULT 0,
    per BIGINT NOT NULL DEFAULT 0,
    at BIGINT NOT NULL,
    until BIGINT,
    made_by TEXT NOT NULL DEFAULT ''
);
CREATE INDEX throttled_who ON throttled (who);
CREATE INDEX throttled_user ON throttled (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX throttled_at ON throttled (at, id);
CREATE INDEX throttled_used ON throttled (used, id);
CREATE INDEX throttled_until ON throttled (until);
CREATE INDEX throttled_kind ON throttled (kind);
CREATE INDEX throttled_scope ON throttled (scope);

-- What needs attention, and whoever of the staff has put it away until when.
CREATE TABLE dismissals (
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    rule TEXT NOT NULL,
    object TEXT NOT NULL,
    amount BIGINT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (user_id, rule, object)
);
CREATE INDEX dismissals_until ON dismissals (until);
