DROP INDEX users_active;
DROP INDEX users_unverified;
DROP INDEX users_signed_out;
DROP INDEX sessions_ended;
DROP INDEX sessions_open;
-- The extension stays: others may use it.
ALTER TABLE users DROP COLUMN search;
ALTER TABLE articles DROP COLUMN search;
ALTER TABLE tasks DROP COLUMN search;
