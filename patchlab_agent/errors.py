"""The errors that PatchLab raises on purpose, with the exit code of the CLI for each.

    PatchLabError                  1   the base: catch this one to catch them all
    ├── UsageError                 2   an option or argument that cannot be used
    ├── InputError                 3   a request, file or feedback whose content cannot be used
    ├── StoreError                 4   a store that cannot be opened, read or written
    ├── MissingExtra               6   an optional package that is not installed
    ├── Interruption               -   the base of what ends a run early: all before it is kept
    │   ├── BackendError           5   the model's side failed; never counted as a wrong answer
    │   │   ├── BackendUnavailable 5   it could not be reached: an outage
    │   │   ├── PromptTooLong      5   a prompt exceeds the model's context
    │   │   ├── BudgetReached      5   the spending limit is reached (`run` ends with 0)
    │   │   └── CassetteMiss       5   a replay has no answer to a prompt
    │   ├── PromptError            7   a prompt template that cannot be loaded or rendered
    │   └── SkillError             8   a skill that cannot be found, or one of whose parts failed
    ├── PartialRun                 9   a run that one of these ended early; its report is kept
    └── OutputError               10   standard output that cannot be written, as on a full disk
    InvalidAnswer                  -   a completion that is not a quote: scored, never fatal

Any other exception is a bug: it keeps its traceback (exit code 1).
Every message is one or two sentences, which end with what to do.
"""

from typing import ClassVar


class PatchLabError(Exception):
    """Base of all errors due to the user or the environment, not to a bug."""

    exit_code: ClassVar[int] = 1


class UsageError(PatchLabError):
    """An option or argument is unknown, is out of range, or contradicts another one."""

    exit_code: ClassVar[int] = 2


class InputError(PatchLabError):
    """The content of a request, a file or feedback cannot be used."""

    exit_code: ClassVar[int] = 3


class StoreError(PatchLabError):
    """The store is missing, in use, foreign, of another version, or not writable."""

    exit_code: ClassVar[int] = 4


class Interruption(PatchLabError):
    """The model's side or the skill failed; whatever was under way ends, and what came of it stays.

    A run that has answered something by then ends with a report and `PartialRun`; any other command
    ends with the error itself.
    """


class BackendError(Interruption):
    """The backend failed in a way that says nothing about the answer's quality."""

    exit_code: ClassVar[int] = 5


class BackendUnavailable(BackendError):
    """The backend could not be reached: an outage, recorded as such."""


class PromptTooLong(BackendError):
    """A prompt exceeds the model's context."""


class BudgetReached(BackendError):
    """Another call would exceed the spending limit."""


class CassetteMiss(BackendError):
    """A cassette has no answer to a prompt."""


class MissingExtra(PatchLabError):
    """A feature needs a package that an extra of this distribution installs."""

    exit_code: ClassVar[int] = 6


class PromptError(Interruption):
    """A prompt template is missing, broken, or uses names that do not exist."""

    exit_code: ClassVar[int] = 7


class SkillError(Interruption):
    """A skill cannot be found or loaded, or one of its parts, or a referee, failed.

    If a part failed, the message names it, the request, the exception and the line, and
    `__cause__` is the exception itself.
    """

    exit_code: ClassVar[int] = 8


class PartialRun(PatchLabError):
    """An `Interruption` ended a run early; what was learned and its report are kept."""

    exit_code: ClassVar[int] = 9


class OutputError(PatchLabError):
    """Standard output cannot be written; what was done before is kept."""

    exit_code: ClassVar[int] = 10


class InvalidAnswer(Exception):
    """A completion could not be read as a quote.

    Raised by a skill and always caught by the agent: it becomes the label `invalid_response`.
    """
