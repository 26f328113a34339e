ALTER TABLE signing_keys DROP COLUMN last_used_at;
DROP TABLE bulk_job_rows;
DROP TABLE bulk_jobs;
