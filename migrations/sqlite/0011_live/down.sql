ALTER TABLE followers DROP COLUMN listens;
DELETE FROM changes WHERE kind = 'event';
ALTER TABLE changes DROP COLUMN data;
