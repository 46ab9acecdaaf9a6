"""Answers recorded from a server, and played without it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest

from patchlab_agent.agent.conversation import Conversation
from patchlab_agent.backends.base import BatchBackend
from patchlab_agent.backends.budget import Budget, BudgetedBackend
from patchlab_agent.backends.cassette import Cassette, ReplayBackend
from patchlab_agent.backends.recording import RecordingBackend
from patchlab_agent.errors import (
    BackendError,
    BackendUnavailable,
    BudgetReached,
    CassetteMiss,
    InputError,
    InvalidAnswer,
    PromptTooLong,
    StoreError,
)
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.model import Structure
from patchlab_agent.models.prompt import Completion, Message, Prompt
from tests.backends.llm.conftest import MakeBackend
from tests.backends.llm.helpers import (
    LOCAL,
    OPENAI,
    SCHEMA,
    Provider,
    Server,
    ok,
    parameters,
    prompt,
    refusal,
)

pytestmark = pytest.mark.parametrize("provider", [OPENAI], indirect=True, ids=str)
PROMPTS = [prompt(text) for text in ("one", "two", "drei für Österreich")]

MakeRecorder: TypeAlias = Callable[..., RecordingBackend]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "cassette.jsonl"


@pytest.fixture
def recorder(path: Path, backend: MakeBackend) -> Iterator[MakeRecorder]:
    """Makes backends that record into `path`; `model` and `budget` are the inner ones'.

    With `settings` they record a run.
    """
    made: list[RecordingBackend] = []

    def make(
        *,
        model: dict[str, Any] | None = None,
        api_base: str | None = OPENAI.api_base,
        budget: Budget | None = None,
        settings: JsonObject | None = None,
        **options: Any,
    ) -> RecordingBackend:
        llm = backend(model=model, api_base=api_base)
        inner: BatchBackend = BudgetedBackend(llm, budget) if budget else llm
        made.append(RecordingBackend(inner, llm, path, **options))
        if settings is not None:
            made[-1].begin(settings)
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(autouse=True)
def numbered(provider: Provider, server: Server) -> None:
    """The server's answers tell one call from another."""
    server.otherwise = lambda _: ok(provider.answer(f"answer {len(server.bodies)}"))


def texts(backend: BatchBackend, *prompts: Prompt) -> list[str]:
    return [
        each.text if isinstance(each, Completion) else type(each).__name__
        for each in backend.complete_batch(prompts)
    ]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def recorded(recorder: MakeRecorder, *prompts: Prompt, **options: Any) -> None:
    """Record prompts one after the other, and close the file."""
    backend = recorder(**options)
    for each in prompts:
        backend.complete(each)
    backend.close()


def test_a_replay_gives_the_same_completions_without_a_request(
    path: Path, provider: Provider, server: Server, recorder: MakeRecorder
) -> None:
    server.will(ok(provider.answer("cut", cut_off=True)))
    recording = recorder()
    completions = [*recording.complete_batch(PROMPTS)]
    recording.close()
    replay = ReplayBackend(Cassette(path))
    assert replay.complete_batch(PROMPTS[::-1]) == completions[::-1]
    assert replay.complete(PROMPTS[0]).cut_off
    assert len(server.bodies) == len(PROMPTS)
    assert replay.name == f"replay of {parameters(provider)}"
    assert (replay.varies, replay.structure) == (False, Structure.SCHEMA)
    replay.close()


def test_what_was_filtered_out_is_so_in_a_replay(
    path: Path, provider: Provider, server: Server, recorder: MakeRecorder
) -> None:
    server.will(httpx.Response(400, json=provider.error("content_policy_violation")))
    recorded(recorder, PROMPTS[0])
    replayed = ReplayBackend(Cassette(path)).complete(PROMPTS[0])
    assert (replayed.text, replayed.filtered) == ("", True)


def test_what_the_file_holds_is_not_asked_again(
    server: Server, recorder: MakeRecorder, path: Path
) -> None:
    recorded(recorder, *PROMPTS[:2])
    before = path.read_text("utf-8")
    again = recorder()
    assert texts(again, *PROMPTS) == ["answer 1", "answer 2", "answer 3"]
    assert (again.known, len(server.bodies)) == (2, 3)
    assert path.read_text("utf-8").startswith(before)
    assert texts(again, PROMPTS[2]) == ["answer 3"]
    assert (again.known, len(server.bodies)) == (3, 3)


