"""Names of facts that are written before the daemon's own connection is open."""

BACKED_UP_AT = "backed_up_at"  # in a backup: when it was made, by this host's clock
RESTORED_AT = "restored_at"  # in a restored database: when
RESTORE_TURN = "restore:turn"  # how far what follows from that has come (store/restored.py)
