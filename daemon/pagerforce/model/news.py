"""Whether a comment is new, although comments are forgotten after a while. Pure."""

from datetime import datetime, timedelta

COMMENT_DAYS = timedelta(days=365)
"""How long pagerforce remembers that it saw a comment."""


def is_too_old_for_news(created_at: datetime, now: datetime) -> bool:
    """Whether an unknown comment may be a forgotten one; it is not new then.

    An edited comment is read again, however old it is; only its stored id would show that it was
    seen before.
    """
    return created_at < now - COMMENT_DAYS
