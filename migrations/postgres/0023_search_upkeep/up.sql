-- What is written goes into the indexes of words at once. Put aside, as they do by default, it is gone through by each search, and
-- whichever write finds that much has gathered puts all of it in, with the rows that it has locked.
ALTER INDEX users_search SET (fastupdate = off);
ALTER INDEX articles_search SET (fastupdate = off);
ALTER INDEX tasks_search SET (fastupdate = off);
SELECT gin_clean_pending_list('users_search'), gin_clean_pending_list('articles_search'), gin_clean_pending_list('tasks_search');
