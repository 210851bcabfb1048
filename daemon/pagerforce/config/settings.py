"""The sections of the configuration that exist once: daemon, metrics, both sides, delivery.

Attribute names, defaults and units are those of docs/configuration.md. Durations are ``timedelta``.
A loaded path is absolute: relative ones start at the configuration file's folder. If the
configuration has ``""`` for "none", a path is ``None`` here and a text stays ``""``.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_core import PydanticCustomError

from pagerforce.config.values import (
    FROM_LIST,
    ApiVersion,
    ConnectionName,
    Email,
    Listen,
    NeededPath,
    OptionalPath,
    OptionalUrl,
    OrgId,
    PlainWord,
    RemoteId,
    SecretPath,
    StartFrom,
    StateUrl,
    Url,
    duration_between,
    parse_duration,
    split_address,
)
from pagerforce.model.durations import CALL_DEADLINE
from pagerforce.model.value import parse_instant

DEFAULT_SOCKET = Path("/run/pagerforce/control.sock")


class Section(BaseModel):
    """The base of all parts of the configuration: frozen, no unknown keys, no converted types."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, hide_input_in_errors=True, allow_inf_nan=False
    )


class DaemonSettings(Section):
    """``[daemon]``: the process itself."""

    ca_file: OptionalPath = None
    state_dir: NeededPath = Path("/var/lib/pagerforce")
    mode: Literal["live", "shadow"] = "live"
    start_from: StartFrom = "now"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"
    control_socket: OptionalPath = DEFAULT_SOCKET

    @property
    def start_at(self) -> datetime | None:
        """Returns the instant from which the first start backfills; None: from now on."""
        return None if self.start_from == "now" else parse_instant(self.start_from.upper())


class StateSettings(Section):
    """``[state]``: where the state is kept: SQLite in ``daemon.state_dir``, or PostgreSQL."""

    url: StateUrl = ""
    password_file: SecretPath = None
    connection: ConnectionName = ""

    @field_validator("connection", mode="after")
    @classmethod
    def _need_name(cls, value: str, info: ValidationInfo) -> str:
        if not value and info.data.get("url"):
            raise PydanticCustomError(
                "setting", 'is required with state.url: name this connection, e.g. "production"'
            )
        return value


class MetricsSettings(Section):
    """``[metrics]``: the places of the metrics."""

    listen: Listen = "127.0.0.1:9479"
    textfile: OptionalPath = None

    @property
    def address(self) -> tuple[str, int] | None:
        """Returns host and port to listen on; None: nothing listens on TCP."""
        return split_address(self.listen) if self.listen else None


class _PolledSide(Section):
    """The base of both sides: a calm pace, a fast one, and their relation."""

    @field_validator("min_poll_interval", mode="wrap", check_fields=False)
    @classmethod
    def _keep_pace(
        cls, value: object, read: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> timedelta:
        lively: timedelta = read(value)
        calm: timedelta | None = info.data.get("poll_interval")
        if calm is None or lively <= calm:
            return lively
        if isinstance(value, timedelta):  # a short poll_interval lowers the default
            return calm
        raise PydanticCustomError(
            "setting", "must not be longer than poll_interval: lower it, or raise poll_interval"
        )


class PagerDutySettings(_PolledSide):
    """``[pagerduty]``: the account, the pace of polling."""

    api_url: Url = "https://api.pagerduty.com"
    api_key_file: SecretPath = None
    from_email: Email
    act_as: Literal["integration", "actor"] = "integration"
    services: Annotated[tuple[RemoteId, ...], FROM_LIST] = ()
    poll_interval: Annotated[timedelta, duration_between("0.1s", "1h")] = parse_duration("3s")
    min_poll_interval: Annotated[
        timedelta, duration_between("0.1s", "1h"), Field(validate_default=True)
    ] = parse_duration("2s")
    late_window: Annotated[timedelta, duration_between("1s", "7d")] = parse_duration("1h")
    reconcile_interval: Annotated[timedelta, duration_between("1s", "1d")] = parse_duration("5m")


class SalesforceSettings(_PolledSide):
    """``[salesforce]``: the org, the login, the pace of polling and the share of API calls."""

    login_url: Url
    audience: OptionalUrl = ""
    org_id: OrgId = ""
    consumer_key: PlainWord
    username: Email
    private_key_file: SecretPath = None
    api_version: ApiVersion = "62.0"
    poll_interval: Annotated[timedelta, duration_between("0.1s", "1h")] = parse_duration("15s")
    min_poll_interval: Annotated[
        timedelta, duration_between("0.1s", "1h"), Field(validate_default=True)
    ] = parse_duration("3s")
    stream: Literal["off", "cometd"] = "off"
    stream_poll_interval: Annotated[
        timedelta, duration_between("0.1s", "1h"), Field(validate_default=True)
    ] = parse_duration("5m")
    allow_duplicates: bool = True
    late_window: Annotated[timedelta, duration_between("1s", "7d")] = parse_duration("15m")
    daily_call_budget: Annotated[int, Field(ge=1, le=100_000_000)] = 20_000

    @field_validator("stream_poll_interval", mode="wrap")
    @classmethod
    def _keep_calm(
        cls, value: object, read: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> timedelta:
        found: timedelta = read(value)
        calm: timedelta | None = info.data.get("poll_interval")
        if calm is None or found >= calm:
            return found
        if isinstance(value, timedelta):  # the default gives way to a long poll_interval
            return calm
        raise PydanticCustomError(
            "setting", "must not be shorter than poll_interval: raise it, or lower poll_interval"
        )

    @property
    def jwt_audience(self) -> str:
        """Returns the ``aud`` claim: ``audience``, or ``login_url`` if that is empty."""
        return self.audience or self.login_url


class DeliverySettings(Section):
    """``[delivery]``: the delivery of actions."""

    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    retry_for: Annotated[timedelta, duration_between("1s", "30d")] = parse_duration("24h")
    loop_limit: Annotated[int, Field(ge=1, le=10_000)] = 20
    loop_pause: Annotated[timedelta, duration_between("1s", "7d")] = parse_duration("15m")
    timeout: Annotated[timedelta, duration_between("0.1s", "10m")] = parse_duration("30s")

    @property
    def deadline(self) -> timedelta:
        """Returns the deadline of one HTTP call: ``timeout``, at most ``CALL_DEADLINE``."""
        return min(self.timeout, CALL_DEADLINE)
