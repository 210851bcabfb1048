-- Which incidents a record was linked to before a merge of records took its links along.

CREATE TABLE merged_record (
  record_id   TEXT NOT NULL,   -- the record that was merged away
  incident_id TEXT NOT NULL,
  PRIMARY KEY (record_id, incident_id)
) STRICT, WITHOUT ROWID;
