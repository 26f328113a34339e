DROP TABLE tasks;
DROP TABLE articles;
