"""Checks and tries what operators hand in, within a child process that has bounds on everything."""
