"""DSPy's few-shot optimizers on a task folder: the same model, split and score as a run's.

DSPy makes the prompts, chooses the demos and reads the answers; the project's backend carries the
calls and records them. DSPy learns from the rows that a run sees, stream and regression.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from statistics import fmean
from typing import Any

import dspy
from dspy import lm15
from dspy.utils.exceptions import AdapterParseError

from bench.scored import Arm, Judging, arm, most_demos
from patchlab_agent.agent.budgeting import estimated_tokens
from patchlab_agent.backends.base import Answered, Backend, complete_batch
from patchlab_agent.lab.models import backend_of
from patchlab_agent.models.base import Output
from patchlab_agent.models.case import Case
from patchlab_agent.models.trace import Completion, Message, Prompt, Usage
from patchlab_agent.settings import RunSettings
from patchlab_agent.tasks.folder import TaskFolder, load_task, read_task

DEMOS = 16
"""Labeled demos, at most: DSPy's default."""
BOOTSTRAPPED = 4
"""Bootstrapped demos, at most: DSPy's default."""
ALL_RIGHT = 1.0
"""Score from which on BootstrapFewShot takes an answer for a demo."""


class Engine:
    """DSPy's way to a model of ours.

    Args:
        backend: answers.

    Attributes:
        calls: made so far.
        usage: of these calls.
        failure: of the model's side; DSPy may take it for a wrong answer and go on, so nothing is
            asked after it.
    """

    supports_response_schema = True
    supported_params = ("response_format",)

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.restart()

    def restart(self) -> None:
        """Count from zero."""
        self.calls, self.usage = 0, Usage(prompt_tokens=0, completion_tokens=0)
        self.failure: Exception | None = None

    def complete(self, request: lm15.Request) -> lm15.Response:
        """Answer one request, as DSPy asks it of an engine."""
        if self.failure is not None:
            raise self.failure
        schema = (request.config.response_format or {}).get("schema", {})
        prompt = Prompt(messages=messages_of(request), answer_schema=schema, draw="0")
        answered: Answered = complete_batch(self._backend, [prompt])[0]
        if not isinstance(answered, Completion):
            self.failure = answered
            raise answered
        self.calls += 1
        self.usage += answered.usage
        sent, received = answered.usage.prompt_tokens or 0, answered.usage.completion_tokens or 0
        return lm15.Response(
            id=None,
            model=request.model,
            message=lm15.Message.assistant(answered.text),
            finish_reason="length" if answered.cut_off else "stop",
            usage=lm15.Usage(
                input_tokens=sent, output_tokens=received, total_tokens=sent + received
            ),
        )


def messages_of(request: lm15.Request) -> tuple[Message, ...]:
    """A request's turns as ours."""
    system = [] if request.system is None else [Message(role="system", content=request.system)]
    turns = (Message(role=turn.role, content=turn.text or "") for turn in request.messages)
    return (*system, *turns)


def signature_of(folder: TaskFolder) -> Any:
    """A task's signature: its instruction with its facts, and its fields with their types."""
    known = "".join(f"\n- {fact}" for fact in folder.declared.facts)
    instruction = (folder.declared.answer.__doc__ or "") + (f"\n\nKnown:{known}" if known else "")
    fields: dict[str, Any] = {"request": (str, dspy.InputField())}
    for name, field in folder.declared.answer.model_fields.items():
        told = {"desc": field.description} if field.description else {}
        fields[name] = (field.annotation, dspy.OutputField(**told))
    return dspy.Signature(fields, instruction)


def dspy_arms(
    settings: RunSettings,
    judge: Judging,
    golden: Sequence[Case],
    tell: Callable[[str, int], None],
    *,
    added: float,
    longest: int,
) -> list[Arm]:
    """Answer the golden cases with each of DSPy's prompts.

    Args:
        settings: of the run, with a cassette of its own.
        judge: the task's.
        golden: the cases that the run answered.
        tell: is called after each answer.
        added: estimated tokens that what was learned added to a prompt of the run on average;
            demos of equal length add no more, but there is one at least.
        longest: tokens that the longest prompt may have.

    Raises:
        Interruption: the model's side failed.
    """
    assert settings.task is not None
    folder = read_task(settings.task)
    backend = backend_of(load_task(settings.task), settings)
    adapter = dspy.JSONAdapter()
    engine = Engine(backend)
    names = [field.name for field in folder.fields]
    train = [
        dspy.Example(request=row.request, **row.answer).with_inputs("request")
        for split in ("stream", "regression")
        for row in folder.rows
        if row.split == split
    ]
    bare = dspy.Predict(signature_of(folder))

    def labeled(k: int) -> Any:
        return dspy.LabeledFewShot(k=k).compile(bare, trainset=train) if k else bare

    @cache
    def tokens(k: int) -> list[int]:
        program = labeled(k)
        prompts = (
            adapter.format(program.signature, program.demos, {"request": case.request})
            for case in golden
        )
        return [estimated_tokens(Message.model_validate(m) for m in each) for each in prompts]

    def right(example: Any, prediction: Any, trace: object = None) -> float:
        truth = {name: example[name] for name in names}
        case = Case(request=example.request, truth=truth, stratum="")
        return judge(case, {name: prediction[name] for name in names}).score

    same = most_demos(added, lambda k: fmean(tokens(k)) - fmean(tokens(0)), DEMOS)
    most = most_demos(longest, lambda k: max(tokens(k)), DEMOS)
    bootstrap = dspy.BootstrapFewShot(
        metric=right,
        metric_threshold=ALL_RIGHT,
        max_bootstrapped_demos=min(BOOTSTRAPPED, most),
        max_labeled_demos=most,
        max_errors=len(train) + 1,
    )
    programs: dict[str, Callable[[], Any]] = {
        "DSPy Predict": lambda: bare,
        "DSPy LabeledFewShot, equal length": partial(labeled, same),
        "DSPy LabeledFewShot": partial(labeled, most),
        "DSPy BootstrapFewShot": lambda: bootstrap.compile(bare, trainset=train),
    }
    found = []
    lm = dspy.LM(settings.model, engine=engine, cache=False, num_retries=0)
    try:
        with dspy.context(lm=lm, adapter=adapter):
            for name, build in programs.items():
                engine.restart()
                program = _unless_out(engine, build)
                calls, usage = engine.calls, engine.usage
                rows = []
                for case in golden:
                    rows.append((case, *ask(engine, program, case.request, names)))
                    tell(name, len(programs) * len(golden))
                found.append(
                    arm(
                        name,
                        judge,
                        rows,
                        learning_calls=calls,
                        learning_tokens=(usage.prompt_tokens or 0) + (usage.completion_tokens or 0),
                        shows=f"{len(program.demos)} demos" if program.demos else "",
                    )
                )
    finally:
        backend.close()
    return found


def ask(
    engine: Engine, program: Any, request: str, names: Sequence[str]
) -> tuple[Output | None, Usage]:
    """Answer one request; None is an answer that DSPy cannot read.

    Raises:
        Interruption: the model's side failed.
    """
    engine.restart()
    try:
        prediction = _unless_out(engine, lambda: program(request=request))
    except AdapterParseError:
        return None, engine.usage
    return {name: prediction[name] for name in names}, engine.usage


def _unless_out(engine: Engine, what: Callable[[], Any]) -> Any:
    """Do something with DSPy; a failure of the model's side is raised as what it is."""
    try:
        return what()
    finally:
        if engine.failure is not None:
            raise engine.failure
