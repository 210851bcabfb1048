"""The terms of the domain: frozen structs and enums, no I/O, no clock, no third party."""
