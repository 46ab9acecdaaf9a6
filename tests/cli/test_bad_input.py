"""Options and stores that cannot be used: one clear sentence, an exit code, nothing touched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from tests.cli.conftest import Learned
from tests.cli.helpers import Cli, Result, assert_refused, change_marker, contents, digests

REQUEST = "Ship 2 kg books box to US"
RUN = ("run", "--runs", 3, "--golden", 0)
QUOTE = ("answer", REQUEST)


@pytest.fixture(scope="module")
def untouched(learned: Learned, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all that is refused before it is looked into."""
    copy = tmp_path_factory.mktemp("untouched") / "store"
    shutil.copytree(learned.store, copy)
    return copy


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    """A folder that is a store by its marker alone."""
    folder = tmp_path / "marked"
    folder.mkdir()
    info = {"format": 2, "skill": "shipping", "embedder": "hashing", "runs": 1}
    (folder / "patchlab.json").write_text(json.dumps(info), "utf-8")
    (folder / "chroma.sqlite3").write_bytes(b"what was learned")
    return folder


SHARED_OPTIONS = [
    (("--backend", "gpt"), 2, ("'gpt'", "toy")),
    (("--embedder", "magic"), 2, ("'magic'", "hashing")),
    (("--skill", "chess"), 8, ("'chess'", "shipping")),
    (("--noise", "2"), 2, ("--noise",)),
    (("--noise", "-0.1"), 2, ("--noise",)),
    (("--noise", "nan"), 2, ("--noise",)),
    (("--noise", "loud"), 2, ("--noise",)),
    (("--top-k", "-1"), 2, ("--top-k",)),
    (("--top-k", "51"), 2, ("--top-k",)),
    (("--examples", "-1"), 2, ("--examples",)),
    (("--examples", "21"), 2, ("--examples",)),
    (("--seed", "seven"), 2, ("--seed",)),
    (("--frobnicate",), 2, ("--frobnicate",)),
]
RUN_OPTIONS = [
    (("--golden", "100000"), 2, ("--golden", "260")),
    (("--golden", "-1"), 2, ("--golden",)),
    (("--runs", "0"), 2, ("--runs",)),
    (("--runs", "some"), 2, ("--runs",)),
    (("--show", "-1"), 2, ("--show",)),
    (("--trace", "-1"), 2, ("--trace",)),
    (("more",), 2, ("more",)),
]


@pytest.mark.parametrize(("options", "code", "words"), SHARED_OPTIONS + RUN_OPTIONS)
def test_a_run_with_a_wrong_option_makes_no_store(
    cli: Cli, options: tuple[str, ...], code: int, words: tuple[str, ...]
) -> None:
    assert_refused(cli("run", "--store", "s", *options), code, *words)
    assert not Path("s").exists()


@pytest.mark.parametrize(("options", "code", "words"), SHARED_OPTIONS)
def test_a_quote_with_a_wrong_option_makes_no_store(
    cli: Cli, options: tuple[str, ...], code: int, words: tuple[str, ...]
) -> None:
    assert_refused(cli(*QUOTE, "--store", "s", *options), code, *words)
    assert not Path("s").exists()


@pytest.mark.parametrize(
    "options",
    [
        *(options for options, _, _ in SHARED_OPTIONS + RUN_OPTIONS),
        ("--requests", "missing.csv"),
        ("--json", "--verbose"),
    ],
)
def test_a_run_with_a_wrong_option_leaves_a_store_alone(
    untouched: Path, cli: Cli, options: tuple[str, ...]
) -> None:
    before = digests(untouched)
    assert cli("run", "--store", untouched, *options).code in {2, 3, 8}
    assert digests(untouched) == before


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("frobnicate",), "frobnicate"),
        (("answer",), "text"),
        (("patches", "show"), "patch_id"),
        (("traces", "show"), "trace_id"),
        (("patches", "list", "--status", "bogus"), "quarantined"),
        (("traces", "list", "--limit", "0"), "--limit"),
    ],
)
def test_a_wrong_command_line_is_explained(cli: Cli, arguments: tuple[str, ...], word: str) -> None:
    result = cli(*arguments)
    assert_refused(result, 2)
    assert word.casefold() in result.error.casefold()
    assert "--help" in result.error


@pytest.mark.parametrize("arguments", [RUN, QUOTE])
def test_an_embedder_whose_package_is_missing_names_the_remedy(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...]
) -> None:
    monkeypatch.setattr("patchlab_agent.embedding.find_spec", lambda name: None)
    result = cli(*arguments, "--embedder", "wordllama", "--store", "s")
    assert_refused(result, 6, "wordllama", "pip install 'patchlab-agent[wordllama]'")
    assert not Path("s").exists()


