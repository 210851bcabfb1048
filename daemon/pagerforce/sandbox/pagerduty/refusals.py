"""The API's errors. Facts: docs/vendors/pagerduty.md#errors."""

from pagerforce.sandbox.pagerduty.links import Json


class RefusalError(Exception):
    """A refused request.

    Attributes:
        status: the HTTP status.
        body: the JSON body.
    """

    def __init__(self, status: int, code: int, message: str, *errors: str) -> None:
        super().__init__(message)
        self.status = status
        error: Json = {"message": message, "code": code}
        if errors:
            error["errors"] = list(errors)
        self.body: Json = {"error": error}


class PlainRefusalError(RefusalError):
    """The few refusals with a text as ``error`` instead of an object."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, 0, message)
        self.body = {"error": message}


def not_found(what: str = "Not Found") -> RefusalError:
    """The id is unknown."""
    return RefusalError(404, 2100, what)


def bad_arguments(*errors: str) -> RefusalError:
    """Code 2002, which covers very different errors: ``errors`` distinguishes them."""
    return RefusalError(400, 2002, "Arguments Caused Error", *errors)


def invalid_input(*errors: str) -> RefusalError:
    """The body is invalid."""
    return RefusalError(400, 2001, "Invalid Input Provided", *errors)


def check_length(name: str, text: str, limit: int | None) -> None:
    """Refuses a text beyond a limit, with PagerDuty's words for an alert's summary.

    Raises:
        RefusalError: it is too long.
    """
    if limit is not None and len(text) > limit:
        raise invalid_input(f"{name} is too long (maximum is {limit} characters)")


def lacks_ability(name: str) -> RefusalError:
    """The account's plan does not include this."""
    return RefusalError(402, 2014, "Missing Account Ability", f"Account must have {name} ability")


def access_denied() -> RefusalError:
    """The key may not do this."""
    return RefusalError(403, 2010, "Access Denied")


def not_authenticated() -> RefusalError:
    """No key, an unknown key, or a malformed header."""
    return RefusalError(401, 2006, "Authentication failed")


def too_many_requests() -> RefusalError:
    """The key has used up its requests of this minute."""
    return RefusalError(429, 2020, "Rate Limit Exceeded")


def from_missing() -> RefusalError:
    """An account key wrote without a ``From`` header; the recorded code means a time-out."""
    text = 'You must specify a user\'s email address in the "From" header to perform this action'
    return RefusalError(400, 2016, text)


def requester_not_found() -> RefusalError:
    """The ``From`` header or ``requester_id`` is unknown."""
    return RefusalError(400, 1008, "Requester User Not Found")
