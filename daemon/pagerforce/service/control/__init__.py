"""The operator's desk: the control socket, the roles, and one module per command."""
