DROP INDEX users_foreign_hash;
