"""Limits on incoming connections, for the metrics port and the control socket."""
