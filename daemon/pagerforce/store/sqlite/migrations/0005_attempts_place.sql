-- On which incident an attempt was made: a link may move on before the next one.

ALTER TABLE attempt ADD COLUMN incident_id TEXT;
