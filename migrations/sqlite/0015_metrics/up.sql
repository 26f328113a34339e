-- Figures of the dashboard: what was counted within a slot of time, `span` microseconds long, that begins at `at`.
CREATE TABLE metrics (
    span BIGINT NOT NULL,
    at BIGINT NOT NULL,
    name TEXT NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (span, at, name)
);
