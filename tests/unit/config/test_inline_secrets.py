"""A secret in the configuration is refused with the place where it belongs, and never shown."""

import pytest

from unit.config.config_catalog import load, problems_of, write

SECRET = "u+s3cr3tS3CR3Ts3cr3t"
RULE = """
[[objects]]
preset = "case"
[[rulesets]]
name = "R"
[[rulesets.rules]]
api_key = "S"
name = "x"
object = "Case"
run_on = "salesforce"
actions = [{ do = "pagerduty.acknowledge" }]
"""


@pytest.mark.parametrize(
    ("text", "path", "remedy"),
    [
        ('api_key = "S"', "api_key", "pagerduty.api_key_file"),
        ('[pagerduty]\napi_key = "S"', "pagerduty.api_key", "PAGERFORCE_PAGERDUTY_API_KEY"),
        ('[pagerduty]\napi_token = "S"', "pagerduty.api_token", '"pagerduty-api-key"'),
        ('[pagerduty]\ntoken = "S"', "pagerduty.token", "pagerduty.api_key_file"),
        ('[pagerduty]\napiKey = "S"', "pagerduty.apiKey", "pagerduty.api_key_file"),
        ('[salesforce]\nprivate_key = "S"', "salesforce.private_key", "private_key_file"),
        ('[salesforce]\npassword = "S"', "salesforce.password", '"salesforce-private-key"'),
        ('[salesforce]\nclient_secret = "S"', "salesforce.client_secret", "private_key_file"),
        ('[salesforce]\nsecurity-token = "S"', "salesforce.security-token", "private_key_file"),
        ('[daemon]\npassphrase = "S"', "daemon.passphrase", "pagerduty.api_key_file"),
        ("[pagerduty]\ntoken = 12345678", "pagerduty.token", "pagerduty.api_key_file"),
        ('[[objects]]\npreset = "case"\nsecret = "S"', "objects[0].secret", "api_key_file"),
        (
            RULE,
            "rulesets[0].rules[0].api_key",
            "api_key_file",
        ),
        (
            '[salesforce]\nprivate_key_file = """-----BEGIN PRIVATE KEY-----\nS"""',
            "salesforce.private_key_file",
            "a file of mode 0600",
        ),
        ('[pagerduty]\napi_key_file = "Token token=S"', "pagerduty.api_key_file", "0600"),
        ('[pagerduty]\napi_key_file = "S"', "pagerduty.api_key_file", "looks like the key itself"),
    ],
)
def test_refused_and_never_shown(tmp_path, text, path, remedy):
    found = problems_of(write(tmp_path, text.replace('S"', f'{SECRET}"')))
    assert list(found) == [f"config.toml: {path}"]
    assert remedy in found[f"config.toml: {path}"]
    assert SECRET not in str(found)


@pytest.mark.parametrize(
    "text",
    [
        f'[daemon]\nmode = "{SECRET}"',
        f'[pagerduty]\nfrom_email = "{SECRET}"',
        f'[pagerduty]\nservices = ["{SECRET}"]',
        f'[salesforce]\nlogin_url = "https://me:{SECRET}@acme.my.salesforce.com"',
        f'[delivery]\nconcurrency = "{SECRET}"',
        f'[[objects]]\nname = "{SECRET}"',
        f'[[objects]]\npreset = "{SECRET}"\nname = "Case"',
    ],
)
def test_a_value_in_the_wrong_place_is_not_echoed(tmp_path, text):
    assert SECRET not in str(problems_of(write(tmp_path, text)))


def test_names_of_the_remote_side_may_be_such_words(tmp_path):
    text = (
        '[maps.category]\npassword = "Password resets"\n[[objects]]\npreset = "case"\n'
        'conflict_fields = { Secret = "newest" }\n'
    )
    assert load(write(tmp_path, text)).config.maps["category"]["password"] == "Password resets"
