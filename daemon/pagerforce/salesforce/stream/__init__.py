"""Salesforce's change events as a hint that wakes the poll. Nothing of their content is used.

``bayeux``: messages and answers. ``conversation``: one client id, from its handshake to its end.
``patience``: how long to wait after an end. ``health``: what polls find that no event announced. These
four are pure. ``line`` sends requests; ``loop`` keeps the conversation going.
"""
