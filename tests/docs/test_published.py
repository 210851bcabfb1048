"""Where the tests search for PagerDuty's published schema."""

import pytest

from published import NAME, find_schema


@pytest.fixture
def make(tmp_path):
    def write(*parts):
        file = tmp_path.joinpath(*parts, NAME)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
        return file

    return write


def test_the_named_file_comes_first(make, tmp_path):
    named = make("elsewhere")
    make()
    assert find_schema(str(named), tmp_path) == named


def test_a_named_file_that_is_missing_is_no_silent_skip(tmp_path):
    with pytest.raises(pytest.UsageError, match="names no file"):
        find_schema(str(tmp_path / NAME), tmp_path)


def test_beside_the_clone_wins_over_a_shared_folder(make, tmp_path):
    assert find_schema("", tmp_path) is None
    deeper = make("shared", "vendor")
    assert find_schema("", tmp_path) == deeper
    nearer = make()
    assert find_schema("", tmp_path) == nearer
