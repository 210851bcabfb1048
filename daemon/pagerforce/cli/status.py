"""``pagerforce status``: shows the state of the sources, the outbox and the links."""

from typing import Any

from pagerforce.cli.console import (
    ConfigOption,
    JsonOption,
    out,
    print_json,
    reporting,
)
from pagerforce.cli.desk import ask

_COLUMNS = ("source", "state", "behind", "polled every", "read to", "calls left")


def status(*, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Shows the present state; always exits with 0.

    Asks the running daemon; without one it reads the state's file, and ready is false.

    Example: pagerforce status --json
    """
    with reporting():
        answer = ask(config, "status")
    if json:
        print_json(answer)
    else:
        _print(answer)


def _print(answer: dict[str, Any]) -> None:
    ready = "ready" if answer["ready"] else _unready(answer["sources"])
    out.line(
        f"pagerforce {answer['version']} (schema {answer['schema']}), mode {answer['mode']},"
        f" {ready}"
    )
    out.table(_COLUMNS, _sources(answer))
    box = answer["outbox"]
    paused = _list(answer["links"]["paused"])
    left = box["estimate_seconds"]
    pace = f", about {left:.0f} s left at the present pace" if box["depth"] and left else ""
    for line in (
        f"outbox        {box['depth']} waiting, the oldest for {box['oldest_seconds']:.0f} s{pace}",
        f"dead letters  {answer['dead_letters']}",
        f"links         {answer['links']['total']}, paused: {paused}",
    ):
        out.line(line)
    if box["unreadable"]:
        counts = _list([f"{count} of {table}" for table, count in box["unreadable"].items()])
        out.line(f"unreadable    {counts}: stored rows that can't be read, left out")
    for name, source in answer["sources"].items():
        if source["problem"]:
            out.line(f"{name}: {source['problem']}")
    if "stream" in answer:
        out.line(_stream(answer["stream"]))
    for item in answer.get("not_read", []):
        out.line(_not_read(item))
    for remark in answer.get("remarks", []):
        out.line(f"remark: {remark}")


def _stream(stream: dict[str, Any]) -> str:
    if stream["up"] is None:
        return "stream        unknown"
    if not stream["up"]:
        return f"stream        down: {stream['reason']}"
    left = "".join(f"; not announced: {name}: {why}" for name, why in stream["not_covered"].items())
    return f"stream        up since {stream['since']}, announces {_list(stream['covered'])}{left}"


def _not_read(item: dict[str, Any]) -> str:
    what = f"{item['object']}.{item['field']}" if item["field"] else item["object"]
    rules = ", ".join(f'"{ruleset} / {rule}"' for ruleset, rule in item["rules"])
    off = f"; switched off: {rules}" if rules else ""
    return f"not read      {what} since {item['since']}: {item['reason']}{off}"


def _unready(sources: dict[str, Any]) -> str:
    if all(source["up"] is None for source in sources.values()):
        return "no daemon answers: this is from its state file"
    waiting = [name for name, source in sources.items() if not source["current"]]
    return f"not ready: not yet read to the end: {_list(waiting)}"


def _sources(answer: dict[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, source in answer["sources"].items():
        word = {True: "up", False: "down", None: "unknown"}[source["up"]]
        read_to = min(source["cursors"].values(), default="")
        lag, pace = source["lag_seconds"], source.get("interval_seconds")
        calls = _calls(answer["api"][name])
        rows.append((name, word, _seconds(lag), _seconds(pace), read_to, calls))
    return rows


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} s" if value >= 1 else f"{value:.1f} s"


def _calls(budget: dict[str, Any]) -> str:
    if budget["remaining"] is None:
        return ""
    forecast = budget.get("forecast")
    words = f"{budget['remaining']:.0f} per {budget['per']}"
    return words if forecast is None else f"{words}, {forecast} at this pace"


def _list(names: list[str]) -> str:
    return ", ".join(names) or "none"
