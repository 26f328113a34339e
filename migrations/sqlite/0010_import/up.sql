-- Imported password hashes that no sign-in has renewed yet: ours begin with `$`, and what is no hash with `!`.
CREATE INDEX users_foreign_hash ON users (id) WHERE password > 'a';
