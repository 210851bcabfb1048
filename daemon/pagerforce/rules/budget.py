"""Limits for the cost of templates: steps of work and characters of text, counted instead of timed.

One step is about the cost of reading a field, half a microsecond. Work that grows with its operands
takes steps in proportion, and a text is paid for before it is built.

Each action has a small allowance that no other action can use up, so that a cheap rule is always
rendered. An action that needs more takes it from the pool of its rule and from the pool of all
rules for the event: both must have enough.
"""

from collections.abc import Sequence

from msgspec import Struct

from pagerforce.rules.environment import TemplateProblem

MAX_CHARS = 131_072
"""The longest text that a template or a step in it may produce: Salesforce's largest long text."""
MAX_ITEMS = 32_768
"""The longest list that a template may produce."""
ACTION_STEPS = 1_000
ACTION_CHARS = 4_096
RULE_STEPS = 100_000
RULE_CHARS = 8 * MAX_CHARS
EVENT_STEPS = 3 * RULE_STEPS
EVENT_CHARS = 4 * RULE_CHARS
_CHARS_PER_STEP = 256
"""The number of characters that are copied or compared in the time of one step."""


class Pool(Struct):
    """Steps and characters that several actions share. ``whose``: the owner, for error messages."""

    steps: int
    chars: int
    whose: str


def rule_pool() -> Pool:
    """The pool that the actions of one rule share beyond their own allowances."""
    return Pool(RULE_STEPS, RULE_CHARS, "this rule's actions")


def event_pool() -> Pool:
    """The pool that all rules share for one event, beyond the allowances of their actions."""
    return Pool(EVENT_STEPS, EVENT_CHARS, "all rules together")


class Budget:
    """The remaining budget for the arguments of one action, or for one text.

    Args:
        pools: all are charged when the own allowance is used up; None: the pool of one rule.
    """

    __slots__ = ("_chars", "_pools", "_steps")

    def __init__(self, pools: Sequence[Pool] | None = None) -> None:
        self._steps = ACTION_STEPS
        self._chars = ACTION_CHARS
        self._pools = (rule_pool(),) if pools is None else tuple(pools)

    def spend(self, steps: int) -> None:
        """Pays for work.

        Raises:
            TemplateProblem: there are too few steps left.
        """
        self._steps -= steps
        if self._steps < 0:
            lacking, self._steps = -self._steps, 0
            for pool in self._pools:
                if pool.steps < lacking:
                    raise TemplateProblem(f"rendering takes too much work for {pool.whose}")
            for pool in self._pools:
                pool.steps -= lacking

    def read(self, chars: int) -> None:
        """Pays for reading this number of characters.

        Raises:
            TemplateProblem: there are too few steps left.
        """
        self.spend(chars // _CHARS_PER_STEP)

    def make(self, chars: int) -> None:
        """Pays for a text of this length, before it is built.

        Raises:
            TemplateProblem: it is longer than the limit, or too much text was produced already.
        """
        if chars > MAX_CHARS:
            raise TemplateProblem(f"the text grows beyond {MAX_CHARS} characters")
        self.reserve(chars)

    def reserve(self, chars: int) -> None:
        """Pays for text of unknown length, by its maximum.

        Raises:
            TemplateProblem: too much text was produced already.
        """
        self.spend(chars // _CHARS_PER_STEP)
        self._chars -= chars
        if self._chars < 0:
            lacking, self._chars = -self._chars, 0
            for pool in self._pools:
                if pool.chars < lacking:
                    raise TemplateProblem(f"rendering produces too much text for {pool.whose}")
            for pool in self._pools:
                pool.chars -= lacking

    def hold(self, items: int) -> None:
        """Pays for a list of this length.

        Raises:
            TemplateProblem: it is longer than the limit, or there are too few steps left.
        """
        if items > MAX_ITEMS:
            raise TemplateProblem(f"a list grows beyond {MAX_ITEMS} items")
        self.spend(items >> 1)


PATTERN_FREE = 250_000
PATTERN_RULE = 32_000_000
PATTERN_EVENT = 10 * PATTERN_RULE


class PatternWork:
    """The limit for regular expressions on one event: characters times the size of the pattern.

    That is the cost of the worst pattern on the worst text; an ordinary one costs a hundredth of
    it. A short text is always searched. A longer one is searched while its rule and the event have
    work left, so that no rule uses up the work of the others.

    Attributes:
        has_refused: whether the rule needed more than its limit.
    """

    __slots__ = ("_event", "_rule", "has_refused")

    def __init__(self) -> None:
        self._event = PATTERN_EVENT
        self._rule = PATTERN_RULE
        self.has_refused = False

    def next_rule(self) -> None:
        """Starts the account of the next rule."""
        self._rule = PATTERN_RULE
        self.has_refused = False

    def affords(self, text: str, size: int) -> bool:
        """Whether a text may be searched with a pattern of this size; pays for it."""
        work = len(text) * size * (1 if text.isascii() else 2)
        if work <= PATTERN_FREE:
            return True
        if work > min(self._rule, self._event):
            self.has_refused = True
            return False
        self._rule -= work
        self._event -= work
        return True
