"""Stands between the core and what others write: the parts of a skill, and referees.

Any exception of theirs that their contract does not name becomes a `SkillError`, which says in one
sentence which part failed, on what, with which exception and where. So a mistake in a skill ends a
run as an outage does, with all that came before it kept, while a bug of the core's own keeps its
traceback. Nothing else catches what others raise.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from traceback import walk_tb
from typing import Any, TypeAlias, TypeVar, cast

from patchlab_agent.errors import Interruption, SkillError

Part = TypeVar("Part")
Value = TypeVar("Value")

MAX_SHOWN = 120
"""Characters of a request, or of an exception's message, that an error shows."""


@dataclass(frozen=True)
class Promise:
    """What a member's contract says.

    Attributes:
        gives: the types of what it may return, or of each thing that it yields; none: any.
        raises: exceptions that are part of the contract, and go through as they are.
    """

    gives: tuple[type, ...] = ()
    raises: tuple[type[Exception], ...] = ()

    @property
    def passes(self) -> tuple[type[BaseException], ...]:
        """All exceptions that go through as they are."""
        return (Interruption, *self.raises)


Promises: TypeAlias = Mapping[str, Promise]
"""Contracts by the name of the member."""


@dataclass(frozen=True)
class Member:
    """Somebody else's function, as errors name it.

    Attributes:
        name: with the part that it is of, as in `Simulator.judge`.
        skill: that the part is of; empty: of none.
        package: that it is defined in, whose line is the one to correct, and not one of a library.
        promise: its contract.
    """

    name: str
    skill: str = ""
    package: str = ""
    promise: Promise = Promise()

    @contextmanager
    def running(self, on: str = "") -> Iterator[None]:
        """Run it.

        Args:
            on: what the call is about: a request, a trigger, a phrase.

        Raises:
            SkillError: it raised what its contract does not name.
        """
        try:
            yield
        except self.promise.passes:
            raise
        except Exception as error:
            raise self.failed(error, on) from error

    def failed(self, error: Exception, on: str = "") -> SkillError:
        """Return the error for an exception that its contract does not name.

        Args:
            error: the exception.
            on: what the call was about.
        """
        said = f": {shortened(str(error))}" if str(error) else ""
        what = f"failed{_on(on)} with {type(error).__name__}{said}"
        return SkillError(f"{self} {what}; correct {self._place(error)}.")

    def kept(self, value: Value, on: str = "") -> Value:
        """Return a value that is of the promised type.

        Raises:
            SkillError: it is not.
        """
        gives = self.promise.gives
        if not gives or isinstance(value, gives):
            return value
        got, wanted = type(value).__name__, " or ".join(kind.__name__ for kind in gives)
        raise SkillError(f"{self} returned {got}{_on(on)}; make it return {wanted}.")

    def each(self, values: Iterator[Value]) -> Iterator[Value]:
        """Yield what it yields.

        Raises:
            SkillError: it raised an exception, or yielded something else than it promises.
        """
        for number in count(1):
            on = f"item {number}"
            with self.running(on):
                try:
                    value = next(values)
                except StopIteration:
                    return
            yield self.kept(value, on)

    def __str__(self) -> str:
        return f"{self.name} of skill {self.skill!r}" if self.skill else self.name

    def _place(self, error: Exception) -> str:
        """Return the line of the package that raised, or that called the code that did."""
        lines = [
            f"{Path(frame.f_code.co_filename).name}, line {line}"
            for frame, line in walk_tb(error.__traceback__)
            if frame.f_code.co_filename != __file__
            and str(frame.f_globals.get("__name__")).partition(".")[0] == self.package
        ]
        return lines[-1] if lines else "it"


def guarded(part: Part, name: str, promises: Promises | None = None, *, skill: str = "") -> Part:
    """Return a part that does the same, and whose unexpected exceptions are `SkillError`s.

    Args:
        part: an object; it passes for one of its own class still.
        name: what errors call it, as in `Simulator`.
        promises: contracts of its members, by name.
        skill: that it is a part of; empty: of none.
    """
    return cast("Part", _Guarded(part, name, promises or {}, skill))


def guarded_call(
    function: Callable[..., Value], name: str, promise: Promise = Promise(), *, skill: str = ""
) -> Callable[..., Value]:
    """Return a function that does the same, and whose unexpected exceptions are `SkillError`s."""
    return _called(function, Member(name, skill, package_of(function), promise))


def _called(function: Callable[..., Value], member: Member) -> Callable[..., Value]:
    passes, gives = member.promise.passes, member.promise.gives

    # A loop makes tens of thousands of such calls: what errors say is put together in an error.
    def call(*args: Any, **kwargs: Any) -> Value:
        try:
            value = function(*args, **kwargs)
        except passes:
            raise
        except Exception as error:
            raise member.failed(error, _about((*args, *kwargs.values()))) from error
        if isinstance(value, Iterator):
            return cast("Value", member.each(value))
        if gives and not isinstance(value, gives):
            return member.kept(value, _about((*args, *kwargs.values())))
        return value

    return call


def package_of(code: Any) -> str:
    """Return the package, or the module without one, that a class or function is defined in."""
    defined = code.func if isinstance(code, functools.partial) else code
    return str(getattr(defined, "__module__", None) or "").partition(".")[0]


class _Guarded:
    """A stand-in for a part, which calls its members guarded."""

    def __init__(self, part: object, name: str, promises: Promises, skill: str) -> None:
        self._part = part
        self._name = name
        self._promises = promises
        self._skill = skill
        self._members: dict[str, Member] = {}

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        # Optional members are found by `isinstance` and a protocol, as `DriftingSimulator` is.
        return type(self._part)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            value = getattr(self._part, name)
        except Interruption:
            raise
        except Exception as error:
            kind = type(self._part)
            # A member that is missing is asked for by whoever can do without it.
            if isinstance(error, AttributeError) and not hasattr(kind, name):
                raise
            raise self._member(name, kind).failed(error) from error
        if not callable(value):
            return value
        if name not in self._members:
            self._members[name] = self._member(name, value)
        return _called(value, self._members[name])

    def _member(self, name: str, code: Any) -> Member:
        promise = self._promises.get(name, Promise())
        return Member(f"{self._name}.{name}", self._skill, package_of(code), promise)


def _on(on: str) -> str:
    return f" on {on}" if on else ""


def _about(arguments: tuple[Any, ...]) -> str:
    """Return the subject of a call: its first text, request or trigger."""
    for value in arguments:
        if isinstance(value, str):
            return shown(value)
        for name in ("request", "trigger"):
            if isinstance(text := getattr(value, name, None), str):
                return shown(text)
    return ""


def on_request(error: SkillError, request: str) -> SkillError:
    """Return an error that names the request, where the part that failed was not told it."""
    return SkillError(f"On the request {shown(request)}: {error}")


def shown(text: str) -> str:
    """Return a text as errors show it: on one line, and cut off where it is long."""
    return repr(text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…")


def shortened(text: str) -> str:
    """Return a message of others on one line, shortened, without control characters."""
    line = " ".join(text.split())
    short = line if len(line) <= MAX_SHOWN else f"{line[:MAX_SHOWN]}…"
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in short).rstrip(".;")
