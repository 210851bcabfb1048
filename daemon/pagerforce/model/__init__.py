"""The terms of the domain: frozen dataclasses and enums, no I/O, no clock, no third party."""
