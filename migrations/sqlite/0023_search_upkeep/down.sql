INSERT INTO users_search (users_search, rank) VALUES ('automerge', 4), ('crisismerge', 16);
INSERT INTO articles_search (articles_search, rank) VALUES ('automerge', 4), ('crisismerge', 16);
INSERT INTO tasks_search (tasks_search, rank) VALUES ('automerge', 4), ('crisismerge', 16);
