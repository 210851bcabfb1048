-- The state of one connection. Instants are UTC text with six digits, 2026-01-02T03:04:05.000000Z,
-- so that text order is time order; JSON columns hold the model's dataclasses (store/codec.py).

CREATE TABLE fact (            -- single facts: start_at, baseline progress, last reconcile
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE cursor (          -- how far a feed has been read
  feed  TEXT PRIMARY KEY,      -- "pagerduty", or the API name of an object or comment object
  stamp TEXT NOT NULL,
  id    TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE incident (        -- snapshots
  id       TEXT PRIMARY KEY,
  is_open  INTEGER NOT NULL,
  entry_at TEXT,               -- time of the newest log entry folded into it
  data     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX incident_open ON incident (id) WHERE is_open = 1;

CREATE TABLE record (          -- snapshots
  id     TEXT PRIMARY KEY,
  object TEXT NOT NULL,
  data   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX record_object ON record (object, id);

CREATE TABLE recheck (         -- records to be read again by id: seen while a write of ours was under way
  id     TEXT PRIMARY KEY,
  object TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE comment (         -- every comment seen or made
  id        TEXT PRIMARY KEY,
  object    TEXT NOT NULL,
  parent_id TEXT NOT NULL,
  action_id TEXT               -- set: ours
) STRICT, WITHOUT ROWID;
CREATE INDEX comment_parent ON comment (parent_id) WHERE action_id IS NOT NULL;

CREATE TABLE note (            -- notes of ours
  incident_id TEXT NOT NULL,
  id          TEXT NOT NULL,
  action_id   TEXT NOT NULL,
  PRIMARY KEY (incident_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE link (
  incident_id TEXT NOT NULL,
  record_id   TEXT NOT NULL,
  object      TEXT NOT NULL,
  is_active   INTEGER NOT NULL,
  created_at  TEXT NOT NULL,   -- in PagerDuty's clock
  record_at   TEXT NOT NULL,   -- the same moment in Salesforce's
  PRIMARY KEY (incident_id, record_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_record ON link (record_id);

CREATE TABLE lane_member (     -- incidents and records whose actions go out in one order
  member TEXT PRIMARY KEY,     -- an incident's or a record's id
  lane   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX lane_member_lane ON lane_member (lane);

CREATE TABLE lane_pause (
  lane   TEXT PRIMARY KEY,
  until  TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE event (           -- journal; its id is what makes a change an event only once
  seq         INTEGER PRIMARY KEY,
  id          TEXT NOT NULL UNIQUE,
  source      TEXT NOT NULL,
  type        TEXT NOT NULL,
  at          TEXT NOT NULL,
  seen_at     TEXT NOT NULL,
  incident_id TEXT,
  object      TEXT,
  record_id   TEXT,
  echo_of     TEXT,            -- id of our own action that caused it
  data        TEXT NOT NULL,
  context     TEXT NOT NULL,   -- the other side as it was when the rules were tried
  rules       TEXT NOT NULL    -- traces of the rules it met
) STRICT;
CREATE INDEX event_incident ON event (incident_id, seq);
CREATE INDEX event_record ON event (record_id, seq);

CREATE TABLE action (          -- the outbox, and what became of every action
  id               TEXT PRIMARY KEY,
  seq              INTEGER NOT NULL,   -- order of decisions
  part             INTEGER NOT NULL DEFAULT 0,
  event_seq        INTEGER NOT NULL REFERENCES event (seq),
  ruleset          TEXT NOT NULL,
  rule             TEXT NOT NULL,
  position         INTEGER NOT NULL,   -- index of the action in its rule
  do               TEXT NOT NULL,
  object           TEXT NOT NULL,
  written          TEXT NOT NULL,      -- arguments as the rule has them
  args             TEXT,               -- rendered; null: to be rendered on delivery
  lane             TEXT NOT NULL,
  is_page          INTEGER NOT NULL,
  target           TEXT,               -- incident or record id of a part
  state            TEXT NOT NULL,
  reason           TEXT,
  attempts         INTEGER NOT NULL DEFAULT 0,
  is_uncertain     INTEGER NOT NULL DEFAULT 0,
  next_at          TEXT NOT NULL,
  created_at       TEXT NOT NULL,
  first_attempt_at TEXT,
  finished_at      TEXT,
  incident_id      TEXT,               -- what it acted on, once known
  record_id        TEXT,
  UNIQUE (seq, part)
) STRICT, WITHOUT ROWID;
CREATE INDEX action_waiting ON action (lane, seq, part) WHERE state IN ('pending', 'in_flight');
CREATE INDEX action_dead ON action (seq) WHERE state = 'dead_letter';
CREATE INDEX action_event ON action (event_seq);
CREATE INDEX action_lane_finished ON action (lane, finished_at) WHERE state = 'delivered';

CREATE TABLE attempt (
  action_id   TEXT NOT NULL,
  number      INTEGER NOT NULL,
  started_at  TEXT NOT NULL,
  finished_at TEXT,
  verdict     TEXT,
  detail      TEXT,
  PRIMARY KEY (action_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE expectation (     -- what polls will bring back because of attempts of ours
  seq       INTEGER PRIMARY KEY,
  action_id TEXT NOT NULL,
  kind      TEXT NOT NULL,
  subject   TEXT NOT NULL,
  data      TEXT NOT NULL,     -- expected values
  actor_id  TEXT,
  remaining INTEGER NOT NULL,
  made_at   TEXT NOT NULL
) STRICT;
CREATE INDEX expectation_subject ON expectation (subject, kind);
CREATE INDEX expectation_action ON expectation (action_id);
