-- The key ring. Private parts are files in the data folder; here is what each key is for.
CREATE TABLE signing_keys (
    kid TEXT PRIMARY KEY NOT NULL,
    algorithm TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    activated_at BIGINT,
    replaced_at BIGINT,
    retired_at BIGINT,
    issued_before BIGINT
);
-- One key signs.
CREATE UNIQUE INDEX signing_keys_active ON signing_keys (state) WHERE state = 'active';
