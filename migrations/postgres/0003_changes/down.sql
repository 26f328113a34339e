DROP TABLE followers;
DROP TABLE changes;
