"""What is news, of the things that are forgotten after a while. Pure."""

from datetime import datetime, timedelta

COMMENT_DAYS = timedelta(days=365)
"""For so long it is remembered that a comment was seen."""


def is_too_old_for_news(created_at: datetime, now: datetime) -> bool:
    """Whether a comment that nobody knows may be one that was forgotten: it is no news then.

    An edit brings a comment back however old it is; only its id would tell that it was seen before.
    """
    return created_at < now - COMMENT_DAYS
