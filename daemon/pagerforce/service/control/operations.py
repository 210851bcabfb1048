"""Every command that the desk knows: one line each."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pagerforce.errors import ConfigError, Problem
from pagerforce.model.value import Json
from pagerforce.service.control.desk import Desk, Request
from pagerforce.service.control.links import (
    AllLinks,
    OneId,
    Pair,
    PairEdit,
    add_link,
    edit_link,
    list_links,
    remove_link,
    resume_link,
    show_links,
)
from pagerforce.service.control.status import StatusRequest, status


@dataclass(frozen=True, slots=True)
class Operation:
    """A command: its form, and what carries it out.

    Attributes:
        word: in the role table.
        is_change: whether it changes the state; without the daemon only root and the service user
            may then use it.
        seconds: how long it may take, at most.
        word_of: the word for a filled-in form, where that depends on it.
    """

    word: str
    form: type[Request]
    run: Callable[[Desk, Any], Awaitable[Json]]
    is_change: bool = False
    seconds: float = 30.0
    word_of: Callable[[Any], str] | None = None

    def changes(self, request: Request) -> bool:
        """Whether this very request changes the state."""
        return self.is_change or self.word_for(request) != self.word

    def word_for(self, request: Request) -> str:
        """The word in the role table for this very request: ``drift --apply`` needs more."""
        return self.word if self.word_of is None else self.word_of(request)

    def read(self, values: Mapping[str, object]) -> Request:
        """The filled-in form.

        Raises:
            ConfigError: it is filled in wrongly; with every place.
        """
        try:
            return self.form.model_validate_json(json.dumps(values))
        except ValidationError as error:
            problems = [
                Problem(".".join(str(part) for part in item["loc"]), item["msg"])
                for item in error.errors(include_url=False, include_input=False)
            ]
            raise ConfigError(problems) from error


OPERATIONS: Mapping[str, Operation] = {
    item.word: item
    for item in (
        Operation("status", StatusRequest, status),
        Operation("links list", AllLinks, list_links),
        Operation("links show", OneId, show_links),
        Operation("links add", Pair, add_link, is_change=True, seconds=60.0),
        Operation("links edit", PairEdit, edit_link, is_change=True, seconds=60.0),
        Operation("links remove", Pair, remove_link, is_change=True),
        Operation("links resume", OneId, resume_link, is_change=True),
    )
}
