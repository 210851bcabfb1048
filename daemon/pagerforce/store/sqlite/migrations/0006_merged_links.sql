-- Whose a link was before a merge took it along: what happened before that is about those records only.

CREATE TABLE merged_link (
  incident_id TEXT NOT NULL,   -- the incident that was merged
  record_id   TEXT NOT NULL,
  PRIMARY KEY (incident_id, record_id)
) STRICT, WITHOUT ROWID;
