"""DSPy's few-shot optimizers on a task folder: the same model, split and score as a run's.

DSPy makes the prompts, chooses the demos and reads the answers; the project's backend carries the
calls and records them. DSPy learns from the rows that a run sees, stream and regression.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from functools import partial
from typing import Any

import dspy
from dspy import lm15
from dspy.utils.exceptions import AdapterParseError

from bench.scored import Arm, Judging, arm, most_demos, tokens_of
from patchlab_agent.agent.budgeting import estimated_tokens
from patchlab_agent.backends.base import Answered, Backend, complete_batch
from patchlab_agent.lab.backend_choice import backend_of
from patchlab_agent.models.base import Output
from patchlab_agent.models.case import Case
from patchlab_agent.models.prompt import Completion, Message, Prompt, Usage
from patchlab_agent.settings import RunSettings
from patchlab_agent.tasks.definition import Task
from patchlab_agent.tasks.folder import load_task, read_task

DEMOS = 16
"""Labeled demos, at most: DSPy's default."""
BOOTSTRAPPED = 4
"""Bootstrapped demos, at most: DSPy's default."""
ALL_RIGHT = 1.0
"""Score from which on BootstrapFewShot takes an answer for a demo."""
ADAPTER = dspy.JSONAdapter()
"""DSPy's layout of prompts and answers, with the answer's JSON schema for the server."""


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


def signature_of(folder: Task) -> Any:
    """A task's signature: its instruction with its facts, and its fields with their types."""
    known = "".join(f"\n- {fact}" for fact in folder.facts)
    instruction = (folder.answer.__doc__ or "") + (f"\n\nKnown:{known}" if known else "")
    fields: dict[str, Any] = {"request": (str, dspy.InputField())}
    for name, field in folder.answer.model_fields.items():
        told = {"desc": field.description} if field.description else {}
        fields[name] = (field.annotation, dspy.OutputField(**told))
    return dspy.Signature(fields, instruction)


class FewShot:
    """A task as DSPy has it: a signature, rows to learn from, and a metric.

    Args:
        folder: the task.
        judge: its own.
        runs: rows of the stream that a run sees; None: all.
    """

    def __init__(self, folder: Task, judge: Judging, runs: int | None = None) -> None:
        self.names = [field.name for field in folder.answer_fields]
        self.bare = dspy.Predict(signature_of(folder))
        stream = [row for row in folder.rows if row.split == "stream"][:runs]
        self.train = [
            dspy.Example(request=row.request, **row.answer).with_inputs("request")
            for row in (*stream, *(row for row in folder.rows if row.split == "regression"))
        ]
        self._judge = judge

    def labeled(self, k: int) -> Any:
        """A program with `k` labeled demos."""
        return dspy.LabeledFewShot(k=k).compile(self.bare, trainset=self.train) if k else self.bare

    def bootstrapped(self, most: int) -> Any:
        """A program with at most so many demos, some of them the model's own right answers."""
        optimizer = dspy.BootstrapFewShot(
            metric=self.metric,
            metric_threshold=ALL_RIGHT,
            max_bootstrapped_demos=min(BOOTSTRAPPED, most),
            max_labeled_demos=most,
            # An answer that cannot be read is no demo, and no reason to stop.
            max_errors=len(self.train) + 1,
        )
        return optimizer.compile(self.bare, trainset=self.train)

    def metric(self, example: Any, prediction: Any, trace: object = None) -> float:
        """The task's own score."""
        truth = {name: example[name] for name in self.names}
        case = Case(request=example.request, truth=truth, stratum="")
        return self._judge(case, self.answer(prediction)).score

    def answer(self, prediction: Any) -> Output:
        """An answer as the task has it."""
        return {name: prediction[name] for name in self.names}

    def tokens(self, k: int, request: str) -> int:
        """Estimate the prompt of a request with `k` labeled demos."""
        program = self.labeled(k)
        turns = ADAPTER.format(program.signature, program.demos, {"request": request})
        return estimated_tokens(Message.model_validate(turn) for turn in turns)

    def demos(self, added: float, longest: int, golden: Sequence[Case]) -> tuple[int, int]:
        """How many demos add no more tokens than that, and how many fit at all."""
        some = golden[0].request
        same = most_demos(added, lambda k: self.tokens(k, some) - self.tokens(0, some), DEMOS)
        texts = (*(case.request for case in golden), *(row.request for row in self.train))
        most = most_demos(longest, partial(self.tokens, request=max(texts, key=len)), DEMOS)
        return same, most


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
    few_shot = FewShot(read_task(settings.task), judge, settings.runs)
    same, most = few_shot.demos(added, longest, golden)
    programs: dict[str, Callable[[], Any]] = {
        "DSPy Predict": partial(few_shot.labeled, 0),
        "DSPy LabeledFewShot, equal length": partial(few_shot.labeled, same),
        "DSPy LabeledFewShot": partial(few_shot.labeled, most),
        "DSPy BootstrapFewShot": partial(few_shot.bootstrapped, most),
    }
    backend = backend_of(load_task(settings.task), settings)
    engine = Engine(backend)
    lm = dspy.LM(settings.model, engine=engine, cache=False, num_retries=0)
    found = []
    try:
        # DSPy prints how many demos it found, where the figures go.
        with dspy.context(lm=lm, adapter=ADAPTER), redirect_stdout(sys.stderr):
            for name, build in programs.items():
                engine.restart()
                program = _unless_out(engine, build)
                calls, tokens = engine.calls, tokens_of(engine.usage)
                rows = []
                for case in golden:
                    rows.append((case, *ask(engine, program, few_shot, case.request)))
                    tell(name, len(programs) * len(golden))
                shows = f"{len(program.demos)} demos" if program.demos else ""
                learned = {"learning_calls": calls, "learning_tokens": tokens}
                found.append(arm(name, judge, rows, shows=shows, **learned))
    finally:
        backend.close()
    return found


def ask(
    engine: Engine, program: Any, few_shot: FewShot, request: str
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
    return few_shot.answer(prediction), engine.usage


def _unless_out(engine: Engine, what: Callable[[], Any]) -> Any:
    """Do something with DSPy; a failure of the model's side is raised as what it is."""
    try:
        return what()
    finally:
        if engine.failure is not None:
            raise engine.failure
