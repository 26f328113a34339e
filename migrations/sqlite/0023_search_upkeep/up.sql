-- The indexes of words are merged by the server, a little at a time: left to themselves they do it within whichever write comes when
-- it is due, and with a hundred thousand users that one takes a third of a second. Only where more is written between than the
-- server merges do they help themselves: sixty-four parts of a size make one.
INSERT INTO users_search (users_search, rank) VALUES ('automerge', 0), ('crisismerge', 64);
INSERT INTO articles_search (articles_search, rank) VALUES ('automerge', 0), ('crisismerge', 64);
INSERT INTO tasks_search (tasks_search, rank) VALUES ('automerge', 0), ('crisismerge', 64);
