"""Makes single calls of the daemon raise, and finds out which calls its loops make."""

import functools
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pagerforce.pagerduty.actions
import pagerforce.pipeline
import pagerforce.salesforce.actions
import pagerforce.store
from pagerforce.observe.metrics import Metrics
from pagerforce.own_writes.waiting import Waiting
from pagerforce.own_writes.whose import Known
from pagerforce.pagerduty.source import PagerDutyPoller
from pagerforce.pipeline.deliver import Deliverer
from pagerforce.pipeline.entries import EntryPlan
from pagerforce.pipeline.pace import Budget
from pagerforce.pipeline.poll import PollLoop
from pagerforce.pipeline.read_pagerduty import PagerDutyReader
from pagerforce.pipeline.read_salesforce import SalesforceReader
from pagerforce.pipeline.rows import RowContext, RowPlan
from pagerforce.pipeline.ruling import Judge, World
from pagerforce.rules.evaluate import RuleBook
from pagerforce.salesforce.source import SalesforcePoller
from pagerforce.service.certificates import Certificates
from pagerforce.service.gauges import Gauges
from pagerforce.store.database import Transaction

_READERS = (PagerDutyReader, SalesforceReader)


class Injected(KeyError):
    """An injected error. Its text must appear nowhere."""

    def __init__(self) -> None:
        super().__init__("text of a customer")


@dataclass(frozen=True, slots=True)
class Seam:
    """A function that can be made to raise. ``owner``: its class, or None for a module's function."""

    name: str
    function: Callable[..., Any]
    owner: type | None = None


def seams() -> list[Seam]:
    """Every function of the store and the pipeline, and every method that the loops call."""
    found = [*_functions(pagerforce.store), *_functions(pagerforce.pipeline)]
    for owner in _handlers():
        names = ("expectations", "deliver", "deliver_batch")
        found += _methods(owner, *(name for name in names if hasattr(owner, name)))
    found += _methods(PagerDutyPoller, *_PAGERDUTY)
    found += _methods(SalesforcePoller, *_SALESFORCE)
    for reader in _READERS:
        found += _methods(reader, "start", "may_poll", "poll", "budget")
    found += _methods(Metrics, *_METRICS)
    found += _methods(Gauges, "refresh", "_polled", "_skewed", "_stored", "_certified")
    found += _methods(PollLoop, "budget", "forecast")
    found += _methods(Deliverer, "wake", "expect_more")
    found += _methods(Certificates, "finders", "_login_ends", "_bundle_ends")
    found += _methods(Budget, "forecast")
    found += _methods(Transaction, "size_bytes")
    found += _methods(Judge, "rule")
    found += _methods(RuleBook, "evaluate")
    return found


def _handlers() -> list[type]:
    found = {}
    for package in (pagerforce.pagerduty.actions, pagerforce.salesforce.actions):
        for info in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{info.name}")
            for value in vars(module).values():
                if inspect.isclass(value) and hasattr(value, "expectations"):
                    found[value.__qualname__] = value
    return [found[name] for name in sorted(found)]


_PAGERDUTY = ("fetch_server_time", "iter_entries", "fetch_open_incidents", "find_incident")
_SALESFORCE = (
    "fetch_server_time",
    "iter_changes",
    "iter_all",
    "fetch_records",
    "time_driven_fields",
    "fetch_low_water",
)
_METRICS = (
    "count_event",
    "count_action",
    "count_internal_error",
    "count_conflict",
    "count_compared",
    "on_request",
    "on_budget",
)


def _functions(package: Any) -> Iterator[Seam]:
    for info in pkgutil.iter_modules(package.__path__):
        if info.name in ("migrations", "migrate", "backup", "copying", "lock", "isolation"):
            continue
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for name, value in sorted(vars(module).items()):
            is_own = inspect.isfunction(value) and value.__module__ == module.__name__
            if is_own and not name.startswith("_") and name not in _INFRASTRUCTURE:
                yield Seam(f"{info.name}.{name}", value)


# The code that contains errors and the code that opens the state must not raise themselves.
_INFRASTRUCTURE = {"savepoint", "concerns_all", "read_row", "each"}


def _methods(owner: type, *names: str) -> Iterator[Seam]:
    for name in names:
        yield Seam(f"{owner.__name__}.{name}", getattr(owner, name), owner)


@dataclass(slots=True)
class Plan:
    """When a call raises. ``left``: how often; ``tokens``: only if the call concerns one of these."""

    left: int = 0
    tokens: frozenset[str] = frozenset()
    raised: int = 0
    calls: int = 0
    about_guilty: int = 0

    def check(self, arguments: Sequence[object]) -> None:
        self.calls += 1
        is_guilty = bool(self.tokens) and _is_about(arguments, self.tokens)
        self.about_guilty += is_guilty
        if self.left > 0 or (self.left < 0 and is_guilty):
            self.left -= self.left > 0
            self.raised += 1
            raise Injected


# Arguments of every call: they contain the failing item among all others.
_SURROUNDINGS = (RowContext, World, Known, Waiting, RowPlan, EntryPlan, Judge, *_READERS)


def _is_about(arguments: Sequence[object], tokens: frozenset[str]) -> bool:
    shown = repr([item for item in arguments if not isinstance(item, _SURROUNDINGS)])
    return any(token in shown for token in tokens)


@contextmanager
def injected(seam: Seam, plan: Plan) -> Iterator[Plan]:
    """While the block runs, the seam's function raises as the plan says."""
    wrapper = _wrapped(seam.function, plan)
    places: list[tuple[Any, str]] = []
    if seam.owner is not None:
        places = [(seam.owner, seam.name.rpartition(".")[2])]
    else:
        for module in [m for key, m in sys.modules.items() if key.startswith("pagerforce.")]:
            places += [(module, k) for k, v in vars(module).items() if v is seam.function]
    was_own = [name in vars(place) for place, name in places]
    for place, name in places:
        setattr(place, name, wrapper)
    try:
        yield plan
    finally:
        for (place, name), own in zip(places, was_own, strict=True):
            if own:
                setattr(place, name, seam.function)
            else:
                delattr(place, name)


def _wrapped(function: Callable[..., Any], plan: Plan) -> Callable[..., Any]:
    if inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        async def stream(*args: Any, **keys: Any) -> Any:
            plan.check((*args, *keys.values()))
            async for item in function(*args, **keys):
                yield item

        return stream
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def later(*args: Any, **keys: Any) -> Any:
            plan.check((*args, *keys.values()))
            return await function(*args, **keys)

        return later

    @functools.wraps(function)
    def at_once(*args: Any, **keys: Any) -> Any:
        plan.check((*args, *keys.values()))
        return function(*args, **keys)

    return at_once
