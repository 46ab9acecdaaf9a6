"""The front door: what one asks of a skill, a store and a model, and how to put them together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import count

from pydantic import JsonValue

from patchlab_agent.errors import InputError, Interruption, UsageError
from patchlab_agent.gate.evidence import Referee
from patchlab_agent.lab.assembled_lab import AssembledLab
from patchlab_agent.lab.failures import Source, failure_rows, read_failures
from patchlab_agent.lab.judging import learned_from
from patchlab_agent.lab.naming import feedback_on, find_patches, known_label
from patchlab_agent.lab.regating import regated
from patchlab_agent.lab.running import ran
from patchlab_agent.lab.teaching import taught
from patchlab_agent.lab.verdicts import with_verdict
from patchlab_agent.models.case import Case
from patchlab_agent.models.effect import EffectReport
from patchlab_agent.models.listing import FeedbackReport, GateRound, RequestContext
from patchlab_agent.models.patch import Patch, Status
from patchlab_agent.models.prompt import Completion, Usage
from patchlab_agent.models.report import RunReport
from patchlab_agent.models.trace import Feedback, Trace, trace_name
from patchlab_agent.models.transfer import FeedbackImport, ImportReport
from patchlab_agent.runs.runner import Runner
from patchlab_agent.runs.summary import stop_of
from patchlab_agent.settings import RunSettings
from patchlab_agent.studies.effects import LeaveOneOut, Order, no_answers
from patchlab_agent.transfer.importer import Importer
from patchlab_agent.transfer.lines import check_export


class Lab(AssembledLab):
    """A skill, a store and a model, put together and ready to use.

    `open_lab` makes one. A lab is for one thread at a time; `AsyncLab` is for programs that run an
    event loop. Calls that write raise a `StoreError` once the lab is closed.

    Example:
        >>> with open_lab(noise=0, store="lessons") as lab:
        ...     trace = lab.answer("Ship 2 kg bleach box to US")
        ...     report = lab.feedback(trace.id, "hazmat_undeclared", detail="hazmat")
        ...     lab.answer("Ship 500g bleach crate to France").output["declarations"]
        ['hazmat']
    """

    def answer(self, request: str) -> Trace:
        """Answer a request with what was learned so far, and store the trace.

        The trace's `verdict` says in words what the answer comes to.

        Raises:
            InputError: the request is empty, too long or holds control characters.
            Interruption: the model or the skill failed; nothing is stored.

        Example:
            >>> trace = lab.answer("Ship 2 kg books box to US")
            >>> trace.id, trace.output["price_eur"], trace.verdict.text
            ('t-0000001', 23.6, 'Quoted at 23.60 EUR.')
        """
        self.store.require_writable()
        index = self.store.traces.take()
        self.store.follow()
        trace = self.agent.answer(request, trace_id=trace_name(index), index=index)
        return self.store.traces.keep(with_verdict(self.skill, trace))

    def context(self, request: str) -> RequestContext:
        """Return what was learned about a request, for a model call of your own.

        Where `holdout` is above 0, a draw leaves some lessons out, as in an answer of the lab's.

        Raises:
            InputError: the request is empty, too long or holds control characters.

        Example:
            >>> context = lab.context("Ship 500g bleach crate to France")
            >>> print(context.messages[-1].content)
            Request: "Ship 500g bleach crate to France"
            Rules that concern this request:
            - item "bleach": declare "hazmat"
            Answer:
        """
        self.store.require_open()
        self.store.follow()
        return self.agent.prepare(request)

    def record(
        self, request: str, context: RequestContext, text: str, usage: Usage | None = None
    ) -> Trace:
        """Take the answer of a model call of your own, and store it as a trace.

        Args:
            request: what was asked.
            context: as `context` returned it for the request.
            text: what the model said.
            usage: what the call came to, if known.

        Raises:
            UsageError: the context is of another request.

        Example:
            >>> request = "Ship 500g bleach crate to France"
            >>> context = lab.context(request)
            >>> text = "I am not sure."  # what your own call returned
            >>> trace = lab.record(request, context, text)
            >>> trace.id, trace.output, trace.attempt.problem
            ('t-0000001', None, 'the answer holds no JSON object')
        """
        if request != context.request:
            raise UsageError("The context is of another request; ask Lab.context for this one.")
        self.store.require_writable()
        index = self.store.traces.take()
        completion = Completion(text=text, usage=usage or Usage())
        trace = self.agent.recorded(context, completion, trace_name(index), index)
        return self.store.traces.keep(with_verdict(self.skill, trace))

    def learn(
        self, trace: Trace, feedback: Feedback, referee: Referee | None = None
    ) -> FeedbackReport:
        """Take feedback on an answer, store the judged trace, and say what was learned.

        Faults of one answer add up, told one at a time. Feedback on a fault that was told before
        replaces what was said then, unless that says more.

        Args:
            trace: an answer of the agent.
            feedback: what somebody said to it; a field without a value means what the answer has
                there.
            referee: judges new answers to the same request as this one was judged: another call of
                the real API, a judge function, a labeled row. Without one, a lesson that nothing
                else at hand can tell is taken on trial on the word of whoever brings it.

        Raises:
            InputError: there is no such label or field, or the detail is no plain text.
            UsageError: the parts of the feedback contradict each other.
            Interruption: the model or the skill failed during the gate; the feedback is stored, no
                patch is.

        Example:
            >>> trace = lab.answer("Ship 2 kg sealant box to EU")
            >>> report = lab.learn(trace, Feedback(label="hazmat_undeclared", detail="hazmat"))
            >>> [str(event.kind) for event in report.events]
            ['activated']
        """
        self.store.require_writable()
        return learned_from(self, trace, feedback, referee)

    def feedback(
        self,
        named: str | int,
        label: str,
        *,
        field: str | None = None,
        value: JsonValue = None,
        detail: str = "",
        referee: Referee | None = None,
    ) -> FeedbackReport:
        """Say of a stored answer what was wrong with it, and learn from that.

        Args:
            named: the trace's id, as much of it as is unique, or its number.
            label: an error label, or OK.
            field: the answer's field that is wrong.
            value: the offending value; None: what the answer has there.
            detail: what is right, in short: that is what there is to learn.
            referee: as in `learn`.

        Raises:
            InputError: there is no such trace, label or field, or the detail is no plain text.
            UsageError: the arguments contradict each other.
            Interruption: the model or the skill failed during the gate; the feedback is stored, no
                patch is.

        Example:
            >>> trace = lab.answer("Ship 1 kg kite box to Norway")
            >>> report = lab.feedback(trace.id, "item_unknown", field="item", detail="toys")
            >>> report.events[0].fix
            {'kind': 'item', 'item': 'kite', 'category': 'toys'}
        """
        self.store.follow()
        trace = self.traces.get(named)
        # Checked as it was typed: feedback itself takes nothing that cannot be stored.
        known = known_label(label, self.skill.labels)
        return self.learn(trace, feedback_on(trace, known, field, value, detail), referee)

    def run(
        self,
        settings: RunSettings | None = None,
        cases: Sequence[Case] | None = None,
        *,
        show: int = 0,
        watch: Callable[[Runner], None] | None = None,
        resume: bool = False,
    ) -> RunReport:
        """Run many requests, learn from the failures, and report what that was worth.

        A run that was cut off, by a crash, Ctrl-C, an outage or a spending limit, is gone on with
        by `resume`, and ends in the report of one that never stopped.

        Args:
            settings: how many requests, golden cases, and so on; what they leave out is as the lab
                was opened. They cannot change what decides about an answer.
            cases: labeled requests of your own; None: those of the settings, or generated ones.
            show: how many requests to name to which patches made a difference.
            watch: is called before the first request, to listen to the run.
            resume: go on with the store's latest run where it stopped. Of one that came to its end
                the report is returned; where there was none, one is begun.

        Raises:
            UsageError, InputError: the settings do not fit the skill, the lab, or the run to
                resume.
            Interruption: the model's side or the skill failed before anything was answered.
            StoreError: the store took nothing before anything was answered.

        Example:
            >>> report = lab.run(RunSettings(runs=20, golden=4))
            >>> report.run, report.runs, report.golden.all.cases
            ('run-0001', 20, 4)
            >>> lab.run(RunSettings(runs=20, golden=4), resume=True) == report  # it was finished
            True
        """
        return ran(self, settings, cases, show=show, watch=watch, resume=resume)

    def effects(
        self,
        *ids: str,
        golden: int = 40,
        traces: int = 100,
        sort: Order = "net",
        on_answers: Callable[[int, int], None] = no_answers,
    ) -> EffectReport:
        """Leave out one patch or example at a time, and count the answers that it saves and spoils.

        Args:
            ids: of active patches; none: all active patches, and the examples that are shown.
            golden: held-out cases to measure on.
            traces: latest traces to measure on.
            sort: the figure to sort by, the highest first.
            on_answers: is called with the number of answers there are, and of those to come in all.

        Raises:
            InputError: a patch is not there, not unique, or not active.
            Interruption: the model's side or the skill failed.

        Example:
            >>> report = lab.effects("3696", golden=260, traces=0)
            >>> report.patches[0].saves
            1
        """
        chosen = self._active(ids)
        study = LeaveOneOut(self, chosen, on_answers, examples=not ids)
        return study.report(golden, traces, sort)

    def regate(
        self,
        *ids: str,
        status: Status | None = None,
        on_patch: Callable[[int, int], None] = no_answers,
    ) -> GateRound:
        """Let the gate decide again, as the model, its prompts and the other patches are now.

        Args:
            ids: of patches.
            status: in place of ids: all patches of this status.
            on_patch: is called with the number of patches done, and of those chosen in all.

        Raises:
            InputError: a patch is not there, or not unique.
            UsageError: neither ids nor a status are given, or both; or one was disabled by hand.
            Interruption: the model or the skill failed before anything was decided.

        Example:
            >>> [str(event.kind) for event in lab.regate("3696").events]
            ['activated']
        """
        return regated(self, ids, status, on_patch)

    def import_patches(
        self,
        name: str,
        lines: Iterable[str],
        on_patch: Callable[[int, int], None] = no_answers,
    ) -> ImportReport:
        """Take patches in: what was active elsewhere passes the gate before it is active here.

        Args:
            name: of the export; one of the same name goes on where an earlier one was cut off.
            lines: of the export.
            on_patch: is called with the number of patches done, and of those in the export.

        Raises:
            InputError: a line cannot be used, or the patches are of another skill.
            Interruption: the model or the skill failed before anything was taken in.

        Example:
            >>> with open_lab(noise=0, store="elsewhere") as other:
            ...     other.import_patches("lessons", lab.patches.export()).count("activated")
            1
        """
        self.store.require_alone()
        patches = check_export(name, lines, self.skill)
        importer = Importer(
            self.store.patches, self.gate, self.lifecycle, name, unit=self.store.unit_of_many
        )
        done = count(1)
        try:
            importer.run(patches, lambda: on_patch(next(done), len(patches)))
        except Interruption as error:
            if not importer.report.patches:
                raise
            return importer.report.model_copy(update={"stopped": stop_of(error)})
        finally:
            self.store.traces.flush()
        return importer.report

    def import_feedback(
        self,
        source: Source,
        on_row: Callable[[int, int], None] = no_answers,
    ) -> FeedbackImport:
        """Store answers from elsewhere, and learn from what was wrong with them.

        A row has a `request`, the `answer` that was given, and either the `right` one or a
        complaint: `label`, `field`, `value`, `detail`. An answer is an object, or a key per field:
        `answer.team`, `right.team`. Of the right answer, fields that are left out were right. All
        rows are checked before anything is stored; a row that was imported before changes nothing.

        Args:
            source: a JSONL or CSV file, or rows as JSONL has them.
            on_row: is called with the number of rows done, and of those in all.

        Raises:
            InputError: the file or a row cannot be used; names all such lines.
            Interruption: the model or the skill failed before anything was done.

        Example:
            >>> trace = lab.answer("Ship 2 kg sealant box to EU")
            >>> row = {"request": trace.request, "answer": trace.attempt.answer}
            >>> report = lab.import_feedback([{**row, "right": {"declarations": ["hazmat"]}}])
            >>> report.rows[0].outcome, report.rows[0].teaches
            ('learned', 'sealant → restriction: item=sealant, demand=hazmat')
        """
        self.store.require_writable()
        given = failure_rows(source)
        return taught(self, given.name, read_failures(self.skill, given), on_row)

    def _active(self, ids: Sequence[str]) -> list[Patch]:
        if not ids:
            return list(self.store.patches.all(Status.ACTIVE))
        chosen = find_patches(self.store.patches, ids)
        for patch in chosen:
            if patch.status is not Status.ACTIVE:
                raise InputError(
                    f"Patch {patch.id} is {patch.status}, so no answer rests on it; "
                    "name active ones, as `patches list --status active` shows them."
                )
        return chosen
