-- What was attempted with an unknown outcome and waits: few rows of a long backlog.

CREATE INDEX action_unsettled ON action (do, next_at) WHERE is_uncertain = 1 AND state = 'pending';

-- Whether the API answered an attempt of unknown outcome: then it had ended.

ALTER TABLE attempt ADD COLUMN is_answered INTEGER NOT NULL DEFAULT 0;
