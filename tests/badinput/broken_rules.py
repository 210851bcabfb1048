"""Rules that can't be meant: TOML, the key path in error, and words that tell what to do."""

_RULE = (
    '[[objects]]\npreset = "remedyforce-incident"\n[[rulesets]]\nname = "R"\n[[rulesets.rules]]\n'
    'name = "one"\nobject = "BMCServiceDesk__Incident__c"\n'
)
_SALESFORCE = _RULE + 'run_on = "salesforce"\n'
_PAGERDUTY = _RULE + 'run_on = "pagerduty"\n'
_DO = 'actions = [{ do = "pagerduty.acknowledge" }]\n'


def _action(toml: str, rule: str = _SALESFORCE) -> str:
    return f"{rule}actions = [{{ {toml} }}]\n"


def _condition(toml: str, rule: str = _SALESFORCE) -> str:
    return f"{rule}conditions = [{toml}]\n{_DO}"


def _compare(field: str, op: str, value: str, rule: str = _SALESFORCE) -> str:
    return _condition(f'{{ field = "{field}", op = "{op}", value = {value} }}', rule)


_R = "rulesets[0].rules[0]"
_A = f"{_R}.actions[0]"
_C = f"{_R}.conditions[0]"
_CREATE = 'do = "pagerduty.create_incident"'
_SET = 'do = "salesforce.set_field"'

BROKEN_RULES = [
    # rulesets and rules
    ("rulesets = 5", "rulesets", "[[rulesets]]"),
    ("[[rulesets]]\nname = 5\n", "rulesets[0].name", "must be text"),
    ('[[rulesets]]\nname = "R"\nrules = 5\n', "rulesets[0].rules", "must be a list"),
    (_SALESFORCE + _DO + '[[rulesets]]\nname = "R"\n', "rulesets[1].name", "rename one"),
    (_SALESFORCE + _DO + _SALESFORCE.split("[[rulesets]]\n")[1].replace('name = "R"\n', "") + _DO, "rulesets[0].rules[1].name", "rename one"),
    (_SALESFORCE.replace('"one"', '""') + _DO, f"{_R}.name", "must not be empty"),
    (_SALESFORCE.replace('name = "one"\n', "") + _DO, f"{_R}.name", "is required"),
    (_SALESFORCE.replace('"BMCServiceDesk__Incident__c"', '"Case"') + _DO, f"{_R}.object", "add it under [[objects]]"),
    (_RULE + _DO, f"{_R}.run_on", '"pagerduty" or "salesforce"'),
    (_RULE + 'run_on = "both"\n' + _DO, f"{_R}.run_on", '"pagerduty" or "salesforce"'),
    (_SALESFORCE + 'run_ons = "x"\n' + _DO, f"{_R}.run_ons", 'did you mean "run_on"?'),
    (_SALESFORCE + 'when = "some"\n' + _DO, f"{_R}.when", '"all" or "any"'),
    (_SALESFORCE + 'enabled = "yes"\n' + _DO, f"{_R}.enabled", "without quotes"),
    (_SALESFORCE + 'max_age = "2 hours"\n' + _DO, f"{_R}.max_age", '"2h"'),
    (_SALESFORCE + "max_age = 5\n" + _DO, f"{_R}.max_age", '"2h"'),
    # actions
    (_SALESFORCE, f"{_R}.actions", "add one, or stop = true"),
    (_SALESFORCE + 'actions = "x"\n', f"{_R}.actions", "must be a list"),
    (_SALESFORCE + "actions = [1]\n", _A, "must be a table"),
    (_action(""), f"{_A}.do", "is required"),
    (_action("do = 1"), f"{_A}.do", "must be text"),
    (_action('do = "pagerduty.page"'), f"{_A}.do", "unknown action"),
    (_action(_CREATE), f"{_A}.title", "is required"),
    (_action(_CREATE + ', title = "x", titel = "y"'), f"{_A}.titel", 'did you mean "title"?'),
    (_action(_CREATE + ', title = "{{ record.Name"'), f"{_A}.title", "template: line 1"),
    (_action(_CREATE + ', title = "{{ record.Name | nofilter }}"'), f"{_A}.title", "unknown filter"),
    (_action(_CREATE + ', title = "{{ ().__class__ }}"'), f"{_A}.title", "is not available"),
    (_action("do = \"pagerduty.add_note\", text = \"{{ incident.urgency | translate('no') }}\""), f"{_A}.text", "add it as [maps.no]"),
    (_action(_CREATE + ', title = "x", urgency = "medium"'), f"{_A}.urgency", "there are high, low"),
    (_action(_CREATE + ', title = "x", urgency = "hihg"'), f"{_A}.urgency", 'did you mean "high"?'),
    (_action('do = "pagerduty.set_priority"'), f"{_A}.priority", "is required"),
    (_action('do = "pagerduty.reassign"'), _A, "exactly one of"),
    (_action('do = "pagerduty.reassign", assignees = ["a@b.c"], escalation_policy = "P"'), _A, "exactly one of"),
    (_action(_SET + ', field = "Name"'), _A, "exactly one of"),
    (_action(_SET + ', field = "a b", value = "x"'), f"{_A}.field", "API name"),
    (_action(_SET + ', field = "Name", value = "x", lookup = { Name = "y" }'), _A, "exactly one of"),
    (_action(_SET + ', field = "X__c", lookup = {}'), f"{_A}.lookup", "not an empty one"),
    (_action('do = "salesforce.create_record"', _PAGERDUTY), f"{_A}.fields", "is required"),
    (_action('do = "salesforce.create_record", object = "No__c", fields = { Name = "x" }', _PAGERDUTY), f"{_A}.object", "not a configured object"),
    # conditions
    (_condition("5"), _C, "must be a table"),
    (_condition("{ any = [] }"), f"{_C}.any", "at least one condition"),
    (_condition("{ any = 5 }"), f"{_C}.any", "must be a list"),
    (_condition("{ any = [], all = [] }"), _C, "either any = [...] or all = [...]"),
    (_condition('{ field = "record.Name", op = "equals", value = "1", extra = 1 }'), f"{_C}.extra", "unknown key"),
    (_condition('{ field = "record.Name", op = "equals" }'), f"{_C}.value", "is required"),
    (_compare("record.Name", "equal", '"1"'), f"{_C}.op", 'did you mean "equals"?'),
    (_compare("recrod.Name", "equals", '"1"'), f"{_C}.field", "fields begin with"),
    (_compare("Name", "equals", '"1"'), f"{_C}.field", "fields begin with"),
    (_compare("incident.statu", "equals", '"1"'), f"{_C}.field", "did you mean incident.status?"),
    (_compare("record.Owner__c.Name", "equals", '"1"'), f"{_C}.field", "Owner__r"),
    (_compare("record.A.B.C.D.E.F.G", "equals", '"1"'), f"{_C}.field", "5 parents"),
    (_compare("record.Name", "is_empty", '"1"'), f"{_C}.value", "takes no value"),
    (_compare("record.Name", "matches", '"("'), f"{_C}.value", "regular expression"),
    (_compare("record.Name", "matches", '"(?=x)"'), f"{_C}.value", "no lookaround"),
    (_compare("record.Name", "in", '"1"'), f"{_C}.value", "takes a list"),
    (_compare("record.Name", "in", "[]"), f"{_C}.value", "at least one value"),
    (_compare("record.Name", "greater_than", "true"), f"{_C}.value", "nothing else has an order"),
    (_compare("record.Name", "greater_than", "1e999"), f"{_C}.value", "finite"),
    (_compare("event.type", "equals", '"acknowlege"'), f"{_C}.value", "never has the value"),
    (_compare("linked", "equals", '"yes"'), f"{_C}.value", "true or false"),
    (_compare("incident.created_at", "greater_than", '"yesterday"'), f"{_C}.value", "date and time"),
    (_compare("comment.body", "greater_than", "3"), f"{_C}.op", "cannot apply to text"),
    (_compare("incident.number", "starts_with", '"1"', _PAGERDUTY), f"{_C}.op", "cannot apply to a number"),
    (_compare("incident.status", "equals", '"open"', _PAGERDUTY), f"{_C}.value", "triggered, acknowledged, resolved"),
    (_compare("incident.assignees", "greater_than", "1", _PAGERDUTY), f"{_C}.op", "list of people"),
    # secrets and numbers beyond reason
    ('[pagerduty]\napi_key = "u+abcDEFghiJKLmnoPQRs"', "pagerduty.api_key", "must not be in the configuration"),
    ('[salesforce]\npassword = "hunter2"', "salesforce.password", "must not be in the configuration"),
    ('[daemon]\nstart_from = "Token token=abcDEFghiJKLmnoPQRst"', "daemon.start_from", "must not be in the configuration"),
    ("[delivery]\nconcurrency = 99999999999999999999999", "delivery.concurrency", "at most 256"),
    ("[salesforce]\ndaily_call_budget = -1", "salesforce.daily_call_budget", "at least 1"),
]  # fmt: skip


