"""The rule system: parsing, conditions, templates and evaluation. Pure: no I/O, clock or network."""
