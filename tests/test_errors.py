"""The error tree, and the drawing of it in the module's docstring."""

from __future__ import annotations

import inspect
import re

import pytest

from patchlab_agent import errors
from patchlab_agent.errors import (
    BackendError,
    BackendUnavailable,
    BudgetReached,
    CassetteMiss,
    InputError,
    Interruption,
    InvalidAnswer,
    MissingExtra,
    OutputError,
    PartialRun,
    PatchLabError,
    PromptError,
    PromptTooLong,
    SkillError,
    StoreError,
    UsageError,
)

pytestmark = pytest.mark.quick

BASES = {PatchLabError, Interruption}
"""What is never raised itself, and so has no exit code of its own."""
CODES: dict[type[PatchLabError], int] = {
    UsageError: 2,
    InputError: 3,
    StoreError: 4,
    BackendError: 5,
    BackendUnavailable: 5,
    PromptTooLong: 5,
    BudgetReached: 5,
    CassetteMiss: 5,
    MissingExtra: 6,
    PromptError: 7,
    SkillError: 8,
    PartialRun: 9,
    OutputError: 10,
}


def drawn() -> dict[str, str]:
    """Each class that the docstring draws, with what stands in the column of exit codes."""
    doc = inspect.getdoc(errors) or ""
    return dict(re.findall(r"^[\s│├└─]*([A-Z]\w+) +(\d+|-) ", doc, re.MULTILINE))


def defined() -> dict[str, type[Exception]]:
    return {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }


def test_the_docstring_draws_every_class_and_no_other() -> None:
    assert drawn().keys() == defined().keys()


def test_the_bases_end_the_cli_like_any_error() -> None:
    assert {kind.exit_code for kind in BASES} == {1}
    assert [drawn()[kind.__name__] for kind in (PatchLabError, Interruption)] == ["1", "-"]


@pytest.mark.parametrize(("kind", "code"), CODES.items())
def test_exit_code_is_as_drawn(kind: type[PatchLabError], code: int) -> None:
    assert kind.exit_code == code
    assert drawn()[kind.__name__] == str(code)


def test_the_table_of_codes_is_complete() -> None:
    found = {kind for kind in defined().values() if issubclass(kind, PatchLabError)}
    assert found == CODES.keys() | BASES


def test_only_what_is_of_the_models_side_shares_its_parents_code() -> None:
    of_model = {kind for kind in CODES if issubclass(kind, BackendError)}
    assert of_model == {
        BackendError,
        BackendUnavailable,
        PromptTooLong,
        BudgetReached,
        CassetteMiss,
    }
    own = [kind.exit_code for kind in CODES.keys() - of_model]
    assert len(own) == len({*own, BackendError.exit_code}) - 1


def test_what_ends_a_run_is_of_the_models_side_or_the_skills() -> None:
    raised = {kind for kind in CODES if issubclass(kind, Interruption)}
    assert raised == {kind for kind in CODES if issubclass(kind, BackendError)} | {
        PromptError,
        SkillError,
    }


def test_an_invalid_answer_is_no_error_of_the_program() -> None:
    assert not issubclass(InvalidAnswer, PatchLabError)
    assert not hasattr(InvalidAnswer, "exit_code")
    assert drawn()["InvalidAnswer"] == "-"


def test_every_class_says_when_it_occurs() -> None:
    assert all(inspect.getdoc(kind) for kind in defined().values())
