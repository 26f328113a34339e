-- Acts on more rows than a request does: done slice by slice, over restarts, each row once. A row of the table says what is
-- done to which rows and how far it has come; `cursor` moves in the transaction of the rows before it.
CREATE TABLE bulk_jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    list TEXT NOT NULL,
    action TEXT NOT NULL,
    -- What was chosen with the act, and its name: a role.
    choice TEXT NOT NULL,
    chosen TEXT NOT NULL,
    query TEXT NOT NULL,
    filter TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- How many rows there were when it was begun.
    total BIGINT NOT NULL,
    state TEXT NOT NULL,
    cursor TEXT NOT NULL,
    -- The last key there was when it was begun; empty where keys have no order in time.
    last TEXT NOT NULL,
    done BIGINT NOT NULL DEFAULT 0,
    left_out BIGINT NOT NULL DEFAULT 0,
    failed BIGINT NOT NULL DEFAULT 0,
    also BIGINT NOT NULL DEFAULT 0,
    -- Who began it, as the audit log has it.
    actor_id BIGINT NOT NULL,
    actor TEXT NOT NULL,
    session TEXT NOT NULL,
    ip TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    request TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- The process that carries it on, and when it last did.
    runner TEXT NOT NULL,
    beat_at BIGINT NOT NULL,
    ended_at BIGINT,
    trouble TEXT NOT NULL
);
CREATE INDEX bulk_jobs_running ON bulk_jobs (beat_at) WHERE state = 'running';

-- The rows of a job that were left out or failed, each with its reason; the first of them.
CREATE TABLE bulk_job_rows (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    job_id BIGINT NOT NULL REFERENCES bulk_jobs (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    outcome TEXT NOT NULL,
    why TEXT NOT NULL
);
CREATE INDEX bulk_job_rows_job ON bulk_job_rows (job_id, id);

-- When a key last verified a token, to the minute.
ALTER TABLE signing_keys ADD COLUMN last_used_at BIGINT;
