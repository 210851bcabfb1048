"""Settings of all tests."""

import signal

from hypothesis import settings

# No timed assertions: a slow machine is no failure. The same examples on every run: a failure stays.
settings.register_profile("pagerforce", deadline=None, derandomize=True)
settings.load_profile("pagerforce")

# A shell has what it starts in the background ignore Ctrl-C, and children inherit that: those that a
# test interrupts must not.
signal.signal(signal.SIGINT, signal.default_int_handler)
