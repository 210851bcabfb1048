"""``verify``: a scripted story on a test incident and a test record, compared with the table of beliefs."""
