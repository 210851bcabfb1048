"""Checks and tries operators' rules in a child process with limits on everything."""
