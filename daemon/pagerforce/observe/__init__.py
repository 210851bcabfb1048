"""Logs, metrics, and the progress that the watchdog sees."""
