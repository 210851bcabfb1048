"""The operations of the commands: the control socket, the roles, and one module per command."""
