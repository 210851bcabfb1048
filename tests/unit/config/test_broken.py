"""Broken configurations: each is refused, at its place, with what to do about it."""

import pytest

from pagerforce.config.load import load_config
from pagerforce.errors import ConfigError
from unit.config.config_catalog import CATALOG, MINIMAL, load, problems_of, write

RULE = (
    '[[objects]]\npreset = "case"\n[[rulesets]]\nname = "R"\n[[rulesets.rules]]\nname = "one"\n'
    'object = "Case"\nrun_on = "salesforce"\n'
)
OBJECT = '[[objects]]\nname = "Case"\n'
COMMENTS = (
    OBJECT + "[objects.comments]\n"
    'object = "CaseComment"\nparent_field = "ParentId"\nbody_field = "CommentBody"\n'
)
MAPPING = (
    OBJECT + '[[service_mappings]]\nname = "N"\nobject = "Case"\nfield = "Origin"\nvalue = "x"\n'
    'service = "PNET001"\n'
)

# TOML on top of a minimal valid file, the key path in error, and a part of the remedy.
BROKEN = [
    # unknown keys
    ("loglevel = 1", "loglevel", "unknown key"),
    ("[deamon]", "deamon", 'did you mean "daemon"?'),
    ('[daemon]\nlog_levl = "info"', "daemon.log_levl", 'did you mean "log_level"?'),
    ('[daemon]\npoll_interval = "5s"', "daemon.poll_interval", "belongs to [pagerduty] or"),
    ("[delivery]\nzzzzz = 1", "delivery.zzzzz", "use one of concurrency"),
    (OBJECT + 'on_deleted = "unlink"', "objects[0].on_deleted", 'did you mean "on_delete"?'),
    (COMMENTS + 'bodyfield = "x"', "objects[0].comments.bodyfield", 'did you mean "body_field"?'),
    (MAPPING + "inbond = true", "service_mappings[0].inbond", 'did you mean "inbound"?'),
    ('mode = "live"', "mode", "belongs to [daemon]"),
    # wrong types: nothing is converted
    ("daemon = 5", "daemon", "must be a table"),
    ('objects = "Case"', "objects", "write [[objects]]"),
    ('[objects]\nname = "Case"', "objects", "write [[objects]]"),
    ("objects = [5]", "objects[0]", "must be a table"),
    ("maps = 3", "maps", "[maps.NAME]"),
    ("[maps]\npriority = 3", "maps.priority", "its own section"),
    ("[maps.priority]\nP1 = [1]", "maps.priority.P1", "must be a text, a number"),
    ("[maps.priority]\nP1 = 2026-01-01", "maps.priority.P1", "in quotes"),
    ('include = "rules.d/*.toml"', "include", "must be a list"),
    ("include = [1]", "include[0]", "must be text in quotes"),
    ('[delivery]\nconcurrency = "5"', "delivery.concurrency", "whole number"),
    ("[delivery]\nconcurrency = 5.0", "delivery.concurrency", "whole number"),
    ("[delivery]\nconcurrency = true", "delivery.concurrency", "whole number"),
    ("[pagerduty]\npoll_interval = 15", "pagerduty.poll_interval", "in quotes"),
    ('[pagerduty]\nservices = "PNET001"', "pagerduty.services", "must be a list"),
    ("[pagerduty]\nservices = [1]", "pagerduty.services[0]", "must be text"),
    ("[daemon]\nstart_from = 2026-01-01T00:00:00Z", "daemon.start_from", "in quotes"),
    ("[daemon]\nstate_dir = 1", "daemon.state_dir", "path in quotes"),
    (COMMENTS + 'to_pagerduty = "true"', "objects[0].comments.to_pagerduty", "true or false"),
    (OBJECT + 'fields = "Subject"', "objects[0].fields", "must be a list"),
    (OBJECT + 'comments = "CaseComment"', "objects[0].comments", "must be a table"),
    (OBJECT + "preset = 1", "objects[0].preset", "must be text"),
    # impossible values
    ('[daemon]\nmode = "dry"', "daemon.mode", 'one of "live" or "shadow"'),
    ('[daemon]\nlog_level = "WARN"', "daemon.log_level", '"warning"'),
    ('[daemon]\nlog_format = "xml"', "daemon.log_format", '"console"'),
    ('[daemon]\nstate_dir = ""', "daemon.state_dir", "can not be empty"),
    ('[daemon]\nstate_dir = "~/state"', "daemon.state_dir", "in full"),
    ('[daemon]\nstart_from = "yesterday"', "daemon.start_from", '"now"'),
    ('[daemon]\nstart_from = "2026-01-31T00:00:00"', "daemon.start_from", "zone"),
    ('[daemon]\nstart_from = "2026-02-31T00:00:00Z"', "daemon.start_from", "zone"),
    ('[daemon]\nca_file = "none.pem"', "daemon.ca_file", "PEM file"),
    ('[metrics]\nlisten = "9479"', "metrics.listen", "host:port"),
    ('[metrics]\nlisten = ":9479"', "metrics.listen", "host:port"),
    ('[metrics]\nlisten = "127.0.0.1:65536"', "metrics.listen", "host:port"),
    ('[metrics]\nlisten = "::1:9479"', "metrics.listen", "[::1]:9479"),
    ('[metrics]\nlisten = "[nope]:9479"', "metrics.listen", "host:port"),
    ('[pagerduty]\napi_url = "http://api.pagerduty.com"', "pagerduty.api_url", "https://"),
    ('[pagerduty]\napi_url = "http://localhost.example.com"', "pagerduty.api_url", "loopback"),
    ('[pagerduty]\napi_url = "https://u:p@api.pagerduty.com"', "pagerduty.api_url", "the @"),
    ('[pagerduty]\napi_url = "https://me@api.pagerduty.com"', "pagerduty.api_url", "the @"),
    ('[pagerduty]\napi_url = "api.pagerduty.com"', "pagerduty.api_url", "https://"),
    ('[pagerduty]\napi_url = "https://x/?a=1"', "pagerduty.api_url", "query"),
    ('[pagerduty]\napi_url = "https://x:99999"', "pagerduty.api_url", "not a URL"),
    ('[pagerduty]\nfrom_email = "Jane Doe"', "pagerduty.from_email", "e-mail"),
    ('[pagerduty]\nfrom_email = "a@b.c\\nX: y"', "pagerduty.from_email", "e-mail"),
    ('[pagerduty]\nact_as = "me"', "pagerduty.act_as", '"actor"'),
    ('[pagerduty]\nservices = ["My service"]', "pagerduty.services[0]", "id"),
    ('[pagerduty]\nservices = ["PA", "PA"]', "pagerduty.services[1]", "listed twice"),
    ('[pagerduty]\npoll_interval = "10"', "pagerduty.poll_interval", "s, m, h or d"),
    ('[pagerduty]\npoll_interval = "-10s"', "pagerduty.poll_interval", "s, m, h or d"),
    ('[pagerduty]\npoll_interval = "0s"', "pagerduty.poll_interval", 'from "0.1s"'),
    ('[pagerduty]\npoll_interval = "25h"', "pagerduty.poll_interval", 'to "1h"'),
    ('[pagerduty]\nmin_poll_interval = "4s"', "pagerduty.min_poll_interval", "poll_interval"),
    ('[pagerduty]\nlate_window = "999999d"', "pagerduty.late_window", 'to "7d"'),
    ('[pagerduty]\nreconcile_interval = "0s"', "pagerduty.reconcile_interval", "from"),
    ('[salesforce]\nlogin_url = "http://acme.my.salesforce.com"', "salesforce.login_url", "https"),
    ('[salesforce]\naudience = "acme"', "salesforce.audience", "https://"),
    ('[salesforce]\norg_id = "00D123"', "salesforce.org_id", "15 or 18"),
    ('[salesforce]\norg_id = "005000000000001"', "salesforce.org_id", '"00D"'),
    ('[salesforce]\nconsumer_key = ""', "salesforce.consumer_key", "empty"),
    ('[salesforce]\nconsumer_key = "a b"', "salesforce.consumer_key", "blanks"),
    ('[salesforce]\nusername = "admin"', "salesforce.username", "e-mail"),
    ('[salesforce]\napi_version = "v62.0"', "salesforce.api_version", '"62.0"'),
    ('[salesforce]\napi_version = "62"', "salesforce.api_version", '"62.0"'),
    ('[salesforce]\nmin_poll_interval = "16s"', "salesforce.min_poll_interval", "poll_interval"),
    ("[salesforce]\ndaily_call_budget = 0", "salesforce.daily_call_budget", "at least 1"),
    ("[delivery]\nconcurrency = 0", "delivery.concurrency", "at least 1"),
    ("[delivery]\nconcurrency = 100000", "delivery.concurrency", "at most 256"),
    ('[delivery]\nretry_for = "0s"', "delivery.retry_for", 'from "1s"'),
    ("[delivery]\nloop_limit = 0", "delivery.loop_limit", "at least 1"),
    ('[delivery]\ntimeout = "1h"', "delivery.timeout", 'to "10m"'),
    # objects
    ("[[objects]]", "objects[0].name", "or a preset"),
    ('[[objects]]\nname = "My Object"', "objects[0].name", "API name"),
    ('[[objects]]\nname = "Case;DROP"', "objects[0].name", "API name"),
    (OBJECT + OBJECT, "objects[1].name", "config.toml: objects[0].name"),
    (OBJECT + '[[objects]]\nname = "CASE"', "objects[1].name", "needs its own"),
    (OBJECT + 'fields = ["Owner.Name", "a b"]', "objects[0].fields[1]", '"Owner.Name"'),
    (OBJECT + 'fields = ["Parent__c.Name"]', "objects[0].fields[0]", "__r"),
    (OBJECT + 'fields = ["A.B.C.D.E.F.Name"]', "objects[0].fields[0]", "5 parents"),
    (OBJECT + "where = \"WHERE Origin = 'x'\"", "objects[0].where", "without the word"),
    (OBJECT + 'where = "a = 1) OR (b = 2"', "objects[0].where", "parentheses"),
    (OBJECT + 'where = "a = \'x"', "objects[0].where", "quotes"),
    (OBJECT + 'where = "a = 1 LIMIT 5"', "objects[0].where", "LIMIT"),
    (OBJECT + 'external_id_field = "Owner.Name"', "objects[0].external_id_field", "API name"),
    (OBJECT + 'service_id_path = "Category__c.Id__c"', "objects[0].service_id_path", "__r"),
    (OBJECT + 'conflict = "oldest"', "objects[0].conflict", '"newest"'),
    (OBJECT + 'conflict_fields = { X__c = "me" }', "objects[0].conflict_fields.X__c", '"newest"'),
    (
        OBJECT + 'conflict_fields = { "a b" = "newest" }',
        'objects[0].conflict_fields."a b"',
        "API name",
    ),
    (
        OBJECT + 'conflict_fields = { X__c = "newest", x__c = "newest" }',
        "objects[0].conflict_fields.x__c",
        "listed twice",
    ),
    (OBJECT + 'on_delete = "close"', "objects[0].on_delete", '"resolve"'),
    (
        OBJECT + "[objects.comments]\nobject = 'X'\nparent_field = 'Y'",
        "objects[0].comments.body_field",
        "required",
    ),
    (COMMENTS + "fields = { X__c = [1] }", "objects[0].comments.fields.X__c", "a text, a number"),
    (COMMENTS + "fields = { X__c = { lookup = {} } }", "objects[0].comments.fields.X__c", "Name"),
    (COMMENTS + "fields = { X__c = { look = 1 } }", "objects[0].comments.fields.X__c", "lookup"),
    (COMMENTS + 'note_template = "{{ comment.body"', "objects[0].comments.note_template", "line 1"),
    (COMMENTS + 'note_template = "{{ coment.body }}"', "objects[0].comments.note_template", "see"),
    (
        COMMENTS + 'comment_template = "{{ comment.boddy }}"',
        "objects[0].comments.comment_template",
        'did you mean "body"?',
    ),
    (
        COMMENTS + "note_template = \"{{ comment.author | translate('who') }}\"",
        "objects[0].comments.note_template",
        "add [maps.who]",
    ),
    # service mappings
    (MAPPING + MAPPING[len(OBJECT) :], "service_mappings[1].name", "service_mappings[0].name"),
    (MAPPING.replace('object = "Case"', 'object = "Cas"'), "service_mappings[0].object", '"Case"'),
    (MAPPING.replace('"x"', '""'), "service_mappings[0].value", "empty"),
    (MAPPING.replace('"x"', "{ lookup = 5 }"), "service_mappings[0].value", "lookup"),
    (MAPPING.replace('"x"', '{ lookup = { "a b" = 5 } }'), "service_mappings[0].value", "fields"),
    (MAPPING.replace('"x"', "nan"), "service_mappings[0].value", "finite"),
    (MAPPING.replace('value = "x"\n', ""), "service_mappings[0].value", "required"),
    (MAPPING.replace("PNET001", "Net work"), "service_mappings[0].service", "id"),
    (MAPPING.replace('"Origin"', '"Owner.Name"'), "service_mappings[0].field", "API name"),
    # rules, judged by the rules package
    (
        RULE + 'enabledd = true\nactions = [{ do = "pagerduty.acknowledge" }]',
        "rulesets[0].rules[0].enabledd",
        "enabled",
    ),
    (
        RULE + 'actions = [{ do = "pagerduty.acknowlege" }]',
        "rulesets[0].rules[0].actions[0].do",
        "pagerduty.acknowledge",
    ),
]


