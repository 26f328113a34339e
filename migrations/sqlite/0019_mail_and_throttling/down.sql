DROP TABLE dismissals;
DROP TABLE throttled;
DROP INDEX invitations_created;
DROP INDEX outbox_given_up;
DROP INDEX outbox_created;
