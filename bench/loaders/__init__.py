"""What else could load the same data or make the same changes: programs of their own, one each.

Each is written as a user of that library would, and tells at its end what it used.
"""
