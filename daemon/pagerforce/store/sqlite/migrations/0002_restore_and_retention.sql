-- What a restore, the pruning and a long backlog need.

PRAGMA application_id = 1346848323;   -- "PGFC": whose file this is

-- After a restore: what this action does may have been done since then, by one that is forgotten now.
ALTER TABLE action ADD COLUMN doubt_since TEXT;

-- When a comment was stored, by this host's clock: old ones are pruned.
ALTER TABLE comment ADD COLUMN seen_at TEXT;
UPDATE comment SET seen_at = strftime('%Y-%m-%dT%H:%M:%f000Z', 'now');

CREATE INDEX action_in_flight ON action (lane) WHERE state = 'in_flight';
CREATE INDEX action_waiting_page ON action (lane)
  WHERE is_page = 1 AND state IN ('pending', 'in_flight');

-- Everything that choosing what goes next looks at, so that a long backlog is not read through.
DROP INDEX action_waiting;
CREATE INDEX action_waiting ON action (lane, seq, part, state, next_at, created_at)
  WHERE state IN ('pending', 'in_flight');
