-- What the panel searches, in one text a row: in lower case, each word behind two blanks, so that "begins with a" is the trigram
-- of two blanks and an a. An index of trigrams finds what contains a word; triggers keep it, and it keeps no text itself.

ALTER TABLE users ADD COLUMN search TEXT GENERATED ALWAYS AS (
    lower('  ' || username || '  ' || email || '  ' || replace(first_name, ' ', '  ') || '  ' || replace(last_name, ' ', '  '))
) VIRTUAL;
CREATE VIRTUAL TABLE users_search USING fts5 (
    search, content = 'users', content_rowid = 'id', columnsize = 0, tokenize = 'trigram case_sensitive 1'
);
INSERT INTO users_search (users_search) VALUES ('rebuild');
CREATE TRIGGER users_search_insert AFTER INSERT ON users BEGIN
    INSERT INTO users_search (rowid, search) VALUES (new.id, new.search);
END;
CREATE TRIGGER users_search_delete AFTER DELETE ON users BEGIN
    INSERT INTO users_search (users_search, rowid, search) VALUES ('delete', old.id, old.search);
END;
CREATE TRIGGER users_search_update AFTER UPDATE OF id, username, email, first_name, last_name ON users BEGIN
    INSERT INTO users_search (users_search, rowid, search) VALUES ('delete', old.id, old.search);
    INSERT INTO users_search (rowid, search) VALUES (new.id, new.search);
END;

ALTER TABLE articles ADD COLUMN search TEXT GENERATED ALWAYS AS (
    lower('  ' || replace(title, ' ', '  '))
) VIRTUAL;
CREATE VIRTUAL TABLE articles_search USING fts5 (
    search, content = 'articles', content_rowid = 'id', columnsize = 0, tokenize = 'trigram case_sensitive 1'
);
INSERT INTO articles_search (articles_search) VALUES ('rebuild');
CREATE TRIGGER articles_search_insert AFTER INSERT ON articles BEGIN
    INSERT INTO articles_search (rowid, search) VALUES (new.id, new.search);
END;
CREATE TRIGGER articles_search_delete AFTER DELETE ON articles BEGIN
    INSERT INTO articles_search (articles_search, rowid, search) VALUES ('delete', old.id, old.search);
END;
CREATE TRIGGER articles_search_update AFTER UPDATE OF id, title ON articles BEGIN
    INSERT INTO articles_search (articles_search, rowid, search) VALUES ('delete', old.id, old.search);
    INSERT INTO articles_search (rowid, search) VALUES (new.id, new.search);
END;

ALTER TABLE tasks ADD COLUMN search TEXT GENERATED ALWAYS AS (
    lower('  ' || replace(title, ' ', '  '))
) VIRTUAL;
CREATE VIRTUAL TABLE tasks_search USING fts5 (
    search, content = 'tasks', content_rowid = 'id', columnsize = 0, tokenize = 'trigram case_sensitive 1'
);
INSERT INTO tasks_search (tasks_search) VALUES ('rebuild');
CREATE TRIGGER tasks_search_insert AFTER INSERT ON tasks BEGIN
    INSERT INTO tasks_search (rowid, search) VALUES (new.id, new.search);
END;
CREATE TRIGGER tasks_search_delete AFTER DELETE ON tasks BEGIN
    INSERT INTO tasks_search (tasks_search, rowid, search) VALUES ('delete', old.id, old.search);
END;
CREATE TRIGGER tasks_search_update AFTER UPDATE OF id, title ON tasks BEGIN
    INSERT INTO tasks_search (tasks_search, rowid, search) VALUES ('delete', old.id, old.search);
    INSERT INTO tasks_search (rowid, search) VALUES (new.id, new.search);
END;

-- What the lists of the panel count by: users in a state, sessions that are over or go on, tokens of users signed out everywhere.
CREATE INDEX users_active ON users (id) WHERE is_active;
CREATE INDEX users_unverified ON users (id) WHERE NOT email_verified;
CREATE INDEX users_signed_out ON users (id, generation) WHERE generation > 0;
CREATE INDEX sessions_ended ON sessions (expires_at, id) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_open ON sessions (expires_at, user_id, generation) WHERE ended_at IS NULL;
