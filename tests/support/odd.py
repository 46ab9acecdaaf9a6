"""Odd input: anything at all, and what is nearly right."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from patchlab_agent.errors import PatchLabError

MANY = settings(suppress_health_check=list(HealthCheck))
"""For tests that write files, whose fixtures may be shared by all examples."""
FEW = settings(
    max_examples=settings().max_examples // 10,
    suppress_health_check=list(HealthCheck),
)
"""For tests of which each example takes long."""

TEXT = st.text(max_size=20) | st.text(st.characters(codec=None), max_size=9)
NUMBERS = st.integers() | st.floats() | st.sampled_from([0, -1, 1, 2**63, -(2**63), 10**400, 1e308])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
DEEP = st.sampled_from(["[" * 20_000, '{"a":' * 5000, "[" * 3000 + "]" * 3000])
LONG = "9" * 5000
"""Digits that Python reads into no number."""


class Content(bytes):
    """Of a file; only what is odd about it is shown.

    Attributes:
        odd: what that is.
    """

    odd: bytes = b""

    def __repr__(self) -> str:
        return f"{len(self)} bytes with {self.odd[:1000]!r}"


def _content(before: bytes, odd: bytes, after: bytes) -> Content:
    content = Content(before + odd + after)
    content.odd = odd
    return content


def places(value: Any) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value, by its keys and indices."""
    yield ()
    if not isinstance(value, dict | list):
        return
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        for place in places(each):
            yield (key, *place)


def _replaced(value: Any, place: tuple[Any, ...], make: Callable[[Any], Any]) -> Any:
    if not place:
        return make(value)
    key, *rest = place
    copied = value.copy()
    copied[key] = _replaced(value[key], tuple(rest), make)
    return copied


def _without(value: Any, place: tuple[Any, ...]) -> Any:
    *outer, key = place
    found = _replaced(value, tuple(outer), lambda held: held.copy())
    held = found
    for each in outer:
        held = held[each]
    del held[key]
    return found


@st.composite
def nearly(draw: st.DrawFn, value: Any) -> Any:
    """A JSON value of which one part is missing, or another one."""
    place = draw(st.sampled_from(list(places(value))))
    if place and draw(st.booleans()):
        return _without(value, place)
    return _replaced(value, place, lambda _: draw(JSON))


@st.composite
def nearly_bytes(draw: st.DrawFn, data: bytes) -> Content:
    """Bytes of which some are missing, or others."""
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 40)) | st.just(len(data)))
    return _content(data[:start], draw(st.binary(max_size=12)), data[end:])


def odd_lines(data: bytes) -> st.SearchStrategy[Content]:
    """A file of JSON lines of which one is not as it was."""
    lines = data.split(b"\n")
    numbers = [number for number, line in enumerate(lines) if line.strip()]

    def another(number: int) -> st.SearchStrategy[Content]:
        before, after = (b"\n".join(part) for part in (lines[:number], lines[number + 1 :]))
        return odd_json(lines[number]).map(
            lambda line: _content(before + b"\n" * bool(number), line, b"\n" + after)
        )

    return st.sampled_from(numbers).flatmap(another) | nearly_bytes(data)


def odd_json(data: bytes) -> st.SearchStrategy[Content]:
    """A JSON file that is not as it was."""
    changed = nearly(json.loads(data)).map(lambda value: json.dumps(value).encode())
    return (changed | DEEP.map(str.encode)).map(lambda made: _content(b"", made, b"")) | (
        nearly_bytes(data)
    )


@contextmanager
def refused() -> Iterator[None]:
    """What is refused is refused in a few words that can be printed, with a documented code."""
    refusal: PatchLabError | None = None
    try:
        yield
    except PatchLabError as error:
        refusal = error
    if refusal is not None:
        assert refusal.exit_code > 1
        assert str(refusal).isprintable(), repr(str(refusal))
        assert 0 < len(str(refusal)) < 3000
