"""Damaged stores, odd terminals, closed streams and hostile answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from patchlab_agent import Feedback, open_lab
from patchlab_agent.models.prompt import Completion, Prompt
from patchlab_agent.shipping.toy.backend import ToyBackend
from tests.cli.helpers import Cli, assert_refused, digests, give_stdin

REQUEST = "Ship 2 kg books box to US"
RUN = ("run", "--runs", 3, "--golden", 0)


def test_a_decision_taken_without_retrieval_is_taken_anew_with_it() -> None:
    kinds = []
    for top_k in (0, 5):
        with open_lab(store="s", noise=0, top_k=top_k) as lab:
            trace = lab.agent.answer("Ship 2 kg bleach box to US")
            events = lab.learn(trace, Feedback(label="hazmat_undeclared", detail="hazmat")).events
            kinds.append(events[0].kind)
    assert kinds[1] != "known"
    with open_lab(store="s", noise=0) as lab:
        assert lab.store.patches.active_count == 1


def test_a_store_that_another_process_writes_to_is_not_even_opened(store: Path, cli: Cli) -> None:
    with FileLock(store / ".lock"):
        before = digests(store)
        result = cli(*RUN, "--fresh", "--yes", "--store", store)
        assert_refused(result, 4, "in use", "--store")
        assert digests(store) == before


def test_a_store_with_a_damaged_database_can_be_started_over(store: Path, cli: Cli) -> None:
    (store / "chroma.sqlite3").write_bytes(b"this is no database" * 999)
    assert cli(*RUN, "--fresh", "--yes", "--store", store).code == 0


def test_a_link_to_a_store_is_not_deleted_and_the_message_says_why(store: Path, cli: Cli) -> None:
    Path("link").symlink_to(store)
    result = cli(*RUN, "--fresh", "--yes", "--store", "link")
    assert_refused(result, 4, "link")
    assert "None" not in result.err


@pytest.mark.parametrize("letter", ["é", "東", "🚚"])
def test_a_long_text_of_any_letters_is_too_long_and_not_binary(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, letter: str
) -> None:
    give_stdin(monkeypatch, (letter * 1_000_000).encode())
    assert_refused(cli("answer", "-", "--store", "s"), 3, "shorten it to 2,000")


def test_a_long_text_on_stdin_is_not_said_to_be_shorter_than_it_is(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_stdin(monkeypatch, b"a" * 1_000_000)
    assert "8,001" not in cli("answer", "-", "--store", "s").err


def test_a_closed_stdin_is_an_empty_request(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert_refused(cli("answer", "-", "--store", "s"), 3)


def test_a_closed_stdin_is_no_person(
    store: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert_refused(cli(*RUN, "--fresh", "--store", store), 2, "--yes")


def test_an_answer_cannot_send_escapes_to_the_terminal(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hostile(ToyBackend):
        def complete(self, prompt: Prompt) -> Completion:
            return Completion(text="\x1b]0;owned\x07\x1b[2J\x9b31mred")

    monkeypatch.setattr("patchlab_agent.lab.backend_choice.backend_of", lambda *_: Hostile())
    result = cli("answer", REQUEST, "--store", "s")
    assert result.code == 0
    assert not {"\x1b", "\x07", "\x9b"} & set(result.out)
    assert r"\x1b[2J" in result.out


def test_a_label_with_markup_is_printed_as_it_is(cli: Cli) -> None:
    with open_lab(store="s") as lab:
        told = {"feedback": Feedback(label="[/] odd")}
        lab.store.traces.keep(lab.agent.answer(REQUEST).model_copy(update=told))
    result = cli("traces", "list", "--store", "s")
    assert result.code == 0
    assert "[/] odd" in result.out


def test_an_answer_given_last_is_listed_first(store: Path, cli: Cli) -> None:
    quoted = cli("answer", REQUEST, "--store", store, "--json").json
    newest = cli("traces", "list", "--limit", 1, "--store", store, "--json").json
    assert newest == [quoted]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
@pytest.mark.parametrize(
    "arguments",
    [("run", "--runs", "5", "--golden", "3"), ("quote", "Ship 2 kg “books” box to 東京")],
)
def test_a_stream_that_knows_no_unicode_gets_what_it_can_show(
    encoding: str, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    def printed(encoding: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", "from patchlab_agent.cli.app import main; main()", *arguments],
            capture_output=True,
            check=False,
            env={**os.environ, "PYTHONIOENCODING": encoding, "PATCHLAB_STORE": encoding},
        )
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout.decode(encoding)

    whole = printed("utf-8")
    # Only the request's own letters are lost; lines and marks have ASCII stand-ins.
    assert printed(encoding).count("?") == sum(map(whole.count, "?東京"))
