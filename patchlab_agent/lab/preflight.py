"""Finds out before anything is touched whether a run can start."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from patchlab_agent.backends.cassette import Cassette
from patchlab_agent.backends.recording import (
    are_recorded,
    begun,
    check_same_requests,
    check_same_run,
)
from patchlab_agent.embedding import embedder as build_embedder
from patchlab_agent.errors import UsageError
from patchlab_agent.lab import backend_choice
from patchlab_agent.lab.skills import find_skill
from patchlab_agent.models.case import Case
from patchlab_agent.models.listing import StoreContents
from patchlab_agent.runs.runner import recorded_run
from patchlab_agent.settings import (
    DEFAULT_RUNS,
    REPLAY,
    RunSettings,
)
from patchlab_agent.skill.optional import DriftingSimulator, StreamingSimulator
from patchlab_agent.skill.recorded import RecordedSimulator
from patchlab_agent.skill.skill import Skill
from patchlab_agent.store.places import read_info


def check_settings(settings: RunSettings) -> list[Case] | None:
    """Find out, before anything is touched, whether a run can start.

    Returns:
        The user's labeled requests or the recorded ones, or None where generated ones are asked
        for.

    Raises:
        SkillError, UsageError, InputError, StoreError, MissingExtra: whatever is wrong first.
    """
    skill = backend_choice.as_recorded(find_skill(settings), settings)
    backend_choice.backend_of(skill, settings).close()
    if settings.embedder is not None:
        build_embedder(settings.embedder)
    check_run(skill, settings)
    read_info(settings.store)
    return own_cases(skill, settings)


def check_run(skill: Skill, settings: RunSettings) -> None:
    """Find out whether a skill can be run as settings say.

    Raises:
        UsageError: a setting does not fit the skill.
    """
    if settings.patcher == "llm" and skill.model_proposer is None:
        raise UsageError(f"Skill {skill.name!r} has no --patcher llm; use --patcher rules.")
    if settings.ask_names and skill.model_thesaurus is None:
        raise UsageError(f"Skill {skill.name!r} has no --ask-names; leave it out.")
    if settings.false_feedback and skill.falsify is None:
        raise UsageError(f"Skill {skill.name!r} has no false feedback; leave --false-feedback out.")
    if settings.drift is not None and not isinstance(skill.simulator, DriftingSimulator):
        raise UsageError(f"The rules of skill {skill.name!r} never change; leave --drift out.")
    if settings.drift is not None and settings.drift > (settings.runs or DEFAULT_RUNS):
        raise UsageError(
            f"--drift {settings.drift} is after the last run; give a number up to --runs."
        )
    available = len(skill.simulator.golden())
    if settings.golden > available and settings.golden != RunSettings().golden:
        raise UsageError(
            f"The golden set has {available} cases; give --golden a number from 0 to {available}."
        )


def own_cases(skill: Skill, settings: RunSettings) -> list[Case] | None:
    """Return the requests of a run: the user's, those of the recording to replay, or the skill's.

    Returns:
        None where generated ones are asked for.

    Raises:
        InputError: the file cannot be read, or a line cannot be used; names the line.
    """
    if settings.requests is not None:
        return skill.simulator.read_cases(settings.requests)
    if settings.backend == REPLAY and isinstance(skill.simulator, RecordedSimulator):
        return list(skill.simulator.recorded.stream) or None
    if isinstance(skill.simulator, StreamingSimulator):
        return list(skill.simulator.stream())
    return None


def check_replayable(
    settings: RunSettings,
    cases: Sequence[Case] | None,
    contents: Callable[[], StoreContents | None],
) -> None:
    """Make sure that a run to record can be replayed, and that one to replay is the recorded one.

    Args:
        settings: what is asked for.
        cases: the user's labeled requests or the recorded ones, or None where they are generated.
        contents: counts what the store holds that the run is to begin with; None: there is none.

    Raises:
        UsageError: something was learned before, or a replay asks for more than was recorded.
        InputError: the cassette is of another kind of run, or cannot be read.
        StoreError, SkillError: the store or the skill cannot be used.
    """
    if settings.backend == REPLAY:
        _check_recorded(settings, cases)
    elif settings.record is None:
        return
    elif (cassette := begun(settings.record)) is not None:
        check_same_run(settings.record, cassette.header, recorded_run(settings, cases))
        check_same_requests(settings.record, cassette.cases.stream, cases or ())
    found = contents()
    if found is not None and (found.runs or found.patches or found.traces):
        what = "replay" if settings.backend == REPLAY else "record"
        raise UsageError(
            f"To {what} a run takes a store with nothing in it; add --fresh, or name another one "
            f"than {settings.store} with --store."
        )


def _check_recorded(settings: RunSettings, cases: Sequence[Case] | None) -> None:
    """Make sure that a replay asks what was recorded, and no more."""
    cassette = Cassette(backend_choice.cassette_path(find_skill(settings), settings.replay))
    recorded = cassette.cases.stream
    if not recorded:
        return
    if not are_recorded(recorded, cases or ()):
        raise UsageError(f"{cassette.path} was recorded on other requests; leave out --requests.")
    if settings.runs is not None and settings.runs > len(recorded):
        raise UsageError(
            f"{cassette.path} holds {len(recorded)} requests; give --runs a number from 1 to "
            f"{len(recorded)}."
        )
