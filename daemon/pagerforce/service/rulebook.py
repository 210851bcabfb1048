"""The rules in force, and how a new file replaces them while the daemon runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from pagerforce.config.load import Loaded
from pagerforce.config.objects import ObjectSettings
from pagerforce.config.schema import Config
from pagerforce.model.action import ActionSpec
from pagerforce.model.leftout import ALL_READ, NotRead
from pagerforce.pipeline.ruling import Judge
from pagerforce.pipeline.settings import (
    CommentRules,
    DeliveryLimits,
    ObjectRules,
    Pace,
    PipelineSettings,
)
from pagerforce.rules.evaluate import RuleBook
from pagerforce.rules.needs import fields_needed, incident_needs, rules_needing


def pipeline_settings(
    config: Config, specs: Mapping[str, ActionSpec], *, is_shadow: bool
) -> PipelineSettings:
    """Returns the configuration as the pipeline's settings."""
    delivery = config.delivery
    return PipelineSettings(
        objects={item.name: _object_rules(item) for item in config.objects},
        specs=specs,
        pagerduty=Pace(
            config.pagerduty.poll_interval,
            config.pagerduty.min_poll_interval,
            config.pagerduty.late_window,
        ),
        salesforce=Pace(
            config.salesforce.poll_interval,
            config.salesforce.min_poll_interval,
            config.salesforce.late_window,
        ),
        reconcile=config.pagerduty.reconcile_interval,
        limits=DeliveryLimits(
            delivery.concurrency,
            delivery.retry_for,
            delivery.loop_limit,
            delivery.loop_pause,
            delivery.deadline,
        ),
        services=frozenset(config.pagerduty.services),
        is_shadow=is_shadow or config.daemon.mode == "shadow",
    )


def _object_rules(item: ObjectSettings) -> ObjectRules:
    comments = None
    if item.comments is not None:
        comments = CommentRules(
            item.comments.object,
            item.comments.note_template if item.comments.to_pagerduty else None,
            item.comments.comment_template if item.comments.from_pagerduty else None,
        )
    return ObjectRules(item.name, comments, item.on_delete == "resolve")


def fields_read(loaded: Loaded) -> Mapping[str, frozenset[str]]:
    """Returns object -> the fields that rules, mappings and the object's own entry need."""
    by_rules = fields_needed(loaded.rules)
    mapped = [(row.object, row.field) for row in loaded.config.service_mappings]
    return {
        item.name: by_rules.get(item.name, frozenset())
        | frozenset(item.fields)
        | {field for name, field in mapped if name == item.name}
        for item in loaded.config.objects
    }


@dataclass(slots=True)
class RulesInForce:
    """Holds the judge that evaluates every batch; ``replace`` swaps it between two batches.

    ``not_read``: the fields that the org refuses at present; rules that need them are switched off.
    ``needs``: what the rules need of incidents beyond a plain answer (``incident_needs``).
    """

    loaded: Loaded
    settings: PipelineSettings
    all_on: Judge
    not_read: Callable[[], NotRead] = lambda: ALL_READ
    needs: frozenset[str] = field(default=frozenset(), init=False)
    _present: tuple[NotRead, Judge] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.needs = incident_needs(self.loaded.rules)

    @classmethod
    def of(cls, loaded: Loaded, settings: PipelineSettings) -> "RulesInForce":
        """The rules of a configuration."""
        return cls(loaded, settings, _judge(loaded, settings))

    @property
    def judge(self) -> Judge:
        """The present judge."""
        not_read = self.not_read()
        if not not_read.columns:
            return self.all_on
        if self._present is None or self._present[0] is not not_read:
            columns = {
                name: {path: item.why for path, item in lost.items()}
                for name, lost in not_read.columns.items()
            }
            off = rules_needing(self.loaded.rules, columns)
            self._present = not_read, replace(self.all_on, off=off)
        return self._present[1]

    def prepare(self, loaded: Loaded) -> Judge:
        """Prepares the rules and maps of a new file for ``replace``. This is slow."""
        return _judge(loaded, self.settings)

    def replace(self, loaded: Loaded, judge: Judge | None = None) -> None:
        """Puts the rules and maps of a new file in force; other settings need a restart."""
        self.all_on = judge or self.prepare(loaded)
        self.loaded = loaded
        self.needs = incident_needs(loaded.rules)
        self._present = None

    @property
    def names(self) -> list[tuple[str, str]]:
        """(ruleset, rule) of every rule."""
        return [(rule.ruleset, rule.name) for rule in self.loaded.rules]


def _judge(loaded: Loaded, settings: PipelineSettings) -> Judge:
    maps = loaded.config.maps
    return Judge(RuleBook(loaded.rules, maps), maps, settings)
