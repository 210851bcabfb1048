"""``pagerforce init``: a configuration to fill in, a key, and the certificate to upload."""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from pagerforce.cli.console import (
    FAILED,
    USAGE,
    JsonOption,
    UnusedConfigOption,
    err,
    leave,
    out,
    print_json,
)
from pagerforce.cli.display import ask_person, is_answered
from pagerforce.cli.next_steps import first_steps, renewal_steps
from pagerforce.config.certificate import CERTIFICATE_NAME
from pagerforce.config.starter import (
    CONFIG_NAME,
    KEY_NAME,
    TO_FILL_IN,
    check_answers,
    refuse_existing,
    write_next_pair,
    write_starter,
)
from pagerforce.errors import ConfigError
from pagerforce.service.clock import SystemClock

_SYSTEM_FOLDER = Path("/etc/pagerforce")
_INSTANCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


class Region(StrEnum):
    """PagerDuty's service regions."""

    US = "us"
    EU = "eu"


_API_URLS = {Region.US: "https://api.pagerduty.com", Region.EU: "https://api.eu.pagerduty.com"}
_OPTIONS = {
    "pagerduty.api_url": "--region",
    "pagerduty.from_email": "--from-email",
    "salesforce.login_url": "--login-url",
    "salesforce.org_id": "--org-id",
    "salesforce.consumer_key": "--consumer-key",
    "salesforce.username": "--username",
    "metrics.listen": "--metrics-listen",
}
_QUESTIONS = {
    "pagerduty.api_url": "PagerDuty service region: us or eu",
    "pagerduty.from_email": "E-mail of the PagerDuty user that pagerforce acts as",
    "salesforce.login_url": "Your org's address, such as https://acme.my.salesforce.com",
    "salesforce.org_id": "Organization ID, begins with 00D",
    "salesforce.consumer_key": "Consumer key of the External Client App",
    "salesforce.username": "Salesforce user that pagerforce acts as",
}


def init(  # noqa: PLR0913 (one option per value)
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]",
            help="Where to write. [default: here; with --instance /etc/pagerforce/NAME]",
            show_default=False,
        ),
    ] = None,
    *,
    config: UnusedConfigOption = None,  # noqa: ARG001
    json: JsonOption = False,
    region: Annotated[
        Region | None, typer.Option(help="PagerDuty service region.", show_default=False)
    ] = None,
    from_email: Annotated[str, typer.Option(help="E-mail of the PagerDuty user to act as.")] = "",
    login_url: Annotated[
        str, typer.Option(help="The org's own address: https://….my.salesforce.com.")
    ] = "",
    org_id: Annotated[str, typer.Option(help="Salesforce Organization ID, 00D….")] = "",
    consumer_key: Annotated[
        str, typer.Option(help="Consumer key of the External Client App or Connected App.")
    ] = "",
    username: Annotated[str, typer.Option(help="Salesforce user to act as.")] = "",
    instance: Annotated[
        str,
        typer.Option(help="One of several connections on this host: NAME of pagerforce@NAME."),
    ] = "",
    metrics_listen: Annotated[
        str, typer.Option(help="HOST:PORT of the metrics; each instance needs its own.")
    ] = "",
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing; values without an option stay open.")
    ] = False,
    renew_certificate: Annotated[
        bool,
        typer.Option(
            "--renew-certificate", help="Only write the next key and certificate, beside the old."
        ),
    ] = False,
) -> None:
    """Writes config.toml, salesforce.key and salesforce.crt; never overwrites.

    Asks for values without an option if it runs on a terminal, and shows the next steps in
    PagerDuty and Salesforce. With --json it asks nothing, and prints the written files and the keys
    that must still be filled in.

    Example: pagerforce init /etc/pagerforce --region eu --from-email integration@example.com
    """
    _check_instance(instance)
    place = folder or (_SYSTEM_FOLDER / instance if instance else Path())
    if renew_certificate:
        _renew(place, json=json)
        return
    given = {
        "pagerduty.api_url": _API_URLS[region] if region else "",
        "pagerduty.from_email": from_email,
        "salesforce.login_url": login_url,
        "salesforce.org_id": org_id,
        "salesforce.consumer_key": consumer_key,
        "salesforce.username": username,
        "metrics.listen": metrics_listen,
    }
    answers = {key: value for key, value in given.items() if value} | _folders_of(instance)
    _refuse_bad(answers)
    written = _write(place, answers, is_asking=not yes and not json)
    left = [key for key in TO_FILL_IN if key not in answers]
    _show(written, left, first_steps(place, left, instance=instance), json=json)


def _check_instance(instance: str) -> None:
    if instance and not _INSTANCE.fullmatch(instance):
        err.line("--instance: use only letters, digits and _ . -: it names a folder and a unit")
        leave(USAGE)


def _folders_of(instance: str) -> dict[str, str]:
    """Returns systemd's places of an instance's state and socket, for commands outside systemd."""
    if not instance:
        return {}
    return {
        "daemon.state_dir": f"/var/lib/pagerforce/{instance}",
        "daemon.control_socket": f"/run/pagerforce/{instance}/control.sock",
    }


def _refuse_bad(answers: Mapping[str, str]) -> None:
    problems = check_answers(answers)
    for problem in problems:
        err.line(f"{_OPTIONS.get(problem.where, problem.where)}: {problem.what}")
    if problems:
        leave(USAGE)


def _write(place: Path, answers: dict[str, str], *, is_asking: bool) -> Sequence[Path]:
    """Writes the files; adds the answers to questions to those from options."""
    try:
        refuse_existing(place, (CONFIG_NAME, KEY_NAME, CERTIFICATE_NAME))  # before any question
        if is_asking and is_answered():
            answers |= _ask(answers)
        return write_starter(place, now=SystemClock().now(), answers=answers)
    except ConfigError as error:
        _fail(error)


def _renew(place: Path, *, json: bool) -> None:
    try:
        written = write_next_pair(place, now=SystemClock().now())
    except ConfigError as error:
        _fail(error)
    _show(written, (), renewal_steps(place), json=json)


def _show(written: Sequence[Path], left: Sequence[str], steps: str, *, json: bool) -> None:
    if json:
        print_json({"written": [str(path) for path in written], "fill_in": list(left)})
        return
    for path in written:
        out.line(f"wrote {path}")
    out.line()
    out.lines(steps)


def _fail(error: ConfigError) -> NoReturn:
    for problem in error.problems:
        err.line(str(problem))
    leave(FAILED)


def _ask(answers: Mapping[str, str]) -> dict[str, str]:
    """Asks for values without an option one by one; an empty answer leaves the example in place."""
    out.line("An empty answer leaves the example in the file; fill it in later.")
    given: dict[str, str] = {}
    for key, question in _QUESTIONS.items():
        while key not in answers and key not in given:
            answer = ask_person(question)
            if not answer:
                break
            if key == "pagerduty.api_url" and answer.lower() in list(Region):
                answer = _API_URLS[Region(answer.lower())]
            problems = check_answers({key: answer})
            if problems:
                err.line(f"  {problems[0].what}")
            else:
                given[key] = answer
    return given
