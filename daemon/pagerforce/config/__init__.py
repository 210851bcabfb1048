"""The user's configuration: TOML files read, checked and turned into frozen models.

``load`` reads files and reports every problem at once, ``schema`` is what the rest of the program
sees, ``secret`` is the only place that touches keys. Nothing here talks to a remote side.
"""
