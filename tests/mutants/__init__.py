"""Puts small mistakes into the code at random, to see whether the tests notice."""
