-- One index for each order that a list of the panel can be in, with the key that breaks ties.
CREATE INDEX outstanding_tokens_created ON outstanding_tokens (created_at, id);
CREATE INDEX blacklisted_tokens_reason ON blacklisted_tokens (reason, blacklisted_at, id);
CREATE INDEX blacklisted_tokens_by_nobody ON blacklisted_tokens (blacklisted_at, id) WHERE by_user IS NULL;
CREATE INDEX sessions_seen ON sessions (last_seen_at, id);
CREATE INDEX sessions_started ON sessions (started_at, id);
CREATE INDEX sessions_kind ON sessions (kind, last_seen_at, id);
CREATE INDEX sessions_ip ON sessions (ip, last_seen_at);
CREATE INDEX panel_sessions_seen ON panel_sessions (last_seen_at, key_digest);
CREATE INDEX panel_sessions_started ON panel_sessions (started_at, key_digest);
CREATE INDEX articles_updated ON articles (updated_at, id);
CREATE INDEX articles_created ON articles (created_at, id);
CREATE INDEX articles_title ON articles (title, id);
CREATE INDEX tasks_created ON tasks (created_at, id);
CREATE INDEX tasks_due ON tasks (due_date, id);
CREATE INDEX tasks_completed ON tasks (completed, created_at, id);
CREATE INDEX api_keys_created ON api_keys (created_at, id);
CREATE INDEX api_keys_expires ON api_keys (expires_at, id);
CREATE INDEX api_keys_used ON api_keys (last_used_at, id);
