"""``pagerforce why``: the full history of one action."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from pagerforce.cli.console import ConfigOption, JsonOption, out, print_json, reporting
from pagerforce.cli.desk import ask
from pagerforce.model.display import json_text


def why(
    action_id: Annotated[
        str,
        typer.Argument(metavar="ACTION_ID", help="From `log`, `failed list` or the daemon's log."),
    ],
    *,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Shows the full history of one action, from the change that caused it to the last answer.

    Example: pagerforce why a0123456789abcdef012
    """
    with reporting():
        story = ask(config, "why", {"id": action_id})
    if json:
        print_json(story)
    else:
        print_story(story)


def print_story(story: Mapping[str, Any]) -> None:
    """Prints a history for people."""
    for line in _lines(story):
        out.line(line)


def _lines(story: Mapping[str, Any]) -> list[str]:
    event = story["event"]
    actor = (event.get("actor") or {}).get("name") or (event.get("actor") or {}).get("email")
    lines = [
        f"{story['action_id']}  {story['action']}: {story['outcome']}",
        f"  because     {event['source']} {event['event']} of "
        f"{event['incident'] or event['record'] or ''} at {event['at']}"
        + (f" by {actor}" if actor else "")
        + f", seen at {event['seen_at']}",
        *(f"              {line}" for line in _changes(event["changed"])),
        f"  rule        {story['rule']['ruleset']} / {story['rule']['rule']}",
        *(f"              {line}" for line in _conditions(story["rule"])),
        f"  arguments   {_arguments(story['decision'])}",
        f"  acts on     incident {story['incident'] or '-'}, record {story['record'] or '-'}",
    ]
    for attempt in story["attempts"]:
        verdict = attempt["verdict"] or "running, or the process ended before the answer"
        lines.append(f"  attempt {attempt['number']:<4}{attempt['started_at']}: {verdict}")
        if attempt["detail"]:
            lines.append(f"              {attempt['detail']}")
        lines += [
            f"              {item['system']} {item['operation']}: {item['answer']}"
            for item in attempt["requests"]
        ]
    if story["reason"] and not story["attempts"]:
        lines.append(f"  reason      {story['reason']}")
    if story["waits_for"]:
        lines.append(f"  waits for   {story['waits_for']}")
    return lines


def _changes(changed: Any) -> list[str]:  # noqa: ANN401 (JSON)
    if isinstance(changed, Mapping):
        return [f"{name}: {item['from']!r} -> {item['to']!r}" for name, item in changed.items()]
    return [f"changed: {', '.join(changed)}"] if changed else []


def _conditions(rule: Mapping[str, Any]) -> list[str]:
    return [
        f"{item['field']} {item['op']} {_value(item['expected'])}: is {_value(item['actual'])}"
        for item in rule.get("conditions", [])
    ]


def _value(value: object) -> str:
    return "" if value is None else json_text(value)


def _arguments(decision: Mapping[str, Any]) -> str:
    if decision["arguments"] is None:
        return f"not filled in yet: {_value(decision['written'])}"
    return _value(decision["arguments"])
