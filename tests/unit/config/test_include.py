import pytest

from unit.config.config_catalog import load, problems_of, write

RULES = """
[[rulesets]]
name = "{name}"
[[rulesets.rules]]
name = "only"
object = "Case"
run_on = "salesforce"
actions = [{{ do = "pagerduty.acknowledge" }}]
"""
OBJECT = '[[objects]]\npreset = "case"\n'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rules.d").mkdir()
    return tmp_path


def put(folder, name, text):
    (folder / name).write_text(text)


def main(folder, text=OBJECT, include='["rules.d/*.toml"]'):
    return write(folder, f"include = {include}\n{text}")


def test_files_are_merged_in_sorted_order_after_the_main_one(folder):
    put(folder, "rules.d/20-b.toml", RULES.format(name="B"))
    put(folder, "rules.d/10-a.toml", RULES.format(name="A") + "[maps.x]\na = 1\n")
    put(folder, "rules.d/.hidden.toml", "not toml at all")
    put(folder, "rules.d/readme.txt", "not toml at all")
    loaded = load(main(folder, OBJECT + RULES.format(name="M")))
    assert [rule.ruleset for rule in loaded.rules] == ["M", "A", "B"]
    assert [item["name"] for item in loaded.config.rulesets] == ["M", "A", "B"]
    assert loaded.config.maps == {"x": {"a": 1}}
    assert [path.name for path in loaded.files] == ["config.toml", "10-a.toml", "20-b.toml"]


def test_objects_and_mappings_of_an_included_file_count_like_those_of_the_main_one(folder):
    mapping = (
        '[[service_mappings]]\nname = "N"\nobject = "Case"\nfield = "Origin"\nvalue = "x"\n'
        'service = "P1"\n'
    )
    put(folder, "rules.d/a.toml", OBJECT + mapping)
    config = load(main(folder, RULES.format(name="M"))).config
    assert [item.name for item in config.objects] == ["Case"]
    assert [item.name for item in config.service_mappings] == ["N"]


def test_no_match_is_fine_and_one_file_is_read_once(folder):
    put(folder, "rules.d/a.toml", RULES.format(name="A"))
    include = '["none/*.toml", "rules.d/a.toml", "rules.d/*.toml", "*.toml"]'
    loaded = load(main(folder, include=include))
    assert [path.name for path in loaded.files] == ["config.toml", "a.toml"]


def test_an_absolute_pattern_is_looked_for_from_its_root(folder):
    put(folder, "rules.d/a.toml", RULES.format(name="A"))
    loaded = load(main(folder, include=f'["{folder}/rules.d/*.toml"]'))
    assert [rule.ruleset for rule in loaded.rules] == ["A"]


@pytest.mark.parametrize("pattern", ["", "rules.d/**.toml"])
def test_a_pattern_that_cannot_be_one_is_named(folder, pattern):
    found = problems_of(main(folder, include=f'["{pattern}"]'))
    assert list(found) == ["config.toml: include[0]"]
    assert "rules.d/*.toml" in found["config.toml: include[0]"]


@pytest.mark.parametrize("pattern", [".", "rules.d"])
def test_a_pattern_that_finds_a_folder_is_refused(folder, pattern):
    assert "is a folder" in " ".join(problems_of(main(folder, include=f'["{pattern}"]')).values())


def test_a_folder_that_may_not_be_read_is_an_error_rather_than_no_match(folder, monkeypatch):
    # Patched because the user that runs the tests may be root, whom no mode keeps out.
    monkeypatch.setattr("os.access", lambda path, mode: path != folder / "rules.d")
    put(folder, "rules.d/a.toml", RULES.format(name="A"))
    found = problems_of(main(folder))
    assert list(found) == ["config.toml: include[0]"]
    assert "may not read" in found["config.toml: include[0]"]


def test_problems_of_an_included_file_name_that_file_and_its_own_index(folder):
    put(folder, "rules.d/a.toml", '[[objects]]\nname = "Account"\nconflict = "x"\n')
    put(folder, "rules.d/b.toml", "[[rulesets]\n")
    found = problems_of(main(folder, OBJECT + "zzz = 1"))
    assert list(found) == [
        "config.toml: objects[0].zzz",
        "rules.d/a.toml: objects[0].conflict",
        "rules.d/b.toml: line 1, column 11",
    ]


@pytest.mark.parametrize(
    ("text", "path", "remedy"),
    [
        ('include = ["x.toml"]', "include", "can not include others"),
        ('[daemon]\nmode = "live"', "daemon", "move [daemon] to config.toml"),
        ("[[rulesetz]]", "rulesetz", 'did you mean "rulesets"?'),
        ('[pagerduty]\napi_key = "x"', "pagerduty.api_key", "a secret must not be"),
    ],
)
def test_what_only_the_main_file_may_hold_is_refused(folder, text, path, remedy):
    put(folder, "rules.d/a.toml", text)
    assert remedy in problems_of(main(folder))[f"rules.d/a.toml: {path}"]


def test_doubled_names_are_reported_with_both_places(folder):
    mapping = (
        '[[service_mappings]]\nname = "N"\nobject = "Case"\nfield = "Origin"\nvalue = "x"\n'
        'service = "P1"\n'
    )
    text = RULES.format(name="R") + mapping + '[maps.m]\na = "b"\n'
    put(folder, "rules.d/a.toml", text + '[[objects]]\nname = "Case"\n')
    found = problems_of(main(folder, OBJECT + text))
    assert set(found) == {
        "rules.d/a.toml: maps.m",
        "rules.d/a.toml: objects[0].name",
        "rules.d/a.toml: service_mappings[0].name",
        "rules.d/a.toml: rulesets[0].name",
    }
    assert "config.toml" in found["rules.d/a.toml: maps.m"]
    assert "config.toml: objects[0].name" in found["rules.d/a.toml: objects[0].name"]
    assert "config.toml: rulesets[0]" in found["rules.d/a.toml: rulesets[0].name"]


def test_a_folder_that_matches_is_named(folder):
    (folder / "rules.d/x.toml").mkdir()
    assert "is a folder" in problems_of(main(folder))["rules.d/x.toml"]