@pytest.mark.parametrize(
    ("kept_lines", "torn", "known"),
    [(3, '{"key": "0123', 1), (1, '{"stable": "', 0), (0, '{"cassette": 1, "par', 0)],
)
def test_a_recording_that_was_cut_short_goes_on(
    *, server: Server, recorder: MakeRecorder, path: Path, kept_lines: int, torn: str, known: int
) -> None:
    recorded(recorder, *PROMPTS[:2])
    kept = path.read_text("utf-8").splitlines(keepends=True)[:kept_lines]
    path.write_text("".join(kept) + torn, "utf-8")
    again = recorder()
    again.complete_batch(PROMPTS)
    again.close()
    assert again.known == known
    assert path.read_text("utf-8").startswith("".join(kept))
    assert len(Cassette(path).answers) == len(PROMPTS)


def test_a_replay_takes_what_is_whole_of_a_recording_that_was_cut_short(
    recorder: MakeRecorder, path: Path
) -> None:
    recorded(recorder, *PROMPTS[:2])
    whole = path.read_bytes()
    for content in (whole[:-1], whole + b'{"key": "01', whole + '{"text": "ü'.encode()[:-1]):
        path.write_bytes(content)
        assert texts(ReplayBackend(Cassette(path)), *PROMPTS[:2]) == ["answer 1", "answer 2"]
        again = recorder()
        assert texts(again, *PROMPTS[:2]) == ["answer 1", "answer 2"]
        again.complete(PROMPTS[2])
        again.close()
        assert path.read_bytes().startswith(whole)
        assert len(Cassette(path).answers) == 3


def test_the_header_tells_of_the_latest_run(
    server: Server, recorder: MakeRecorder, path: Path
) -> None:
    server.will(httpx.Response(400, json=OPENAI.error("content_policy_violation")))
    recorded(recorder, PROMPTS[0], note="m-Q4.gguf", settings={"seed": 7})
    assert Cassette(path).header.structure is None
    recorded(recorder, *PROMPTS[1:], settings={"seed": 7, "runs": 5, "golden": 3})
    answers = path.read_text("utf-8").splitlines()[1:]
    again = recorder(settings={"seed": 7, "runs": 9, "golden": 0})
    assert Cassette(path).header.settings["runs"] == 5
    again.complete(PROMPTS[0])
    again.close()
    header = Cassette(path).header
    assert header.settings == {"seed": 7, "runs": 9, "golden": 0}
    assert (header.note, header.structure) == ("m-Q4.gguf", Structure.SCHEMA)
    assert path.read_text("utf-8").splitlines()[1:-1] == answers
    before = path.read_bytes()
    recorded(recorder, *PROMPTS, settings={"seed": 7, "runs": 9, "golden": 0})
    recorded(recorder, *PROMPTS)
    assert path.read_bytes() == before


def test_a_recording_is_not_gone_on_with_as_another_run(recorder: MakeRecorder, path: Path) -> None:
    recorded(recorder, PROMPTS[0], settings={"seed": 7, "runs": 5})
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"with seed=7, not with 8; name another file"):
        recorder(settings={"seed": 8, "runs": 5})
    recorded(recorder, PROMPTS[0])
    assert path.read_bytes() == before


def test_two_that_record_into_one_file_lose_nothing(recorder: MakeRecorder, path: Path) -> None:
    one, two = recorder(settings={"runs": 1}), recorder(settings={"runs": 2})
    one.complete(PROMPTS[0])
    two.complete(PROMPTS[1])
    one.complete(PROMPTS[2])
    one.close()
    two.close()
    assert texts(ReplayBackend(Cassette(path)), *PROMPTS) == ["answer 1", "answer 2", "answer 3"]
    assert Cassette(path).header.settings == {"runs": 2}


def test_a_cassette_may_be_behind_a_link(
    recorder: MakeRecorder, path: Path, tmp_path: Path
) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path / "not" / "there.jsonl")
    recorded(recorder, *PROMPTS)
    assert path.is_symlink()
    assert len(Cassette(tmp_path / "not" / "there.jsonl").answers) == 3


def test_a_place_that_may_not_be_written_to_is_refused_before_any_call(
    recorder: MakeRecorder, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda place, _: place != tmp_path)
    with pytest.raises(InputError, match="cannot be written; name another file"):
        recorder()
    assert not path.parent.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk to write to")