def test_a_store_whose_embedder_is_missing_is_left_alone(
    marked: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patchlab_agent.embedding.find_spec", lambda name: None)
    change_marker(marked, embedder="wordllama")
    before = digests(marked)
    for arguments in (RUN, QUOTE, ("patches", "list"), ("traces", "list")):
        assert_refused(cli(*arguments, "--store", marked), 6, "pip install")
    assert digests(marked) == before


COMMANDS = [
    RUN,
    (*RUN, "--fresh", "--yes"),
    QUOTE,
    ("patches", "list"),
    ("patches", "show", "a"),
    ("traces", "list"),
    ("traces", "show", "t-0000001"),
]


@pytest.mark.parametrize("arguments", COMMANDS)
class TestEveryCommandOn:
    def test_a_file_in_place_of_a_store(self, cli: Cli, arguments: tuple[object, ...]) -> None:
        Path("file").write_text("mine", "utf-8")
        assert_refused(cli(*arguments, "--store", "file"), 4, "file is a file", "--store")
        assert Path("file").read_text("utf-8") == "mine"

    def test_a_folder_of_something_else(self, cli: Cli, arguments: tuple[object, ...]) -> None:
        Path("home").mkdir()
        Path("home/thesis.txt").write_text("mine", "utf-8")
        before = digests(Path("home"))
        assert_refused(cli(*arguments, "--store", "home"), 4, "it is not a store", "--store")
        assert digests(Path("home")) == before

    @pytest.mark.parametrize("changes", [{"format": 99}, {"format": 3, "engine": "new"}])
    def test_a_store_of_another_version(
        self, marked: Path, cli: Cli, arguments: tuple[object, ...], changes: dict[str, object]
    ) -> None:
        change_marker(marked, **changes)
        before = digests(marked)
        result = cli(*arguments, "--store", marked)
        assert_refused(result, 4, f"has store format {changes['format']}", "format 2")
        assert digests(marked) == before

    @pytest.mark.parametrize("marker", [b"{", b"", b"\xff\xfe", b"[]", b'{"format": 2}'])
    def test_a_store_with_a_damaged_marker(
        self, marked: Path, cli: Cli, arguments: tuple[object, ...], marker: bytes
    ) -> None:
        (marked / "patchlab.json").write_bytes(marker)
        before = digests(marked)
        result = cli(*arguments, "--store", marked)
        assert_refused(result, 4, "patchlab.json is damaged", "restore it")
        assert digests(marked) == before


@pytest.mark.parametrize("arguments", [RUN, QUOTE])
def test_a_store_keeps_its_embedder(marked: Path, cli: Cli, arguments: tuple[object, ...]) -> None:
    change_marker(marked, embedder="wordllama")
    before = digests(marked)
    result = cli(*arguments, "--embedder", "hashing", "--store", marked)
    assert_refused(result, 4, "was made with --embedder wordllama", "--fresh")
    assert digests(marked) == before


@pytest.mark.parametrize("arguments", [RUN, QUOTE])
def test_a_store_keeps_its_skill(marked: Path, cli: Cli, arguments: tuple[object, ...]) -> None:
    change_marker(marked, skill="chess")
    before = digests(marked)
    assert_refused(cli(*arguments, "--store", marked), 4, "'chess'", "'shipping'")
    assert_refused(cli("patches", "list", "--store", marked), 8, "'chess'")
    assert digests(marked) == before


@pytest.mark.parametrize("arguments", [RUN, QUOTE])
def test_a_store_that_another_process_writes_to_is_left_alone(
    store: Path, cli: Cli, arguments: tuple[object, ...]
) -> None:
    with FileLock(store / ".lock"):
        before = digests(store)
        assert_refused(cli(*arguments, "--store", store), 4, "in use", "--store")
        assert digests(store) == before
    assert cli(*RUN, "--store", store).code == 0


def test_a_store_that_another_process_writes_to_is_not_deleted(store: Path, cli: Cli) -> None:
    before = contents(store)
    with FileLock(store / ".lock"):
        result = cli(*RUN, "--fresh", "--yes", "--store", store)
        assert_refused(result, 4, "in use", "--store")
    assert contents(store) == before


@pytest.mark.parametrize("arguments", [("patches", "list"), ("traces", "list")])
def test_a_store_that_another_process_writes_to_can_be_read(
    store: Path, cli: Cli, arguments: tuple[str, ...]
) -> None:
    with FileLock(store / ".lock"):
        assert cli(*arguments, "--store", store).code == 0


@pytest.mark.parametrize("arguments", COMMANDS[3:])
def test_nothing_to_look_into_is_said_and_not_made(cli: Cli, arguments: tuple[object, ...]) -> None:
    assert_refused(cli(*arguments, "--store", "s"), 4, "no store at s", "patchlab-agent run")
    assert not Path("s").exists()


def test_a_store_whose_database_is_damaged_gives_no_traceback(store: Path, cli: Cli) -> None:
    (store / "chroma.sqlite3").write_bytes(b"this is no database" * 999)
    result: Result = cli("patches", "list", "--store", store)
    assert_refused(result, 4, str(store))


def test_an_empty_folder_becomes_a_store(cli: Cli) -> None:
    Path("empty").mkdir()
    assert cli(*RUN, "--store", "empty").code == 0
    shutil.rmtree("empty")
