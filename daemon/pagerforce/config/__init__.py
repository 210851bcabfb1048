"""The user's configuration: reads and checks TOML files and turns them into frozen models.

``load`` reads files and reports every problem at once, ``schema`` is the interface for the rest of
the program, ``secret`` is the only module that reads keys. No module here calls a remote side.
"""
