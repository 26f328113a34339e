-- Requests and failed sign-ins that several servers count together, where throttle.store is the database: the times of each key,
-- oldest first, in microseconds; wait is the answer to the last who asked. The key is a keyed digest.
CREATE TABLE shared_counts (
    key TEXT PRIMARY KEY NOT NULL,
    times TEXT NOT NULL,
    wait BIGINT NOT NULL DEFAULT 0,
    expires_at BIGINT NOT NULL
);
CREATE INDEX shared_counts_expires ON shared_counts (expires_at);
