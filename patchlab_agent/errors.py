"""The errors that PatchLab raises on purpose, with the exit code of the CLI for each.

    PatchLabError                  1   the base: catch this one to catch them all
    ├── UsageError                 2   an option or argument that cannot be used
    ├── InputError                 3   a request, file or feedback whose content cannot be used
    ├── StoreError                 4   a store that cannot be opened, read or written; a full disk
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
    InvalidAnswer                  -   text that holds no usable answer: scored, never fatal

Any other exception is a bug: it keeps its traceback (exit code 1).
Every message is one or two sentences, which end with what to do.
"""

from typing import ClassVar

MAX_IN_SHORT = 200
"""Characters of a value that a message repeats."""


class PatchLabError(Exception):
    """Base of all errors due to the user or the environment, not to a bug.

    Example:
        >>> try:
        ...     open_store("nowhere")
        ... except PatchLabError as error:
        ...     print(f"{error} (exit code {error.exit_code})")
        There is no store at nowhere; run `patchlab-agent run` to make one. (exit code 4)
    """

    exit_code: ClassVar[int] = 1


class UsageError(PatchLabError):
    """An option or argument is unknown, is out of range, or contradicts another one.

    Example:
        >>> try:
        ...     open_lab(backend="gpt")
        ... except UsageError as error:
        ...     print(str(error).partition(";")[0])
        There is no backend 'gpt'
    """

    exit_code: ClassVar[int] = 2


class InputError(PatchLabError):
    """The content of a request, a file or feedback cannot be used.

    Example:
        >>> try:
        ...     lab.answer("")
        ... except InputError as error:
        ...     print(error)
        The request is empty; say in words what you want.
    """

    exit_code: ClassVar[int] = 3


class StoreError(PatchLabError):
    """The store is missing, damaged, in use, foreign, of another version, or not writable.

    Also raised for any other file that there is no room for: the disk is full, or a limit on the
    size of files is reached.

    Example:
        >>> try:
        ...     open_lab()  # while another lab has it open
        ... except StoreError as error:
        ...     print(str(error).partition(":")[0])
        .patchlab is in use by another patchlab-agent
    """

    exit_code: ClassVar[int] = 4


class Interruption(PatchLabError):
    """The model's side or the skill failed; whatever was under way ends, and what came of it stays.

    A run that has answered something by then ends with a report and `PartialRun`; any other command
    ends with the error itself.

    Example:
        >>> outage = BackendUnavailable("The line is busy; call again later.")
        >>> with open_lab(backend=ScriptedBackend([outage]), store="mine") as lab:
        ...     try:
        ...         lab.answer("Ship 2 kg books box to US")
        ...     except Interruption as error:
        ...         print(error)
        The line is busy; call again later.
    """


class BackendError(Interruption):
    """The backend failed in a way that says nothing about the answer's quality.

    Example:
        >>> try:
        ...     ScriptedBackend().complete(Prompt(messages=(), answer_schema={}, draw="0"))
        ... except BackendError as error:
        ...     print(error)
        The script has no reply left; queue one for each prompt.
    """

    exit_code: ClassVar[int] = 5


class BackendUnavailable(BackendError):
    """The backend could not be reached: an outage, recorded as such.

    Example:
        >>> backend = ScriptedBackend([BackendUnavailable("The line is busy; call again later.")])
    """


class PromptTooLong(BackendError):
    """A prompt exceeds the model's context.

    Example:
        >>> backend = ScriptedBackend([PromptTooLong("The prompt has 9,000 tokens; shorten it.")])
    """


class BudgetReached(BackendError):
    """Another call would exceed the spending limit.

    Example:
        >>> backend = ScriptedBackend(["no answer"] * 3)
        >>> with open_lab(backend=backend, store="mine", max_calls=3) as lab:
        ...     trace = lab.answer("Ship 2 kg books box to US")  # asks again, twice
        ...     try:
        ...         lab.answer("Ship 3 kg books box to US")
        ...     except BudgetReached as error:
        ...         print(error)
        The budget of 3 calls is used up; --max-calls raises it.
    """


class CassetteMiss(BackendError):
    """A cassette has no answer to a prompt.

    Example:
        >>> with open_lab(backend="replay") as lab:
        ...     try:
        ...         lab.answer("Ship 2 kg books box to US")
        ...     except CassetteMiss:
        ...         print("Nobody asked that while it was recorded.")
        Nobody asked that while it was recorded.
    """


class MissingExtra(PatchLabError):
    """A feature needs a package that an extra of this distribution installs.

    Example:
        >>> MissingExtra("Install patchlab-agent[wordllama].").exit_code
        6
    """

    exit_code: ClassVar[int] = 6


class PromptError(Interruption):
    """A prompt template is missing, broken, or uses names that do not exist.

    Example:
        >>> PromptError("user.j2 uses a name that there is not.").exit_code
        7
    """

    exit_code: ClassVar[int] = 7


class SkillError(Interruption):
    """A skill cannot be found or loaded, or one of its parts, or a referee, failed.

    If a part failed, the message names it, the request, the exception and the line, and
    `__cause__` is the exception itself.

    Example:
        >>> try:
        ...     load_skill("cooking")
        ... except SkillError as error:
        ...     print(error)
        There is no skill 'cooking'; installed are: shipping.
    """

    exit_code: ClassVar[int] = 8


class PartialRun(PatchLabError):
    """An `Interruption` ended a run early; what was learned and its report are kept.

    Example:
        >>> PartialRun("The model is out. The report is of what was done before.").exit_code
        9
    """

    exit_code: ClassVar[int] = 9


class OutputError(PatchLabError):
    """Standard output cannot be written; what was done before is kept.

    Example:
        >>> OutputError("Standard output cannot be written.").exit_code
        10
    """

    exit_code: ClassVar[int] = 10


class InvalidAnswer(Exception):
    """A completion holds no usable answer.

    Raised by a skill and always caught by the agent: it becomes the label `invalid_response`.

    Example:
        >>> try:
        ...     load_skill("shipping").task.read("I do not know.")
        ... except InvalidAnswer as problem:
        ...     print(problem)
        the answer holds no JSON object
    """


def in_short(value: object) -> str:
    """Return a value as a message repeats it, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of too many digits"
    return text if len(text) <= MAX_IN_SHORT else f"{text[:MAX_IN_SHORT]}…"
