"""How many rows to request per page, and when to give up a list without an end. Pure."""

from pagerforce.errors import MalformedError, TooLargeError
from pagerforce.pagerduty.client import PAGE_SIZE

_QUARTER = 4
_MAX_PAGES = 400
"""Per pass: four times the number of full pages up to the maximum depth."""


class PageSize:
    """The size of the next page in one pass through a list: smaller if pages are too large."""

    def __init__(self, rows: int = PAGE_SIZE) -> None:
        self.rows = rows
        self._full_pages = 0

    def shrink(self, error: TooLargeError) -> None:
        """A page was too large.

        Raises:
            TooLargeError: it had a single row.
        """
        if self.rows == 1:
            raise error
        self.rows = max(1, self.rows // _QUARTER)

    def grow(self) -> None:
        """A page was read.

        Raises:
            MalformedError: there were more pages than any list has.
        """
        self._full_pages += self.rows == PAGE_SIZE
        if self._full_pages > _MAX_PAGES:
            raise MalformedError("the pages of a list do not end")
        self.rows = min(PAGE_SIZE, self.rows * 2)
