ALTER INDEX users_search RESET (fastupdate);
ALTER INDEX articles_search RESET (fastupdate);
ALTER INDEX tasks_search RESET (fastupdate);
