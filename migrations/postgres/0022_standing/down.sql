DROP INDEX users_of_staff;
DROP INDEX sessions_open;
CREATE INDEX sessions_open ON sessions (expires_at, user_id, generation) WHERE ended_at IS NULL;
CREATE INDEX users_signed_out ON users (id, generation) WHERE generation > 0;
DROP INDEX outstanding_tokens_revoked_expires;
DROP INDEX outstanding_tokens_revoked;
DROP INDEX outstanding_tokens_used;
DROP INDEX outstanding_tokens_live;
ALTER TABLE outstanding_tokens DROP COLUMN is_revoked;
