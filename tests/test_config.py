"""A table of settings: found, read strictly, and refused with a sentence that names the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchlab_agent.config import NAMES, find_table, key, unknown_variables, variable
from patchlab_agent.errors import UsageError
from patchlab_agent.settings import RunSettings

pytestmark = pytest.mark.quick


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pyproject.toml"
    path.write_text(text, "utf-8")
    return path


def refusal(folder: Path, text: str) -> str:
    path = write(folder, text)
    with pytest.raises(UsageError) as caught:
        find_table(folder)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message.strip()
    return message.removeprefix(str(path))


def test_no_file_and_no_table_say_nothing(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert find_table(tmp_path).path is None
    write(tmp_path, "[tool.ruff]\nline-length = 100\n")
    table = find_table(tmp_path)
    assert (table.path, table.values) == (None, {})


def test_a_file_of_others_is_not_even_parsed(tmp_path: Path) -> None:
    write(tmp_path, "this is = = no TOML")
    assert find_table(tmp_path).path is None


def test_keys_are_options_and_underscores_will_do(tmp_path: Path) -> None:
    path = write(tmp_path, '[tool.patchlab]\ntop-k = 3\nmax_tokens = 9\nmodel = "a/b"\nnoise = 0\n')
    table = find_table(tmp_path)
    assert table.path == path
    assert table.values == {"top_k": 3, "max_tokens": 9, "model": "a/b", "noise": 0}


def test_paths_are_relative_to_their_file(tmp_path: Path) -> None:
    write(tmp_path, '[tool.patchlab]\nstore = "lab/one"\nrequests = "/elsewhere/mine.csv"\n')
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    values = find_table(below).values
    assert values == {
        "store": str(tmp_path / "lab" / "one"),
        "requests": str(Path("/elsewhere/mine.csv")),
    }


@pytest.mark.parametrize("address", ["http://h:8000/lessons", "HTTPS://h", "http:/h:8000"])
def test_an_address_is_no_path(tmp_path: Path, address: str) -> None:
    write(tmp_path, f'[tool.patchlab]\nstore = "{address}"\n')
    assert find_table(tmp_path).values == {"store": address}


@pytest.mark.parametrize("address", ["http://", "localhost:8000", "ftp://h"])
def test_an_address_that_cannot_be_used_is_refused(tmp_path: Path, address: str) -> None:
    assert address in refusal(tmp_path, f'[tool.patchlab]\nstore = "{address}"\n')


def test_a_home_folder_may_stand_in_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    write(tmp_path, '[tool.patchlab]\nstore = "~/lab"\n')
    assert find_table(tmp_path).values == {"store": str(tmp_path / "home" / "lab")}
    refused = refusal(tmp_path, '[tool.patchlab]\nstore = "~nobody-of-that-name/lab"\n')
    assert refused == (
        ": store = '~nobody-of-that-name/lab' in [tool.patchlab] names no home folder; "
        "write the path in full."
    )


def test_the_nearest_file_counts_even_without_a_table(tmp_path: Path) -> None:
    write(tmp_path, "[tool.patchlab]\nseed = 1\n")
    write(tmp_path / "near", "[project]\nname = 'x'\n")
    assert find_table(tmp_path / "near").path is None
    write(tmp_path / "near", "[tool.patchlab]\nseed = 2\n")
    assert find_table(tmp_path / "near").values == {"seed": 2}


@pytest.mark.parametrize("git", ["folder", "file"])
def test_the_search_ends_at_the_repositorys_root(tmp_path: Path, git: str) -> None:
    write(tmp_path, "[tool.patchlab]\nseed = 1\n")
    repository = tmp_path / "repository"
    below = repository / "src"
    below.mkdir(parents=True)
    assert find_table(below).values == {"seed": 1}
    if git == "folder":
        (repository / ".git").mkdir()
    else:  # a worktree
        (repository / ".git").write_text("gitdir: elsewhere", "utf-8")
    assert find_table(below).path is None
    write(repository, "[tool.patchlab]\nseed = 3\n")
    assert find_table(below).values == {"seed": 3}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('top-k = "3"', ("top-k", "'3'", "integer")),
        ("top-k = true", ("top-k", "integer")),
        ("top_k = 51", ("top_k", "50")),
        ("noise = nan", ("noise",)),
        ("seed = 1.5", ("seed", "integer")),
        ("store = 3", ("store",)),
        ("store = {}", ("store",)),
        ("model = 2026-01-01", ("model",)),
        ('gate = "maybe"', ("gate", "'on' or 'off'")),
        ("runs = 0", ("runs",)),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_key(
    tmp_path: Path, line: str, words: tuple[str, ...]
) -> None:
    message = refusal(tmp_path, f"[tool.patchlab]\n{line}\n")
    assert "cannot be used" in message
    for word in words:
        assert word in message


def test_an_unknown_key_is_told_its_nearest_name(tmp_path: Path) -> None:
    assert "'topk'; did you mean 'top-k'?" in refusal(tmp_path, "[tool.patchlab]\ntopk = 3\n")
    assert "'zzzzzz'; leave it out." in refusal(tmp_path, "[tool.patchlab]\nzzzzzz = 3\n")


def test_a_key_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    assert "'top-k' twice" in refusal(tmp_path, "[tool.patchlab]\ntop-k = 3\ntop_k = 3\n")


@pytest.mark.parametrize("secret", ["api-key", "api_key", "OPENAI_API_KEY", "token", "password"])
def test_a_secret_is_refused_and_not_repeated(tmp_path: Path, secret: str) -> None:
    message = refusal(tmp_path, f'[tool.patchlab]\n{secret} = "sk-abcdef"\n')
    assert secret in message
    assert "environment" in message
    assert "sk-abcdef" not in message


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[tool.patchlab\ntop-k = 3", "not valid TOML"),
        ("[tool]\npatchlab = 3\n", "not a table"),
        ('tool = "patchlab"\n', ""),
    ],
)
def test_a_file_that_is_broken_or_odd(tmp_path: Path, text: str, word: str) -> None:
    if word:
        assert word in refusal(tmp_path, text)
    else:
        write(tmp_path, text)
        assert find_table(tmp_path).path is None


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"[tool.patchlab]\nmodel = '\xff\xfe'")
    with pytest.raises(UsageError, match="not valid TOML"):
        find_table(tmp_path)


def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "[tool.patchlab]\n")

    def refused(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")  # root may read anything

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(UsageError, match="Permission denied") as caught:
        find_table(tmp_path)
    assert str(path) in str(caught.value)


def test_an_empty_table_is_a_table(tmp_path: Path) -> None:
    path = write(tmp_path, "[tool.patchlab]\n")
    assert find_table(tmp_path).path == path


def test_every_setting_has_a_variable_and_a_key() -> None:
    assert frozenset(RunSettings.model_fields) == NAMES
    assert (variable("top_k"), key("top_k")) == ("PATCHLAB_TOP_K", "top-k")


def test_only_variables_that_nobody_reads_are_warned_of() -> None:
    environment = dict.fromkeys(
        ["PATCHLAB_STORE", "PATCHLAB_LIVE_MODEL", "PATH", "PATCHLAB_TOPK", "PATCHLAB_QQQQ"], "1"
    )
    near, far = reversed(unknown_variables(environment))
    assert near == "PATCHLAB_TOPK is not a setting; did you mean 'PATCHLAB_TOP_K'?"
    assert far == "PATCHLAB_QQQQ is not a setting; it is not read."


def test_a_key_in_a_variable_of_ours_is_not_repeated() -> None:
    [warning] = unknown_variables({"PATCHLAB_API_KEY": "sk-abcdef"})
    assert "PATCHLAB_API_KEY is not read" in warning
    assert "sk-abcdef" not in warning
