-- A letter to an address is for every account that has it, whatever the case of its letters.
CREATE INDEX users_mailbox ON users (lower(email));

-- Who was invited to make an account. The mailed token names the row, and holds a mark that no row has.
CREATE TABLE invitations (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    email TEXT NOT NULL,
    invited_by BIGINT REFERENCES users (id) ON DELETE SET NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    accepted_at BIGINT,
    accepted_by BIGINT REFERENCES users (id) ON DELETE SET NULL,
    revoked_at BIGINT
);
CREATE INDEX invitations_email ON invitations (lower(email));
CREATE INDEX invitations_invited_by ON invitations (invited_by) WHERE invited_by IS NOT NULL;
CREATE INDEX invitations_accepted_by ON invitations (accepted_by) WHERE accepted_by IS NOT NULL;

-- Letters to be written: whom for and what about, never a token. That is made as the letter goes out.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    kind TEXT NOT NULL,
    address TEXT NOT NULL,
    mailbox TEXT NOT NULL,
    user_id BIGINT REFERENCES users (id) ON DELETE CASCADE,
    invitation_id BIGINT REFERENCES invitations (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    tried_at BIGINT,
    sent_at BIGINT,
    given_up_at BIGINT,
    trouble TEXT NOT NULL DEFAULT ''
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE sent_at IS NULL AND given_up_at IS NULL;
CREATE INDEX outbox_mailbox ON outbox (mailbox, kind, tried_at);
CREATE INDEX outbox_tried ON outbox (tried_at);
CREATE INDEX outbox_user ON outbox (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX outbox_invitation ON outbox (invitation_id) WHERE invitation_id IS NOT NULL;

-- The ids of mailed tokens that were used, until they would have expired.
CREATE TABLE used_letters (
    jti TEXT PRIMARY KEY NOT NULL,
    until BIGINT NOT NULL
);
CREATE INDEX used_letters_until ON used_letters (until);
