DROP TABLE lifetimes;
DROP TABLE followers;
DROP TABLE changes;
