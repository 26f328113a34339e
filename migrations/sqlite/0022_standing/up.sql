-- How a session and a token stand is told by their own rows, so that lists of a million are counted by an index. What is asked
-- when a token comes in is the generation, as ever: one number ends all sessions of a user, whatever stands here.
UPDATE sessions SET
    ended_at = (SELECT updated_at FROM users WHERE users.id = sessions.user_id),
    ended_why = 'signed out everywhere'
WHERE ended_at IS NULL
    AND EXISTS (SELECT 1 FROM users WHERE users.id = sessions.user_id AND users.generation > sessions.generation);

ALTER TABLE outstanding_tokens ADD COLUMN is_revoked BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE outstanding_tokens SET is_revoked = TRUE
WHERE id IN (SELECT token_id FROM blacklisted_tokens)
    OR (refreshed_at IS NULL AND session_id IN (SELECT id FROM sessions WHERE ended_at IS NOT NULL));
-- What a condition names is in the index, which alone is read then.
CREATE INDEX outstanding_tokens_live ON outstanding_tokens (expires_at, id, refreshed_at, is_revoked)
    WHERE refreshed_at IS NULL AND NOT is_revoked;
CREATE INDEX outstanding_tokens_used ON outstanding_tokens (expires_at, id, refreshed_at, is_revoked)
    WHERE refreshed_at IS NOT NULL AND NOT is_revoked;
CREATE INDEX outstanding_tokens_revoked ON outstanding_tokens (created_at, id) WHERE is_revoked;
CREATE INDEX outstanding_tokens_revoked_expires ON outstanding_tokens (expires_at, id) WHERE is_revoked;

DROP INDEX users_signed_out;
DROP INDEX sessions_open;
CREATE INDEX sessions_open ON sessions (expires_at, id, ended_at) WHERE ended_at IS NULL;

CREATE INDEX users_people ON users (id) WHERE NOT is_service;

-- The names of the staff, whom the audit log is narrowed to.
CREATE INDEX users_of_staff ON users (username) WHERE is_staff OR is_superuser;
