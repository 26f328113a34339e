-- Attempts to sign in. A name that nobody has is kept as a keyed digest: people type passwords there. Alike within a second,
-- they are one row, counted.
CREATE TABLE sign_ins (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at BIGINT NOT NULL,
    user_id BIGINT,
    name_digest TEXT NOT NULL,
    outcome TEXT NOT NULL,
    how TEXT NOT NULL,
    ip TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    times INTEGER NOT NULL
);
CREATE INDEX sign_ins_at ON sign_ins (at, id);
CREATE INDEX sign_ins_user ON sign_ins (user_id, at, id);
CREATE INDEX sign_ins_name ON sign_ins (name_digest, at, id);
CREATE INDEX sign_ins_outcome ON sign_ins (outcome, at, id);
CREATE INDEX sign_ins_how ON sign_ins (how, at, id);
CREATE INDEX sign_ins_ip ON sign_ins (ip, at, id);
