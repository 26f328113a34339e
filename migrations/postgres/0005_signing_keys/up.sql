-- The key ring. Private parts are files in the data folder; here is what each key is for.
CREATE TABLE signing_keys (
    kid TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    algorithm TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    activated_at BIGINT,
    replaced_at BIGINT,
    retired_at BIGINT,
    issued_before BIGINT
);
-- One key signs.
CREATE UNIQUE INDEX signing_keys_active ON signing_keys (state) WHERE state = 'active';
