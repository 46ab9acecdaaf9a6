"""Every public name has an example in its docstring, and the examples hold."""

from __future__ import annotations

import ast
import doctest
import inspect
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import patchlab_agent
from patchlab_agent import AsyncLab, Lab, Patches, StoredLab, Traces, open_lab

PUBLIC = {name: getattr(patchlab_agent, name) for name in patchlab_agent.__all__}
NAMES = {
    name: value
    for name, value in PUBLIC.items()
    if inspect.isclass(value) or inspect.isfunction(value)
}
METHODS = {
    f"{kind.__name__}.{name}": value
    for kind in (Lab, StoredLab, Patches, Traces)
    for name, value in vars(kind).items()
    if inspect.isfunction(value) and not name.startswith("_") and name != "close"
}
DOCUMENTED = {**NAMES, **METHODS}
SECTION = "Example:\n"
OPTIONS = doctest.NORMALIZE_WHITESPACE


def example(value: Any) -> str:
    """The last section of a docstring, which is its example; empty where there is none."""
    text = inspect.getdoc(value) or ""
    return textwrap.dedent(text.partition(SECTION)[2])


def is_runnable(value: Any) -> bool:
    return ">>>" in example(value)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_public_name_has_an_example(name: str) -> None:
    value = DOCUMENTED[name]
    own = value.__doc__ or ""
    assert own.count(SECTION) == 1, f"{name} has no example of its own"
    assert example(value).strip()


@pytest.mark.parametrize("name", [n for n, v in DOCUMENTED.items() if not is_runnable(v)])
def test_examples_that_are_not_run_are_python(name: str) -> None:
    ast.parse(example(DOCUMENTED[name]))


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was taught, by feedback on its first answer, that bleach is hazmat."""
    path = tmp_path_factory.mktemp("examples") / "store"
    with open_lab(noise=0, store=path) as lab:
        trace = lab.answer("Ship 2 kg bleach box to US")
        lab.feedback(trace.id, "hazmat_undeclared", detail="hazmat")
    return path


@pytest.fixture
def names(taught: Path, own_folder: Path) -> Iterator[dict[str, Any]]:
    """What examples may use: all public names, and a lab that is open in the working directory."""
    shutil.copytree(taught, own_folder / ".patchlab")
    with open_lab(noise=0) as lab:
        yield {**PUBLIC, "lab": lab}


@pytest.mark.parametrize("name", [n for n, v in DOCUMENTED.items() if is_runnable(v)])
def test_examples_print_what_they_say(name: str, names: dict[str, Any]) -> None:
    test = doctest.DocTestParser().get_doctest(
        example(DOCUMENTED[name]), names, name, inspect.getsourcefile(DOCUMENTED[name]), 0
    )
    told: list[str] = []
    done = doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=told.append)
    assert done.attempted
    assert done.failed == 0, "".join(told)


def test_most_examples_are_run() -> None:
    runnable = [name for name, value in DOCUMENTED.items() if is_runnable(value)]
    assert len(runnable) / len(DOCUMENTED) > 0.9


def test_an_awaited_call_names_the_one_that_it_is_like() -> None:
    awaited = {n: v for n, v in vars(AsyncLab).items() if inspect.iscoroutinefunction(v)}
    for name in awaited.keys() & vars(Lab).keys():
        assert f"as `Lab.{name}` does" in (awaited[name].__doc__ or "")
