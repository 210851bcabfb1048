-- When an attempt began for the server, and what had been read by then: this host's clock may be set meanwhile.

ALTER TABLE attempt ADD COLUMN ahead REAL;        -- seconds that the server's clock was ahead; null: not known
ALTER TABLE attempt ADD COLUMN event_seq INTEGER; -- the newest event then; null: not known
