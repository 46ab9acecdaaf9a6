"""A run of many requests: what it is to do, whether it can be done, and whether it goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from patchlab_agent.errors import UsageError
from patchlab_agent.lab.assembled_lab import AssembledLab
from patchlab_agent.lab.preflight import check_replayable, check_run, own_cases
from patchlab_agent.lab.resuming import as_started, check_requests
from patchlab_agent.models.case import Case
from patchlab_agent.models.report import RunReport
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import AgentSettings, RunSettings, checked
from patchlab_agent.text import check_request


def ran(
    lab: AssembledLab,
    settings: RunSettings | None,
    cases: Sequence[Case] | None,
    *,
    show: int,
    watch: Callable[[Runner], None] | None,
    resume: bool,
) -> RunReport:
    """Run many requests, or go on where the latest run stopped; as `Lab.run` does."""
    if resume:
        lab.store.require_alone()
    lab.store.require_writable()
    wanted = _run_settings(lab, settings)
    started = lab.store.started() if resume else None
    if started is not None:
        given = {*(settings or wanted).model_fields_set, *AgentSettings.model_fields}
        wanted = as_started(started, wanted, given)
        if started.is_finished:
            return lab.report(started.run)
    if lab.store.is_shared and wanted.drift is not None:
        raise UsageError(
            "--drift changes the rules for one process alone; leave out --shared or it."
        )
    check_run(lab.skill, wanted)
    if cases is None:
        cases = own_cases(lab.skill, wanted)
    for case in cases or ():
        check_request(case.request, lab.skill.max_request_chars)
    if started is not None:
        check_requests(started, cases)
    check_replayable(wanted, cases, lambda: None if started else lab.contents)
    runner = Runner(lab, wanted, cases, resumed=started)
    if watch is not None:
        watch(runner)
    return runner.run(show)


def _run_settings(lab: AssembledLab, settings: RunSettings | None) -> RunSettings:
    """Return a run's settings, with those that determine an answer taken from the lab."""
    given = {} if settings is None else settings.model_dump(include=settings.model_fields_set)
    if given.get("patcher") in ("auto", lab.patcher):
        # What leaves it open comes to the same.
        del given["patcher"]
    wanted = checked(RunSettings, {**lab.settings.model_dump(), **given})
    for name in AgentSettings.model_fields:
        if getattr(wanted, name) != getattr(lab.settings, name):
            raise UsageError(
                f"{name}={given[name]!r} is not what the lab was opened with; "
                "give it to open_lab, or leave it out of the run's settings."
            )
    # Report and cassette say who it was.
    return wanted.model_copy(update={"patcher": lab.patcher})
