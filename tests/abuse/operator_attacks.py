"""What somebody with the lowest role can send to stop the daemon, by kind."""

import json

RECORD = "BMCServiceDesk__Incident__c"


def rule(number=0, *, conditions="", title="x"):
    """One rule that fires for every event of records."""
    return (
        f'[[rulesets.rules]]\nname = "r{number}"\nobject = "{RECORD}"\nrun_on = "salesforce"\n'
        f"conditions = [{conditions}]\n"
        f'actions = [ {{ do = "pagerduty.create_incident", title = {json.dumps(title)} }} ]\n'
    )


def rules(*some):
    return '[[rulesets]]\nname = "Mine"\n' + "".join(some)


def title(text):
    return rules(rule(title=text))


NESTED = {
    "a key of 40,000 parts": ".".join(["a"] * 40_000) + " = 1",
    "a key of 40,000 quoted parts": " . ".join(['"a"'] * 40_000) + " = 1",
    "tables in each other": "[" + ".".join(["a"] * 40_000) + "]",
    "tables of 39 parts, many": "".join(
        "[" + ".".join(f"a{j}" for j in range(38)) + f".x{i}]\n" for i in range(5_000)
    ),
    "arrays in each other": "a = " + "[" * 400_000,
    "inline tables in each other": "a = " + "{a=" * 200_000,
    "a number of many digits": "a = " + "9" * 1_000_000,
    "a hexadecimal number of many digits": "a = 0x" + "f" * 1_000_000,
    "500,000 numbers": "a = [" + "1," * 500_000 + "]",
    "80,000 maps": "".join(f"[maps.m{i}]\n" for i in range(75_000)),
    "80,000 unknown keys": "".join(f"k{i} = 1\n" for i in range(75_000)),
    "60,000 rulesets": '[[rulesets]]\nname="a"\n' * 45_000,
    "a rule of 5,000 records": rules(
        f'[[rulesets.rules]]\nname = "r"\nobject = "{RECORD}"\nrun_on = "pagerduty"\nactions = [\n'
        + '{ do = "salesforce.create_record", fields = { Name = "x" } },\n' * 15_000
        + "]\n"
    ),
    "lookups of a large map": "[maps.m]\n"
    + "".join(f'k{i} = "v{i}"\n' for i in range(1_000))
    + rules(
        f'[[rulesets.rules]]\nname = "r"\nobject = "{RECORD}"\nrun_on = "pagerduty"\nactions = [\n'
        '{ do = "salesforce.set_field", field = "BMCServiceDesk__FKCategory__c", lookup = { '
        + ", ".join(f"F{i}__c = \"{{{{ incident.title|translate('m') }}}}\"" for i in range(5))
        + " } }\n]\n"
    ),
    "many lookups": rules(
        f'[[rulesets.rules]]\nname = "r"\nobject = "{RECORD}"\nrun_on = "pagerduty"\nactions = [\n'
        + "".join(
            '{ do = "salesforce.set_field", field = "BMCServiceDesk__FKCategory__c", '
            f'lookup = {{ Name = "v{i}" }} }},\n'
            for i in range(8_000)
        )
        + "]\n"
    ),
    "5,000 rules with templates": rules(
        *(rule(i, title=f"{{{{ record.Name }}}} {i}") for i in range(4_000))
    ),
    "5,000 conditions on unknown fields": rules(
        rule(
            conditions=", ".join(
                f'{{ field = "record.Nothing{i}__c", op = "equals", value = "1" }}'
                for i in range(9_000)
            )
        )
    ),
    "large templates, many": rules(
        *(rule(i, title=f"{i}" + "{{ record.Name }}" * 1_900) for i in range(30))
    ),
    "more than a megabyte": "# " + "x" * 1_100_000,
    "a text of a megabyte": rules(f'name = "{"x" * 1_000_000}"'),
    "quotes without an end": 'a = """' + '"\n' * 400_000,
}

TEMPLATES = {
    "round": title("{{ 5|round(-30000000) }}"),
    "round of a field": title("{{ (record.Name|length)|round(-30000000) }}"),
    "join": title("{{ [record.Name, record.Name, record.Name]|join(record.Name * 1) }}"),
    "tilde": title("{{ " + " ~ ".join(["record.Name"] * 3000) + " }}"),
    "join of joins": title(
        "{% for a in record.Name %}{{ record.Name|join(record.Name|join(record.Name|join(record.Name))) }}{% endfor %}"
    ),
    "sort in a loop": title(
        "{% for a in record.Name %}{{ (record.Name ~ record.Name ~ record.Name)|sort|join|sort|join }}{% endfor %}"
    ),
    "a deep template": title("{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}"),
    "a long sum": title("{{ " + "+".join(["1"] * 10_000) + " }}"),
    "a pattern": rules(
        rule(
            conditions='{ field = "record.Name", op = "matches", value = "((((a{30}){30}){30}){30})" }'
        )
    ),
}

RECORDED = {
    "seen_at": "2026-01-01T00:00:00Z",
    "event": {
        "id": "e",
        "source": "salesforce",
        "type": "create",
        "at": "2026-01-01T00:00:00Z",
        "object": RECORD,
        "record_id": "a0R000000000001EAA",
        "record": {"Name": "0001"},
    },
    "context": {},
}
EVENT = json.dumps({"event": "create", "echo_of": None, "recorded": RECORDED}).encode() + b"\n"

EVENTS = {
    "many events": EVENT * 30_000,
    "more events than there may be": EVENT * 90_000,
    "arrays in each other": b"[" * 3_000_000,
    "many small arrays": b"[" + b"[]," * 600_000 + b"[]]\n",
    "one line without an end": b"x" * 6_000_000,
    "numbers of many digits": b'{"recorded": ' + b"9" * 1_900_000 + b"}\n",
    "no events at all": b"\n" * 4_000_000,
    "not UTF-8": b"\xff\xfe" * 1_000_000 + b"\n",
}

FORMS = {
    "links list": b"x" * 100_000_000,
    "links show": b'{"id": "' + b"x" * 60_000 + b'"}',
    "links add": b'{"incident": "' + b"x" * 30_000 + b'", "record": "' + b"y" * 30_000 + b'"}',
    "rules show": b'{"name": "' + b"x" * 60_000 + b'"}',
    "rules check": b'{"name": "x", "content": "' + b"x" * 20_000_000 + b'"}',
    "simulate": b"[" * 3_000_000,
    "simulate since": b'{"since": "' + b"9" * 90 + b'"}',
    "rules list": b'{"a":' * 10_000,
}
