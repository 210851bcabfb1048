-- Pauses keep their evidence and stay after they have ended; actions know how long their chain is.

CREATE TABLE pause (
  seq      INTEGER PRIMARY KEY,
  lane     TEXT NOT NULL,
  began_at TEXT NOT NULL,
  until    TEXT NOT NULL,
  ended_at TEXT,               -- null: in force
  reason   TEXT NOT NULL,
  evidence TEXT NOT NULL       -- the actions that led to it, newest first
) STRICT;
CREATE INDEX pause_lane ON pause (lane, seq);
CREATE UNIQUE INDEX pause_in_force ON pause (lane) WHERE ended_at IS NULL;

INSERT INTO pause (lane, began_at, until, reason, evidence)
  SELECT lane, until, until, reason, '[]' FROM lane_pause;
DROP TABLE lane_pause;

-- 1: of a change that nothing of ours led to; else one more than the action that led to it.
ALTER TABLE action ADD COLUMN depth INTEGER NOT NULL DEFAULT 1;

-- How fast the outbox empties.
CREATE INDEX action_finished ON action (finished_at) WHERE finished_at IS NOT NULL;
