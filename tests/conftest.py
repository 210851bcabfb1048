"""Settings of all tests."""

from hypothesis import settings

# No timed assertions: a slow machine is no failure. The same examples on every run: a failure stays.
settings.register_profile("pagerforce", deadline=None, derandomize=True)
settings.load_profile("pagerforce")
