DROP TABLE facts;
DROP INDEX users_service;
ALTER TABLE users DROP COLUMN is_service;
ALTER TABLE users DROP COLUMN time_zone;
