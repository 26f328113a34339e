DROP TABLE throttle_counts;
DROP TABLE idempotency_keys;
