"""What templates may cost: steps of work and characters of text, counted instead of timed.

One step is about what the name of a field costs, half a microsecond. Whatever takes longer than that
for longer operands takes steps in proportion, and a text is paid for before it is made.

Each action has a small allowance that nobody else can use up, so that a rule that does little is
filled in whatever the others do. What an action needs beyond it is taken from what its rule has and
from what all rules have together for the event: both must have it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pagerforce.rules.environment import TemplateProblem

MAX_CHARS = 131_072
"""The longest text a template, or a step inside one, may make: Salesforce's largest long text."""
MAX_ITEMS = 32_768
"""The longest list a template may make."""
ACTION_STEPS = 1_000
ACTION_CHARS = 4_096
RULE_STEPS = 100_000
RULE_CHARS = 8 * MAX_CHARS
EVENT_STEPS = 3 * RULE_STEPS
EVENT_CHARS = 4 * RULE_CHARS
_CHARS_PER_STEP = 256
"""So many characters are copied or compared in the time of one step."""


@dataclass(slots=True)
class Pool:
    """Steps and characters that several actions share. ``whose``: for the reason when it is empty."""

    steps: int
    chars: int
    whose: str


def rule_pool() -> Pool:
    """What the actions of one rule may use beyond their own allowances."""
    return Pool(RULE_STEPS, RULE_CHARS, "this rule's actions")


def event_pool() -> Pool:
    """What all rules may use together for one event, beyond the allowances of their actions."""
    return Pool(EVENT_STEPS, EVENT_CHARS, "all rules together")


class Budget:
    """What is left for one action's arguments, or for one text.

    Args:
        pools: what may be used when the own allowance is used up, all of them; None: what a rule has.
    """

    __slots__ = ("_chars", "_pools", "_steps")

    def __init__(self, pools: Sequence[Pool] | None = None) -> None:
        self._steps = ACTION_STEPS
        self._chars = ACTION_CHARS
        self._pools = (rule_pool(),) if pools is None else tuple(pools)

    def spend(self, steps: int) -> None:
        """Pays for work.

        Raises:
            TemplateProblem: there are not as many steps left.
        """
        self._steps -= steps
        if self._steps < 0:
            lacking, self._steps = -self._steps, 0
            for pool in self._pools:
                if pool.steps < lacking:
                    raise TemplateProblem(f"filling in takes too much work for {pool.whose}")
            for pool in self._pools:
                pool.steps -= lacking

    def read(self, chars: int) -> None:
        """Pays for looking through so many characters.

        Raises:
            TemplateProblem: there are not as many steps left.
        """
        self.spend(chars // _CHARS_PER_STEP)

    def make(self, chars: int) -> None:
        """Pays for a text of so many characters; called before there is one.

        Raises:
            TemplateProblem: it is longer than any text may be, or too much text was made already.
        """
        if chars > MAX_CHARS:
            raise TemplateProblem(f"the text grows beyond {MAX_CHARS} characters")
        self.reserve(chars)

    def reserve(self, chars: int) -> None:
        """Pays for text whose length is known only when it is made, by the most it can be.

        Raises:
            TemplateProblem: too much text was made already.
        """
        self.spend(chars // _CHARS_PER_STEP)
        self._chars -= chars
        if self._chars < 0:
            lacking, self._chars = -self._chars, 0
            for pool in self._pools:
                if pool.chars < lacking:
                    raise TemplateProblem(f"filling in makes too much text for {pool.whose}")
            for pool in self._pools:
                pool.chars -= lacking

    def hold(self, items: int) -> None:
        """Pays for a list of so many items.

        Raises:
            TemplateProblem: it is longer than any list may be, or there are too few steps left.
        """
        if items > MAX_ITEMS:
            raise TemplateProblem(f"a list grows beyond {MAX_ITEMS} items")
        self.spend(items >> 1)


PATTERN_FREE = 250_000
PATTERN_RULE = 32_000_000
PATTERN_EVENT = 10 * PATTERN_RULE


class PatternWork:
    """What regular expressions may cost for one event: characters times the size of the pattern.

    That is what the worst pattern takes on the worst text; an ordinary one takes a hundredth of it.
    A short text is always looked through, a longer one as long as its rule and the event have work
    left, so that no rule uses up what the others need.

    Attributes:
        has_refused: whether the rule wanted more than it may have.
    """

    __slots__ = ("_event", "_rule", "has_refused")

    def __init__(self) -> None:
        self._event = PATTERN_EVENT
        self._rule = PATTERN_RULE
        self.has_refused = False

    def next_rule(self) -> None:
        """From now on another rule pays."""
        self._rule = PATTERN_RULE
        self.has_refused = False

    def affords(self, text: str, size: int) -> bool:
        """Whether a text can be looked through with a pattern of this size; pays for it."""
        work = len(text) * size * (1 if text.isascii() else 2)
        if work <= PATTERN_FREE:
            return True
        if work > min(self._rule, self._event):
            self.has_refused = True
            return False
        self._rule -= work
        self._event -= work
        return True
