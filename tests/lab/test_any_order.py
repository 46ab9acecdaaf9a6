"""Whatever is done with a store, in whatever order and however it is cut off, it stays right.

More sequences: `pytest --hypothesis-profile=thorough tests/lab/test_any_order.py`.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from patchlab_agent.errors import Interruption, UsageError
from patchlab_agent.lab.lab import Lab
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.event import PatchEvent
from patchlab_agent.models.patch import Patch, Status
from patchlab_agent.models.trace import OK, Feedback, Trace, run_name, trace_name
from patchlab_agent.models.transfer import ImportReport
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings
from patchlab_agent.store.check import contents
from patchlab_agent.store.layout import read_info
from patchlab_agent.transfer.lines import export_lines
from tests.support.make import failing, make_patch
from tests.support.moments import moments
from tests.support.words_skill import CLOCK, MEANINGS, Reader, case, parse_fix, words_lab

Result = TypeVar("Result")

WORDS = sorted(MEANINGS)
ALL_WORDS = " ".join(WORDS)
REQUESTS = [
    *(f"{n} {word}" for word in WORDS for n in ("one", "two")),
    "zok blim",
    "tarn quil salt",
]
SALTED = [f"salt {word}" for word in ("a", "an", "and", "is", "no", "of", "some", "such", "now")]
"""Enough uses to convict who says that salt is black."""
ELSEWHERE = [
    make_patch(word, meaning, tests=(failing(f"a {word}"),)).moved(status, "told", "t-1", CLOCK)
    for word, meaning, status in (
        ("zok", "red", Status.ACTIVE),
        ("zok", "blue", Status.ACTIVE),
        ("blim", "green", Status.DISABLED),
        ("tarn", "blue", Status.ACTIVE),
        ("quil", "white", Status.QUARANTINED),
    )
]
"""What another store has learned, of which not all is true and some contradicts the rest."""
LIE = make_patch("salt", "black", tests=(failing("a salt"),)).moved(
    Status.QUARANTINED, "told", "t-1", CLOCK
)
_RULE = re.compile(r'^- "(\w+)" means "(\w+)"$', re.MULTILINE)


class Fate(NamedTuple):
    """How a piece of work ends: as it should, or at the nth moment at which something is written.

    Of an outage it is the nth call of the model. Who interrupts stubbornly does so again and again,
    until the work ends, and then closes the store.
    """

    kind: Literal["whole", "killed", "interrupted", "stubbornly", "outage"] = "whole"
    moment: int = 0


KINDS = st.sampled_from(["killed", "killed", "interrupted", "stubbornly", "outage"])
FATES = st.just(Fate()) | st.builds(Fate, KINDS, st.integers(0, 40))
WHICH = st.integers(0, 99)


@dataclass
class Known:
    """What a store holds, as far as it must not be lost or mixed up.

    Attributes:
        patches: their statuses, by id.
        traces: their requests, by id.
    """

    patches: dict[str, Status] = field(default_factory=dict)
    traces: dict[str, str] = field(default_factory=dict)

    def take_note(self, events: Iterable[PatchEvent]) -> None:
        """Have the patches become what somebody was told that they became."""
        for event in events:
            if event.patch_id and event.kind.becomes:
                self.patches[event.patch_id] = event.kind.becomes


class Kept(NamedTuple):
    """What a run left for a rollback: the statuses, and what was shown of every word."""

    patches: dict[str, Status]
    shown: Any


@dataclass
class Course:
    """The course of a piece of work.

    Attributes:
        lab: that does it.
        folder: where its store is.
        fate: how it ends.
        states: what the store held before it, and after each unit of work that still counts.
    """

    lab: Lab
    folder: Path
    fate: Fate
    states: list[Known]
    _passed: int = 0
    _image: Path | None = None

    def happens(self) -> None:
        """Pass one more moment at which something is written."""
        self._passed += 1
        is_due = self._passed == self.fate.moment + 1
        if self.fate.kind == "killed" and is_due:
            self.image()
        again = self.fate.kind == "stubbornly" and self._passed > self.fate.moment
        if again or (self.fate.kind == "interrupted" and is_due):
            raise KeyboardInterrupt

    def committed(self) -> None:
        """Take note of what a unit of work has made of the store."""
        if self._image is None:
            self.states.append(known_to(self.lab))

    def image(self) -> Path:
        """What a kill leaves: at its moment, or after the last one, when somebody was told."""
        if self._image is None:
            self._image = Path(tempfile.mkdtemp(dir=self.folder.parent))
            shutil.copytree(self.folder, self._image, dirs_exist_ok=True)
        return self._image


def known_to(lab: Lab) -> Known:
    """Everything of this kind that a lab knows, written or not."""
    names = map(trace_name, range(lab.store.traces.next_index()))
    traces = lab.store.traces.several(names)
    return Known(
        lab.store.patches.statuses(), {name: each.request for name, each in traces.items()}
    )


def everything(lab: Lab) -> list[Any]:
    """All that a store holds and has written."""
    lab.store.traces.flush()
    held = [*lab.store.patches.all()], lab.store.examples.all(), [*lab.store.traces.select()]
    return [*held, known_to(lab)]


class Sequences(RuleBasedStateMachine):
    """A store, and a model of it in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.folder = self.root / "first"
        self.reader = Reader()
        self.lab = self.opened()
        self.model = Known()
        self.told: dict[str, str] = {}
        self.exports = [list(export_lines("words", ELSEWHERE))]
        self.kept: dict[str, Kept] = {}

    def opened(self) -> Lab:
        return words_lab(self.folder, self.reader, examples=2)

    def reopen(self) -> None:
        """Close the store, check all of it, and open it again."""
        self.lab.close()
        info = read_info(self.folder / "store")
        assert info is not None
        self.lab = self.opened()
        found = contents(self.folder / "store", info, parse_fix)
        assert [*found.problems, *found.references] == []

    def do(self, act: Callable[[Lab], Result], fate: Fate) -> Result | None:
        """Do something; return what came of it, or nothing if it was to be cut off.

        What was cut off counts as far as its units of work did.
        """
        course = Course(self.lab, self.folder, fate, [known_to(self.lab)])
        if fate.kind == "outage":
            self.reader.outage_at = len(self.reader.prompts) + fate.moment
        result = None
        try:
            with moments(course.happens, course.committed):
                result = act(self.lab)
        except KeyboardInterrupt:
            pass
        except Interruption:
            if fate.kind != "outage":
                raise
        finally:
            self.reader.outage_at = None
        if fate.kind == "whole":
            return result
        if fate.kind == "killed":
            image = course.image()
            self.lab.close()
            shutil.rmtree(self.folder)
            self.folder = image
            self.lab = self.opened()
        if fate.kind in {"killed", "stubbornly"}:
            self.reopen()
        self.model = course.states[-1]
        return None

    def tell(self, trace: Trace) -> None:
        """Somebody knows the name of a trace from now on."""
        assert self.told.setdefault(trace.id, trace.request) == trace.request

    def some(self, which: int) -> Patch:
        """One of the patches that there are."""
        ids = sorted(self.model.patches)
        found = self.lab.store.patches.get(ids[which % len(ids)])
        assert found is not None
        return found

    @rule(request=st.sampled_from(REQUESTS), fate=FATES)
    def answer(self, request: str, fate: Fate) -> None:
        trace = self.do(lambda lab: lab.answer(request), fate)
        if trace is not None:
            self.tell(trace)
            self.model.traces[trace.id] = request

    @precondition(lambda self: self.model.traces)
    @rule(which=WHICH, word=st.sampled_from(WORDS), meaning=st.sampled_from(WORDS), fate=FATES)
    def teach(self, which: int, word: str, meaning: str, fate: Fate) -> None:
        name = sorted(self.model.traces)[which % len(self.model.traces)]
        trace = self.lab.traces.get(name)
        if word not in (trace.output or {}):
            told = OK
        else:
            told = Feedback(label="word_unknown", field=word, detail=MEANINGS[meaning])
        report = self.do(lambda lab: lab.learn(trace, told), fate)
        if report is not None:
            self.model.take_note(report.events)

    @rule(
        texts=st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=6) | st.just(SALTED),
        window=st.integers(1, 3),
        fate=FATES,
        resumes=st.booleans(),
    )
    def run(self, texts: Sequence[str], window: int, fate: Fate, resumes: bool) -> None:
        heard: list[Trace] = []
        ends: list[Any] = []
        wanted = RunSettings(golden=2, examples=2, concurrency=window)

        def one(lab: Lab, *, resume: bool = False) -> JsonObject:
            started = lab.store.started() if resume else None
            cases = [case(text) for text in texts]
            runner = Runner(lab, wanted, cases=cases, resumed=started)
            runner.on_trace = lambda trace, number: heard.append(trace)
            report = runner.run()
            told = report.model_dump(mode="json", exclude={"timing", "store"})
            ends.append([told, everything(lab)])
            return told

        runs = self.lab.store.info.runs
        kept = self.do(one, fate)
        if kept is not None:
            for trace in heard:
                self.tell(trace)
                self.model.traces[trace.id] = trace.request
                self.model.take_note(trace.events)
            self.kept[str(kept["run"])] = self.shown()
        started = self.lab.store.started()
        if kept is None and resumes and started and started.run == run_name(runs + 1):
            is_known = started.is_finished or self.lab.store.run_state is not None
            if not started.is_finished:
                assert one(self.lab, resume=True)["stopped"] is None
            self.model = known_to(self.lab)
            self.kept[started.run] = self.shown()
            if fate.kind == "killed" and is_known:
                # Where it was done to its end, the same came of it.
                assert ends[0] == ends[-1]
                assert everything(self.lab) == ends[0][1]

    @rule(fate=FATES, resumes=st.booleans())
    def convict(self, fate: Fate, resumes: bool) -> None:
        if LIE.id not in self.model.patches:
            self.imported(self.lab.import_patches("lies", list(export_lines("words", [LIE]))))
        if self.model.patches[LIE.id] is not Status.ACTIVE:
            # The other ones about its word are retired, as `move` has them.
            self.move(sorted(self.model.patches).index(LIE.id), Status.ACTIVE, Fate())
        self.run(SALTED, 3, fate, resumes)
        if fate.kind == "whole":
            assert self.model.patches[LIE.id] is Status.QUARANTINED

    def shown(self) -> Kept:
        """What the store would show of every word now."""
        return Kept(dict(self.model.patches), self.lab.context(ALL_WORDS).messages)

    @precondition(lambda self: self.model.patches)
    @rule(
        which=WHICH,
        status=st.sampled_from([Status.ACTIVE, Status.DISABLED, Status.RETIRED]),
        fate=FATES,
    )
    def move(self, which: int, status: Status, fate: Fate) -> None:
        patch = self.some(which)
        moves = {Status.ACTIVE: "enable", Status.DISABLED: "disable", Status.RETIRED: "retire"}

        def act(lab: Lab) -> bool:
            getattr(lab.patches, moves[status])(patch.id)
            return True

        try:
            is_moved = self.do(act, fate)
        except UsageError:
            assert self.model.patches[patch.id] is status
            return
        if is_moved:
            if status is Status.ACTIVE:
                rivals = self.lab.store.patches.rivals(patch)
                active = (r.id for r in rivals if self.model.patches[r.id] is Status.ACTIVE)
                self.model.patches.update(dict.fromkeys(active, Status.RETIRED))
            self.model.patches[patch.id] = status

    @rule(status=st.sampled_from([Status.ACTIVE, Status.QUARANTINED, Status.RETIRED]), fate=FATES)
    def regate(self, status: Status, fate: Fate) -> None:
        found = self.do(lambda lab: lab.regate(status=status), fate)
        if found is not None:
            self.model.take_note(found.events)

    @rule(
        said=st.lists(
            st.tuples(st.sampled_from(WORDS), st.sampled_from(WORDS)), min_size=1, max_size=3
        ),
        fate=FATES,
    )
    def feed(self, said: Sequence[tuple[str, str]], fate: Fate) -> None:
        rows = [
            {"request": f"ten {word}", "answer": {"ten": None, word: None}, "label": "word_unknown"}
            | {"field": word, "detail": MEANINGS[meaning]}
            for word, meaning in said
        ]
        known = set(self.model.traces)
        heard = {trace.id: len(trace.events) for trace in self.lab.traces.select()}
        report = self.do(lambda lab: lab.import_feedback(rows), fate)
        for row in report.rows if report else ():
            trace = self.lab.traces.get(str(row.trace_id))
            self.tell(trace)
            self.model.traces[trace.id] = row.request
            if row.outcome != "known":
                self.model.take_note(trace.events[heard.get(trace.id, 0) :])
        assert report is None or len(self.model.traces) <= len(known) + len(said)

    @rule()
    def export(self) -> None:
        self.exports.append(list(self.lab.patches.export()))

    @rule(which=WHICH, fate=FATES)
    def take_in(self, which: int, fate: Fate) -> None:
        lines = self.exports[which % len(self.exports)]
        report = self.do(lambda lab: lab.import_patches("lessons", lines), fate)
        if report is not None:
            self.imported(report)

    def imported(self, report: ImportReport) -> None:
        becomes = {"activated": Status.ACTIVE, "quarantined": Status.QUARANTINED}
        for each in report.patches:
            if each.outcome == "known":
                # One that says the same may be active in its stead.
                continue
            self.model.patches[each.patch_id] = becomes.get(each.outcome, each.was)
        for each in report.patches:
            # Of those that were let in one after the other, and contradict each other, the last
            # one stays; one that waited for others may be let in after its successor.
            for name in each.superseded:
                stored = self.lab.store.patches.get(name)
                assert stored is not None
                if stored.superseded_by is not None:
                    self.model.patches[name] = Status.RETIRED

    @precondition(lambda self: self.kept)
    @rule(which=WHICH, fate=FATES)
    def roll_back(self, which: int, fate: Fate) -> None:
        run = sorted(self.kept)[which % len(self.kept)]
        then = self.kept[run]
        if self.do(lambda lab: lab.patches.rollback(run), fate) is None:
            return
        for name, status in self.model.patches.items():
            later = Status.DISABLED if status is Status.DISABLED else Status.RETIRED
            self.model.patches[name] = then.patches.get(name, later)
        assert self.shown() == Kept(self.model.patches, then.shown)

    @rule(crashes=st.booleans())
    def close_and_open(self, crashes: bool) -> None:
        if crashes:
            self.do(lambda lab: None, Fate("killed"))
        else:
            self.reopen()

    @invariant()
    def it_is_as_was_told(self) -> None:
        assert known_to(self.lab) == self.model
        assert self.told.items() <= self.model.traces.items()

    @invariant()
    def of_what_contradicts_each_other_one_is_active_and_shown(self) -> None:
        active = list(self.lab.store.patches.all(Status.ACTIVE))
        says = {
            patch.fix.model_dump()["word"]: patch.fix.model_dump()["meaning"] for patch in active
        }
        assert len(says) == len(active)
        shown = _RULE.findall(self.lab.context(ALL_WORDS).messages[-1].content)
        assert dict(shown) == says

    @invariant()
    def whoever_is_active_has_a_reason(self) -> None:
        for patch in self.lab.store.patches.all():
            assert patch.history[-1].status is patch.status
            if patch.status is Status.ACTIVE:
                by_gate = patch.gate is not None and patch.gate.decision == "active"
                assert by_gate or any("by hand" in each.cause for each in patch.history)

    def teardown(self) -> None:
        self.reopen()
        self.it_is_as_was_told()
        self.lab.close()
        shutil.rmtree(self.root)


TestSequences = Sequences.TestCase
TestSequences.settings = settings(max_examples=settings().max_examples // 20, stateful_step_count=8)
