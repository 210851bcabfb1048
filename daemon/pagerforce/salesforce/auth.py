"""The session with Salesforce: one login at a time, pinned to its org, renewed when it has ended.

A session is renewed when Salesforce answers a request with 401. That request is sent again, which
costs nothing; an early login could fail while the session still works. If several requests in a row
got no answer of the API, the instance may have moved, and pagerforce asks the login host for the
new one. A refused login is repeated only after a pause, because each one appears in the login
history. Facts: docs/vendors/salesforce.md#login.
"""

from datetime import datetime, timedelta
from typing import Protocol, TypeGuard

import httpx

from pagerforce.config.schema import SalesforceSettings
from pagerforce.errors import CredentialsError, RemoteError, TransientError, WrongOrgError
from pagerforce.model.durations import LONGEST_BACKOFF
from pagerforce.model.ids import RecordId, is_same_record_id
from pagerforce.model.ports import Clock
from pagerforce.observe.log import get_log
from pagerforce.observe.turns import Turns
from pagerforce.salesforce.login import (
    GRANT_TYPE,
    TOKEN_PATH,
    Access,
    make_assertion,
    read_access,
    to_login_error,
)
from pagerforce.salesforce.login_budget import LoginBudget
from pagerforce.wire.answer import Answer
from pagerforce.wire.backoff import backoff_seconds
from pagerforce.wire.exchange import exchange
from pagerforce.wire.remote_clock import ENOUGH, RemoteClock
from pagerforce.wire.transport import OPERATION

_LOG = get_log("salesforce")
_REFUSAL_BASE_SECONDS = 30.0
_QUESTIONED_AFTER = 2  # requests in a row without an answer of the API
_QUESTIONED_EVERY_SECONDS = 60.0
# A larger error of the clock may be the reason for a refused assertion.
_NOTABLE_SKEW = timedelta(seconds=20)


class SecretText(Protocol):
    """Text that does not print itself, e.g. ``config.secret.Secret``."""

    def reveal(self) -> str:
        """The text."""
        ...