def test_a_full_disk_is_one_sentence_and_the_model_is_closed(
    recorder: MakeRecorder, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = recorder()
    usual = Path.open

    def opened(self: Path, *mode: Any, **how: Any) -> Any:
        return usual(Path("/dev/full") if self == path.resolve() else self, *mode, **how)

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(
        StoreError, match=r"^The cassette .* cannot be written, as its disk is full"
    ):
        recording.complete(PROMPTS[0])
    with pytest.raises(StoreError, match="cannot be written, as its disk is full"):
        recording.close()
    recording.close()


@pytest.mark.parametrize(
    "too_long",
    [
        *(httpx.Response(400, json=body) for body in OPENAI.too_long()),
        httpx.Response(413, html="<html><h1>413 Request Entity Too Large</h1></html>"),
        httpx.Response(500, json=OPENAI.error("Context size has been exceeded.")),
    ],
)
def test_a_repair_that_there_was_no_room_for_is_so_in_a_replay(
    *,
    provider: Provider,
    server: Server,
    recorder: MakeRecorder,
    path: Path,
    too_long: httpx.Response,
) -> None:
    def outcome(backend: BatchBackend) -> Any:
        conversation = Conversation(backend, refuse, lambda _: "Again.", 2)
        return conversation.ask(PROMPTS[:1])

    def refuse(text: str) -> str:
        raise InvalidAnswer(f"{text} is no use")

    server.will(ok(provider.answer("this")), too_long)
    recording = recorder()
    first = outcome(recording)
    assert (first[0].raw, first[0].final) == ("this", True)
    assert outcome(recording) == first
    recording.close()
    assert outcome(ReplayBackend(Cassette(path))) == first
    assert len(server.bodies) == 2


def test_a_first_prompt_that_there_was_no_room_for_is_asked_again(
    provider: Provider, server: Server, recorder: MakeRecorder
) -> None:
    server.will(httpx.Response(400, json=provider.too_long()[0]))
    recording = recorder()
    with pytest.raises(PromptTooLong):
        recording.complete(PROMPTS[0])
    assert recording.complete(PROMPTS[0]).text == "answer 2"


def test_answers_are_written_down_in_groups_and_after_an_outage_no_more_are_asked(
    provider: Provider, server: Server, recorder: MakeRecorder, path: Path
) -> None:
    good = ok(provider.answer("kept"))
    server.will(good, good, good, *[refusal(provider, 503)] * 3)
    answered = recorder(group=2).complete_batch([*PROMPTS, *map(prompt, "abcd")])
    assert [type(each) for each in answered] == [Completion] * 3 + [BackendUnavailable] * 4
    assert len(Cassette(path).answers) == 3
    assert len(server.bodies) == 6


def test_a_recording_is_written_as_it_goes(recorder: MakeRecorder, path: Path) -> None:
    backend = recorder()
    assert not path.exists()
    for count, each in enumerate(PROMPTS, start=1):
        backend.complete(each)
        assert len(Cassette(path).answers) == count


def test_a_resumed_recording_holds_the_model_as_before(
    provider: Provider, server: Server, recorder: MakeRecorder
) -> None:
    server.will(refusal(provider))
    recorded(recorder, PROMPTS[0])
    recorder().complete(PROMPTS[1])
    assert [provider.structure(body) for body in server.bodies] == [
        *(Structure.SCHEMA, Structure.JSON),
        Structure.JSON,
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"model": "openai/other"},
        {"temperature": 0.5},
        {"max_tokens": 9},
        {"seed": 1},
    ],
    ids=str,
)
def test_a_cassette_takes_no_answers_of_another_model(
    recorder: MakeRecorder, path: Path, other: dict[str, Any]
) -> None:
    recorded(recorder, PROMPTS[0])
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"was recorded with openai/m\(.*name another file"):
        recorder(model=other)
    assert path.read_bytes() == before


MOVED = "http://127.0.0.1:9/v1"


@pytest.mark.parametrize("other", [MOVED, f"{LOCAL}/v2", "http://10.0.0.1:18091/v1", None])
def test_a_cassette_takes_no_answers_of_another_server(
    recorder: MakeRecorder, path: Path, other: str | None
) -> None:
    recorded(recorder, PROMPTS[0])
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"at http://127.0.0.1:18091/v1, not at .*name another"):
        recorder(api_base=other)
    assert path.read_bytes() == before


def test_nor_a_server_those_of_the_models_provider(recorder: MakeRecorder, path: Path) -> None:
    recorded(recorder, api_base=None)
    assert not path.exists()
    recording = recorder(api_base=None)
    recording._keep("key", PROMPTS[0], Completion(text="hosted"))
    recording.close()
    with pytest.raises(InputError, match=r"at the provider, not at http://127.0.0.1:18091/v1"):
        recorder()


