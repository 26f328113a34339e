-- What the panel searches, in one text a row: in lower case, each word behind two blanks, so that "begins with a" is the trigram
-- of two blanks and an a. The extension is part of PostgreSQL and trusted: whoever may make tables in a database of their own may make it.
DO $$ BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
    RAISE EXCEPTION 'search needs the extension pg_trgm (%): have an administrator run CREATE EXTENSION pg_trgm in this database', SQLERRM;
END $$;

ALTER TABLE users ADD COLUMN search TEXT COLLATE "C" GENERATED ALWAYS AS (
    lower('  ' || username || '  ' || email || '  ' || replace(first_name, ' ', '  ') || '  ' || replace(last_name, ' ', '  '))
) STORED;
CREATE INDEX users_search ON users USING gin (search gin_trgm_ops);

ALTER TABLE articles ADD COLUMN search TEXT COLLATE "C" GENERATED ALWAYS AS (
    lower('  ' || replace(title, ' ', '  '))
) STORED;
CREATE INDEX articles_search ON articles USING gin (search gin_trgm_ops);

ALTER TABLE tasks ADD COLUMN search TEXT COLLATE "C" GENERATED ALWAYS AS (
    lower('  ' || replace(title, ' ', '  '))
) STORED;
CREATE INDEX tasks_search ON tasks USING gin (search gin_trgm_ops);

-- What the lists of the panel count by: users in a state, sessions that are over or go on, tokens of users signed out everywhere.
CREATE INDEX users_active ON users (id) WHERE is_active;
CREATE INDEX users_unverified ON users (id) WHERE NOT email_verified;
CREATE INDEX users_signed_out ON users (id, generation) WHERE generation > 0;
CREATE INDEX sessions_ended ON sessions (expires_at, id) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_open ON sessions (expires_at, user_id, generation) WHERE ended_at IS NULL;
