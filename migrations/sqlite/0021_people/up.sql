-- The zone in which times are shown to a user; NULL is the server's. A service is no person: it has keys and no password.
ALTER TABLE users ADD COLUMN time_zone TEXT;
ALTER TABLE users ADD COLUMN is_service BOOLEAN NOT NULL DEFAULT 0;
CREATE INDEX users_service ON users (id) WHERE is_service;

-- What the panel knows of this server: its name, its zone, what was put away.
CREATE TABLE facts (
    name TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
);
