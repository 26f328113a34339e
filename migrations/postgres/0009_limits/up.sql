-- Failed sign-ins, so that a restart forgets none. The key is a keyed digest: it tells neither name nor address.
CREATE TABLE sign_in_failures (
    key TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    times TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sign_in_failures_expires ON sign_in_failures (expires_at);

-- Where an account has signed in from: the digest of an address, and the generation that the user had.
CREATE TABLE known_addresses (
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    network TEXT COLLATE "C" NOT NULL,
    generation INTEGER NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, network)
);
CREATE INDEX known_addresses_seen ON known_addresses (seen_at);

-- Two-factor sign-in: the secret, sealed, and the last step that a code was used of. Without confirmed_at it is being set up.
CREATE TABLE two_factor (
    user_id BIGINT PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    secret TEXT COLLATE "C" NOT NULL,
    last_step BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    confirmed_at BIGINT
);

-- The recovery codes that were not used yet, as keyed digests.
CREATE TABLE recovery_codes (
    user_id BIGINT NOT NULL REFERENCES two_factor (user_id) ON DELETE CASCADE,
    digest TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (user_id, digest)
);