@pytest.mark.parametrize(
    "same",
    [
        f"{LOCAL}/v1/",
        "http://LOCALHOST:18091/v1",
        "http://me:hush-hush@127.0.0.1:18091/v1",
        "http://127.0.0.1:18091/v1?key=hush-hush",
    ],
)
def test_one_server_has_many_addresses_and_no_key_is_kept(
    recorder: MakeRecorder, path: Path, same: str
) -> None:
    recorded(recorder, PROMPTS[0], api_base=OPENAI.api_base)
    again = recorder(api_base=same)
    assert texts(again, PROMPTS[0]) == ["answer 1"]
    again.close()
    assert Cassette(path).header.server == OPENAI.api_base
    assert "hush" not in path.read_text("utf-8")


def test_a_server_that_moved_goes_on_once_the_file_says_so(
    recorder: MakeRecorder, path: Path
) -> None:
    recorded(recorder, PROMPTS[0], settings={"runs": 1})
    recorded(recorder, PROMPTS[0], settings={"runs": 2})
    path.write_text(path.read_text("utf-8").replace(f"{LOCAL}/v1", MOVED), "utf-8")
    assert texts(recorder(api_base=MOVED), PROMPTS[0]) == ["answer 1"]


def test_a_cassette_that_names_no_server_goes_on_at_any_and_then_names_it(
    recorder: MakeRecorder, path: Path
) -> None:
    recorded(recorder, *PROMPTS[:2])
    old = path.read_text("utf-8").replace(f'"server": "{LOCAL}/v1", ', "")
    assert "server" not in old
    path.write_text(old, "utf-8")
    assert texts(ReplayBackend(Cassette(path)), *PROMPTS[:2]) == ["answer 1", "answer 2"]
    recorded(recorder, *PROMPTS)
    assert path.read_text("utf-8").startswith(old)
    assert texts(ReplayBackend(Cassette(path)), *PROMPTS) == ["answer 1", "answer 2", "answer 3"]
    with pytest.raises(InputError, match="name another file"):
        recorder(api_base=MOVED)


