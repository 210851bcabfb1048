"""Alternatives that load the same data or make the same changes: one program each.

Each is written like a user of that library would, and reports its use of resources at its end.
"""