class JwtSession:
    """The one session of the daemon, shared by all users of Salesforce.

    Args:
        settings: the ``[salesforce]`` section.
        private_key: the RSA key in PEM form.
        http: from ``wire.transport.build_client``, based on ``login_url``.
        clock: the host's clock; corrected by the server's ``Date`` once one was seen.
        timeout_seconds: total deadline of one login request.
        made_with: the org that the state was created with; None if it is not known yet.
    """

    def __init__(
        self,
        settings: SalesforceSettings,
        private_key: SecretText,
        http: httpx.AsyncClient,
        clock: Clock,
        *,
        timeout_seconds: float = 30.0,
        made_with: RecordId | None = None,
    ) -> None:
        self._settings = settings
        self._made_with = made_with
        self._private_key = private_key
        self._http = http
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._login_url = settings.login_url
        self._turns = Turns("Salesforce login", _login_hangs)
        self._access: Access | None = None
        self._remote_clock = RemoteClock(clock)
        self._refusal: CredentialsError | TransientError | None = None
        self._refusals = 0
        self._retry_at = 0.0
        self._ended_logins = 0
        self._budget = LoginBudget(clock)
        self._unanswered = 0
        self._question_at = 0.0
        self._failure: RemoteError | None = None

    @property
    def known(self) -> Access | None:
        """The current session, without a login."""
        return self._access

    @property
    def is_dated(self) -> bool:
        """Whether the server's clock is known from an answer."""
        return self._remote_clock.is_known

    def now(self) -> datetime:
        """The current time of the server's clock, as far as its answers have shown it."""
        return self._remote_clock.now()

    def note_date(self, headers: httpx.Headers) -> None:
        """Learns the server's clock from the ``Date`` of an answer."""
        self._remote_clock.note(headers.get("Date"))

    async def access(self) -> Access:
        """The session, after a login if there is none. Concurrent callers share one login.

        Raises:
            CredentialsError: refused, now or within the pause since the last refusal.
            WrongOrgError: it is another org than the configured one.
            TransientError: the login host could not be reached or is failing.
            MalformedError: its answer could not be understood.
        """
        current = self._access
        if current is not None and not self._is_doubted:
            return current
        seen = self._ended_logins
        async with self._turns.taken():
            if self._access is not None:
                return await self._question(self._access) if self._is_doubted else self._access
            if self._ended_logins != seen and self._failure is not None:
                # The login that this caller waited for failed, so this caller fails as well.
                raise self._failure.with_traceback(None)
            self._access = await self._login()
            return self._access

    @property
    def _is_doubted(self) -> bool:
        is_due = self._clock.monotonic() >= self._question_at
        return self._unanswered >= _QUESTIONED_AFTER and is_due

    async def _question(self, doubted: Access) -> Access:
        """Asks the login host for the instance; the session stays if it does not answer."""
        self._question_at = self._clock.monotonic() + _QUESTIONED_EVERY_SECONDS
        try:
            access = await self._login()
        except RemoteError as error:
            _LOG.warning("instance_unknown", reason=str(error))
            return doubted
        self._unanswered = 0
        self._access = access
        if access.instance_url != doubted.instance_url:
            _LOG.warning("instance_moved", before=doubted.instance_url, after=access.instance_url)
        return access

    async def renew(self, ended: Access) -> Access:
        """A session other than ``ended``, which Salesforce no longer accepts.

        Raises:
            CredentialsError, WrongOrgError, TransientError, MalformedError: as ``access``.
        """
        self.leave(ended)
        return await self.access()

    def leave(self, ended: Access) -> None:
        """Drops this session, so that the next request uses another one."""
        if self._access is ended:
            self._access = None

    def refuse(self, access: Access, error: CredentialsError) -> None:
        """Ends a session that was refused while fresh, and pauses before the next login."""
        if self._access is access:
            self._access = None
            self._remember(error)

    def forgive(self) -> None:
        """Ends the pause after a refusal, so that an operator who fixed it need not wait."""
        self._refusal = None

    async def _login(self) -> Access:
        if self._refusal is not None and self._clock.monotonic() < self._retry_at:
            raise self._refusal.with_traceback(None)
        wait = self._budget.take()
        if wait:
            raise TransientError(
                "login: nothing was sent: there were too many logins within a few minutes",
                retry_after_seconds=wait,
            )
        self._failure = None
        try:
            access = await self._ask()
        except RemoteError as error:
            self._failure = error
            if isinstance(error, CredentialsError) or _is_mood(error):
                self._remember(error)
            raise
        finally:
            self._ended_logins += 1
        self._refusal = None
        return access

    def note_success(self) -> None:
        """Resets the count of refusals, because a request has just worked."""
        self._refusals = 0

    def note_answered(self, access: Access, *, is_answered: bool) -> None:
        """Notes whether a request of this session got an answer of the API, even a refusal."""
        if self._access is access:
            self._unanswered = 0 if is_answered else self._unanswered + 1

    def _remember(self, error: CredentialsError | TransientError) -> None:
        self._refusals += 1
        self._refusal = error
        pause = backoff_seconds(
            self._refusals,
            base=_REFUSAL_BASE_SECONDS,
            cap=LONGEST_BACKOFF.total_seconds(),
            jitter=1.0,
        )
        if isinstance(error, TransientError):
            pause = max(pause, error.retry_after_seconds or 0.0)
        self._retry_at = self._clock.monotonic() + pause

    async def _ask(self) -> Access:
        answer, is_misdated = await self._send_dated()
        for _ in range(ENOUGH):
            if answer.status not in (400, 401) or not is_misdated:
                break
            answer, is_misdated = await self._send_dated()
        if answer.status != 200:
            raise to_login_error(answer.status, _json_or_none(answer))
        access = read_access(answer.json_object(), login_url=self._login_url)
        self._check_org(access.org_id)
        self._made_with = access.org_id
        return access

    def _check_org(self, found: RecordId) -> None:
        wanted = self._settings.org_id
        if wanted and not is_same_record_id(found, wanted):
            raise WrongOrgError(
                f"the login led to Salesforce org {found}, but salesforce.org_id is"
                f" {wanted}: check login_url and username, or correct org_id"
            )
        if self._made_with is not None and not is_same_record_id(found, self._made_with):
            raise WrongOrgError(f"the login led to Salesforce org {found}, but {self._anew()}")

    def _anew(self) -> str:
        return (
            f"the state was created with org {self._made_with}, whose Ids are not valid in this org"
            " (was a sandbox refreshed?): check login_url and username, or start over with this"
            " org: stop the daemon and move pagerforce.db, and all files in the state folder whose"
            " names begin with pagerforce.db, out of that folder; with state.url, give state.connection"
            " another name"
        )

    async def _send_dated(self) -> tuple[Answer, bool]:
        """The answer, and whether the assertion was, or may have been, dated by a wrong clock."""
        assumed, sent_at = self.now(), self._clock.monotonic()
        answer = await self._send()
        passed = timedelta(seconds=self._clock.monotonic() - sent_at)
        is_corrected = abs(self.now() - assumed - passed) > _NOTABLE_SKEW
        return answer, is_corrected or self._remote_clock.is_doubtful

    async def _send(self) -> Answer:
        assertion = make_assertion(
            consumer_key=self._settings.consumer_key,
            username=self._settings.username,
            audience=self._settings.jwt_audience,
            private_key=self._private_key.reveal(),
            now=self.now(),
        )
        request = self._http.build_request(
            "POST",
            f"{self._login_url}{TOKEN_PATH}",
            data={"grant_type": GRANT_TYPE, "assertion": assertion},
            headers={"Accept": "application/json"},
            extensions={OPERATION: "login"},
        )
        answer = await exchange(
            self._http, request, is_write=False, deadline_seconds=self._timeout_seconds
        )
        self.note_date(answer.headers)
        return answer


def _is_mood(error: RemoteError) -> TypeGuard[TransientError]:
    """Whether the error is a temporary refusal: the login host only asks for a pause."""
    return isinstance(error, TransientError) and error.retry_after_seconds is not None


def _login_hangs() -> TransientError:
    return TransientError("login: nothing was sent: another login has not ended yet")


def _json_or_none(answer: Answer) -> object:
    try:
        return answer.json()
    except RemoteError:
        return None
