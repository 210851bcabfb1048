"""Durations on which several modules must agree, each with its reason.

A duration that one module needs alone is in that module.
"""

from datetime import timedelta

# A loop that hangs. Each of these must be shorter than the next.

CALL_DEADLINE = timedelta(seconds=40)
"""The longest deadline of one HTTP call, whatever ``delivery.timeout`` says."""

STEP_DEADLINE = timedelta(seconds=42)
"""A step of several calls ends after so long without a sign of life."""

SILENT_AFTER = timedelta(seconds=45)
"""A loop without a sign of life for so long is unhealthy (``/-/healthy``)."""

HUNG_AFTER = timedelta(seconds=60)
"""A loop without a sign of life for so long hangs: the process ends, systemd starts it again."""

# What fails.

LONGEST_BACKOFF = timedelta(seconds=80)
"""With ``CALL_DEADLINE``, a side that fails is tried again at least every two minutes."""

LONGEST_WAIT = timedelta(minutes=5)
"""No action waits longer for its next attempt, whatever the other side asks for: limits are per minute,
and a longer wait is a misread header. An action that seems to wait longer was stored before this
host's clock was set back: it is due."""

# What is read.

OVERLAP = timedelta(seconds=60)
"""Polls read again so far back. What is younger may still change or be incomplete: a reconcile leaves it
to the log, and no write relies on a snapshot that was read so soon after its stamp."""

LATEST_ENTRY = timedelta(hours=3)
"""Entries later than this never arrive: expectations, and links as their rivals, count for so long."""

LIVELY_FOR = timedelta(seconds=30)
"""After a poll found something, polls go at the lively pace for so long."""

NAMES_KNOWN_FOR = timedelta(minutes=10)
"""What was looked up by name is used again for so long."""

DESCRIBE_KNOWN_FOR = timedelta(hours=2)
"""A describe of an object is used again for so long."""

PARENTS_EVERY = timedelta(minutes=5)
"""Changes of parents that rules use are read at least so often."""

# Clocks.

CLOCK_KNOWN_TO = timedelta(seconds=5)
"""The clock of a side is known to whole seconds, from answers that took some time to arrive."""

SIDES_APART = timedelta(hours=1)
"""PagerDuty's clock and Salesforce's may differ by so much."""

MOST_AHEAD = timedelta(days=1)
"""A stamp further ahead of all known clocks than this is malformed."""