def _note(text: str, rule: str = _SALESFORCE) -> str:
    return _action(f'do = "pagerduty.add_note", text = "{text}"', rule)


DOUBTED_RULES = [
    # such an action becomes a dead letter when it is rendered: they stop no start
    (_note("{{ recrod.Name }}"), f"{_A}.text", 'did you mean "record"?'),
    (_note("{{ incidnet.title }}"), f"{_A}.text", 'did you mean "incident"?'),
    (_note("{{ whatever }}"), f"{_A}.text", "names begin with comment, event, incident"),
    (_note("{{ incident.titel }}"), f"{_A}.text", "did you mean incident.title?"),
    (_note("{{ event.actor.nmae }}"), f"{_A}.text", "did you mean event.actor.name?"),
    (_note("{{ comment.text }}"), f"{_A}.text", "unknown field 'comment.text'"),
    (_note("{{ old.thing }}"), f"{_A}.text", "there are old.record and old.incident"),
    (_note("{{ old.incident.title }}"), f"{_A}.text", "always empty"),
    (_note("{% if incident.staus == 'x' %}y{% endif %}"), f"{_A}.text", "did you mean incident.status?"),
    (_action('do = "salesforce.set_field", field = "X__c", lookup = { Name = "{{ recrod.Name }}" }'), f"{_A}.lookup.Name", 'did you mean "record"?'),
    (_action('do = "salesforce.create_record", fields = { X__c = "{{ recrod.Name }}" }', _PAGERDUTY), f"{_A}.fields.X__c", 'did you mean "record"?'),
    (_compare("event.type", "equals", '"acknowlege"', _PAGERDUTY), f"{_C}.value", 'did you mean "acknowledge"?'),
]  # fmt: skip
