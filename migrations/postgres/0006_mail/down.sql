DROP TABLE used_letters;
DROP TABLE outbox;
DROP TABLE invitations;
DROP INDEX users_mailbox;