def test_a_server_may_be_named_in_the_environment(
    recorder: MakeRecorder, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(recorder, PROMPTS[0])
    monkeypatch.setenv("OPENAI_BASE_URL", f"{LOCAL}/v1")
    assert texts(recorder(api_base=None), PROMPTS[0]) == ["answer 1"]


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("line", ["no JSON", '{"hello": 1}', "[]", '{"stable": 1}'])
def test_a_line_of_something_else_is_named(
    recorder: MakeRecorder, path: Path, position: int, line: str
) -> None:
    recorded(recorder, PROMPTS[0])
    content = path.read_text("utf-8").splitlines()
    content[position] = line
    path.write_text("\n".join([*content, ""]), "utf-8")
    for use in (lambda: Cassette(path), recorder):
        with pytest.raises(InputError, match=rf"^Line {position + 1} of .*{path.name}"):
            use()


def test_a_cassette_of_a_later_version_is_refused(recorder: MakeRecorder, path: Path) -> None:
    recorded(recorder, PROMPTS[0])
    path.write_text(path.read_text("utf-8").replace('"cassette": 1', '"cassette": 2'), "utf-8")
    with pytest.raises(InputError, match="Line 1 of"):
        Cassette(path)


def test_a_file_that_cannot_be_read_is_refused(path: Path) -> None:
    path.parent.mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        Cassette(path)
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(InputError, match="cannot be read"):
        Cassette(path)
    path.write_text("\n\n", "utf-8")
    with pytest.raises(InputError, match="Line 1 of"):
        Cassette(path)


def test_a_file_that_cannot_be_written_is_refused(recorder: MakeRecorder, path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(InputError, match="cannot be written"):
        recorder()
    path.rmdir()
    path.parent.rmdir()
    path.parent.write_text("no folder", "utf-8")
    with pytest.raises(InputError, match="cannot be written"):
        recorder()


@pytest.mark.parametrize(
    "other",
    [
        prompt("four"),
        prompt("one", system="Write."),
        prompt("one", answer_schema={**SCHEMA, "required": []}),
        prompt("one", messages=(*PROMPTS[0].messages, Message(role="user", content="Again."))),
    ],
    ids=["request", "system", "schema", "turns"],
)
def test_an_unseen_prompt_is_a_miss_that_names_its_request(
    recorder: MakeRecorder, path: Path, other: Prompt
) -> None:
    recorded(recorder, PROMPTS[0])
    asked = other.model_copy(update={"request": "2 kg of 'tea'"})
    missed, found = ReplayBackend(Cassette(path)).complete_batch([asked, PROMPTS[0]])
    assert isinstance(found, Completion)
    assert isinstance(missed, CassetteMiss)
    assert repr(asked.request) in str(missed)
    assert "--record" in str(missed)


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [(0, ["answer 1"] * 3), (0.5, ["answer 1", "answer 2", "answer 1"])],
)
def test_draws_are_told_apart_only_where_answers_vary(
    server: Server, recorder: MakeRecorder, path: Path, temperature: float, expected: list[str]
) -> None:
    draws = [prompt("one", draw=draw) for draw in "aba"]
    recording = recorder(model={"temperature": temperature})
    assert [recording.complete(each).text for each in draws] == expected
    assert texts(ReplayBackend(Cassette(path)), *draws) == expected
    assert {line.get("draw") for line in lines(path)[2:]} == ({"a", "b"} if temperature else {None})


def test_what_a_prompt_is_called_does_not_matter(recorder: MakeRecorder, path: Path) -> None:
    recorded(recorder, PROMPTS[0])
    renamed = PROMPTS[0].model_copy(update={"request": "otherwise", "stable": 0})
    assert texts(ReplayBackend(Cassette(path)), renamed) == ["answer 1"]


def test_the_header_says_what_was_asked_and_how(
    provider: Provider, server: Server, recorder: MakeRecorder, path: Path
) -> None:
    server.will(refusal(provider))
    settings: dict[str, Any] = {"runs": 5, "embedder": None}
    recorded(recorder, PROMPTS[0], note="m-Q4.gguf", settings=settings, model={"seed": 3})
    assert lines(path)[0] == {
        "cassette": 1,
        "parameters": parameters(provider, seed=3).model_dump(mode="json"),
        "structure": "json_object",
        "server": provider.api_base,
        "note": "m-Q4.gguf",
        "settings": settings,
    }
    header = Cassette(path).header
    assert header.parameters == parameters(provider, seed=3)
    assert (header.note, header.settings) == ("m-Q4.gguf", settings)


def test_messages_that_prompts_share_are_written_once(recorder: MakeRecorder, path: Path) -> None:
    recorded(recorder, *PROMPTS, prompt("one", system="Write."))
    _, *rest = lines(path)
    assert [line.get("stable") or line["after"] for line in rest] == [
        rest[0]["stable"],
        *[rest[0]["stable"]] * 3,
        rest[4]["stable"],
        rest[4]["stable"],
    ]
    assert rest[1]["messages"] == [{"role": "user", "content": "one"}]
    assert "drei für Österreich" in path.read_text("utf-8")


def test_secrets_are_not_written(
    provider: Provider,
    server: Server,
    recorder: MakeRecorder,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTHER_API_KEY", "correct horse battery")
    secrets = ["sk-proj-Abcdefgh_12345678", "correct horse battery"]
    secret = " and ".join(secrets)
    server.will(ok(provider.answer(f"You said {secret}.")))
    asked = prompt(f"Remember {secret}", system=f"Keep {secret}")
    recorded(recorder, asked, note=secret, settings={"store": [secret]})
    written = path.read_text("utf-8")
    assert not any(each in written for each in secrets)
    assert written.count("*** and ***") == 5
    assert texts(ReplayBackend(Cassette(path)), asked) == ["You said *** and ***."]


def test_words_that_begin_like_keys_are_no_secrets(
    provider: Provider, server: Server, recorder: MakeRecorder, path: Path
) -> None:
    text = "skateboards, sketchbooks, hf-1 and bearer bonds"
    server.will(ok(provider.answer(text)))
    recorded(recorder, PROMPTS[0])
    assert texts(ReplayBackend(Cassette(path)), PROMPTS[0]) == [text]


def test_errors_are_not_recorded(
    provider: Provider, server: Server, recorder: MakeRecorder, path: Path
) -> None:
    server.will(refusal(provider, 401), httpx.Response(200, json=provider.answer("kept")))
    recording = recorder()
    assert texts(recording, *PROMPTS[:2]) == [BackendError.__name__, "kept"]
    assert texts(ReplayBackend(Cassette(path)), *PROMPTS[:2]) == [CassetteMiss.__name__, "kept"]
    assert texts(recording, PROMPTS[0]) == ["answer 3"]


def test_what_is_known_takes_nothing_from_a_budget(server: Server, recorder: MakeRecorder) -> None:
    recorded(recorder, *PROMPTS[:2])
    again = recorder(budget=Budget(calls=1))
    asked = [*PROMPTS, prompt("four")]
    assert texts(again, *asked) == ["answer 1", "answer 2", "answer 3", BudgetReached.__name__]


@pytest.mark.parametrize("content", ["my notes", "my notes\nand more", '{"a": 1}'])
def test_a_file_of_another_kind_is_not_touched(
    recorder: MakeRecorder, path: Path, content: str
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, "utf-8")
    with pytest.raises(InputError, match="is not a cassette's header"):
        recorder()
    assert path.read_text("utf-8") == content