@pytest.mark.parametrize(("text", "path", "remedy"), BROKEN)
def test_refused_at_its_place_with_the_remedy(tmp_path, text, path, remedy):
    found = problems_of(write(tmp_path, text))
    assert list(found) == [f"config.toml: {path}"]
    assert remedy in found[f"config.toml: {path}"]


@pytest.mark.parametrize("key", ["from_email"])
def test_required_keys_of_pagerduty(tmp_path, key):
    path = tmp_path / "config.toml"
    write(tmp_path)
    path.write_text(path.read_text().replace(f'{key} = "integration@example.com"\n', ""))
    assert problems_of(path) == {
        "config.toml: pagerduty.from_email": "is required: give the e-mail of the PagerDuty user"
        " that pagerforce acts as"
    }


def test_missing_sections_say_what_they_need(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("")
    found = problems_of(path)
    assert list(found) == ["config.toml: pagerduty", "config.toml: salesforce"]
    assert "from_email" in found["config.toml: pagerduty"]
    assert "consumer_key" in found["config.toml: salesforce"]


def test_everything_is_reported_at_once_in_the_order_of_the_file(tmp_path):
    text = (
        '[delivery]\nconcurrency = 0\n[daemon]\nmode = "dry"\nunknown_thing = 1\n'
        + OBJECT
        + 'conflict = "x"\n[[objects]]\nname = "Case"\n'
        + '[[rulesets]]\nname = "R"\n[[rulesets]]\nname = "R"\n'
    )
    path = tmp_path / "config.toml"
    path.write_text(text + '[pagerduty]\nmin_poll_interval = "1h"\napi_url = "http://x"\n')
    places = list(problems_of(path))
    assert places == [
        f"config.toml: {place}"
        for place in (
            "delivery.concurrency",
            "daemon.mode",
            "daemon.unknown_thing",
            "objects[0].conflict",
            "objects[1].name",
            "rulesets[1].name",
            "pagerduty.api_url",
            "pagerduty.from_email",
            "pagerduty.min_poll_interval",
            "salesforce",
        )
    ]


def test_an_unknown_preset_names_those_that_exist(tmp_path):
    path = write(tmp_path, '[[objects]]\npreset = "remedyforce"\nname = "Case"')
    found = problems_of(path)
    assert list(found) == ["config.toml: objects[0].preset"]
    assert "case, remedyforce-incident" in found["config.toml: objects[0].preset"]


@pytest.mark.parametrize(
    ("content", "where", "what"),
    [
        (b'[daemon]\nmode = "live\n', "config.toml: line 2, column 13", "not valid TOML"),
        (b"[daemon]\n[daemon]\n", "config.toml: line 2, column 8", "daemon"),
        (b"a = [1,", "config.toml: end of file", "not valid TOML"),
        (b"# ok\n# \xff\n", "config.toml: line 2", "save the file in UTF-8"),
        (b"a = " + b"[" * 5000, "config.toml: line 1", "nested too deeply"),
    ],
)
def test_a_file_that_is_not_toml_is_named_with_line_and_column(tmp_path, content, where, what):
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    found = problems_of(path)
    assert list(found) == [where]
    assert what in found[where]


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    missing = tmp_path / "none.toml"
    assert "does not exist" in problems_of(missing)[str(missing)]
    assert "is a folder" in problems_of(tmp_path)[tmp_path.name]
    assert "not a path" in problems_of(tmp_path / "a\0b")[str(tmp_path / "a\0b")]


def test_a_file_beyond_any_reason_is_not_read_whole(tmp_path):
    path = tmp_path / "config.toml"
    with path.open("wb") as stream:
        stream.truncate(100 * 1024 * 1024)
    assert "larger than" in problems_of(path)["config.toml"]


def test_deeply_dotted_keys_are_refused_rather_than_followed(tmp_path):
    path = write(tmp_path)
    path.write_text("a" + ".a" * 3000 + " = 1\n" + path.read_text())
    with pytest.raises(ConfigError, match="nested too deeply"):
        load_config(path, catalog=CATALOG, environ={})


def test_a_byte_order_mark_does_no_harm(tmp_path):
    path = write(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load(path).config.pagerduty.from_email == MINIMAL["pagerduty"]["from_email"]
