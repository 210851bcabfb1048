"""``verify``: a scripted test on an incident and a record, compared with the table of beliefs."""
