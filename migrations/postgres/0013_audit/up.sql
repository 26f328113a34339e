-- Who did what to what. The ids have no gap and each row's hash is over the row before it, keyed: see model/audit.
CREATE TABLE audit_entries (
    id BIGINT PRIMARY KEY NOT NULL,
    at BIGINT NOT NULL,
    actor_id BIGINT,
    actor TEXT COLLATE "C" NOT NULL,
    session TEXT COLLATE "C" NOT NULL,
    ip TEXT COLLATE "C" NOT NULL,
    user_agent TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    object_kind TEXT COLLATE "C" NOT NULL,
    object_id TEXT COLLATE "C" NOT NULL,
    object TEXT COLLATE "C" NOT NULL,
    fields TEXT COLLATE "C" NOT NULL,
    changes TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    result TEXT COLLATE "C" NOT NULL,
    hash TEXT COLLATE "C" NOT NULL
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
    id BIGINT PRIMARY KEY NOT NULL,
    anchor_id BIGINT NOT NULL,
    anchor_hash TEXT COLLATE "C" NOT NULL,
    head_id BIGINT NOT NULL,
    head_hash TEXT COLLATE "C" NOT NULL,
    seal TEXT COLLATE "C" NOT NULL
);
