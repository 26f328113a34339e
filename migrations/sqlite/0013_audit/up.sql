-- Who did what to what. The ids have no gap and each row's hash is over the row before it, keyed: see model/audit.
CREATE TABLE audit_entries (
    id INTEGER PRIMARY KEY NOT NULL,
    at BIGINT NOT NULL,
    actor_id BIGINT,
    actor TEXT NOT NULL,
    session TEXT NOT NULL,
    ip TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    action TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    object_id TEXT NOT NULL,
    object TEXT NOT NULL,
    fields TEXT NOT NULL,
    changes TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    result TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX audit_entries_at ON audit_entries (at, id);
CREATE INDEX audit_entries_actor ON audit_entries (actor_id, at, id);
CREATE INDEX audit_entries_action ON audit_entries (action, at, id);
CREATE INDEX audit_entries_kind ON audit_entries (object_kind, at, id);
CREATE INDEX audit_entries_result ON audit_entries (result, at, id);
CREATE INDEX audit_entries_object_id ON audit_entries (object_id, at, id);
CREATE INDEX audit_entries_object ON audit_entries (object, at, id);
CREATE INDEX audit_entries_request ON audit_entries (request, at, id);

-- Where the chain begins (the last row that was swept away) and where it ends, sealed. One row.
CREATE TABLE audit_chain (
    id INTEGER PRIMARY KEY NOT NULL,
    anchor_id BIGINT NOT NULL,
    anchor_hash TEXT NOT NULL,
    head_id BIGINT NOT NULL,
    head_hash TEXT NOT NULL,
    seal TEXT NOT NULL
);
