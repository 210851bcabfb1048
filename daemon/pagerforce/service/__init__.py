"""The daemon and the services that commands use: checks, control socket, metrics, verification."""
