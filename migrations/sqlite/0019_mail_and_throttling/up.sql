-- Letters and invitations as the panel lists them, and letters that were given up as its first page counts them.
CREATE INDEX outbox_created ON outbox (created_at, id);
CREATE INDEX outbox_given_up ON outbox (given_up_at) WHERE given_up_at IS NOT NULL;
CREATE INDEX invitations_created ON invitations (created_at, id);
