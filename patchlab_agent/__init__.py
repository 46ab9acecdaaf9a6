"""PatchLab agent: how far does context engineering get us without fine-tuning?

Failures become tested patches, active patches become context, and the report says what that was
worth. The names below are the public interface: the lab and what its calls return, the seams to a
model and to a domain, and the errors. They are imported on first use, because Chroma takes a second
to load.

In the examples of the docstrings `lab` is an open lab, which was taught by feedback on its first
answer that bleach is hazmat: patch `3696d1e24fd83782`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from patchlab_agent.agent.agent import Agent
    from patchlab_agent.backends.base import Backend, BatchBackend, ScriptedBackend
    from patchlab_agent.backends.llm import LlmBackend
    from patchlab_agent.errors import (
        BackendError,
        BackendUnavailable,
        BudgetReached,
        CassetteMiss,
        InputError,
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
    from patchlab_agent.gate.evidence import Referee
    from patchlab_agent.lab.async_lab import AsyncLab
    from patchlab_agent.lab.differing import diff_patches
    from patchlab_agent.lab.lab import Lab, open_lab
    from patchlab_agent.lab.patches import Patches
    from patchlab_agent.lab.stored import StoredLab, open_store
    from patchlab_agent.lab.stores import delete_store
    from patchlab_agent.lab.sweeping import compare_settings
    from patchlab_agent.lab.traces import Traces
    from patchlab_agent.models.base import JsonObject, Quote
    from patchlab_agent.models.case import Case
    from patchlab_agent.models.comparison import ComparisonReport
    from patchlab_agent.models.effect import EffectReport
    from patchlab_agent.models.event import EventKind, PatchEvent
    from patchlab_agent.models.evidence import Standing
    from patchlab_agent.models.history import Change
    from patchlab_agent.models.listing import (
        FeedbackReport,
        FoundPatch,
        FoundTrace,
        GateRound,
        ListedPatch,
        PatchDetails,
        RequestContext,
        StoreContents,
    )
    from patchlab_agent.models.model import ModelParameters
    from patchlab_agent.models.patch import (
        Fix,
        Origin,
        Patch,
        PatchTest,
        Proposal,
        Provenance,
        Role,
        Status,
    )
    from patchlab_agent.models.report import RunReport
    from patchlab_agent.models.rollback import RollbackReport
    from patchlab_agent.models.trace import (
        OK,
        Attempt,
        Completion,
        Context,
        Example,
        Feedback,
        Message,
        Prompt,
        Trace,
        Usage,
    )
    from patchlab_agent.models.transfer import ImportReport, PatchDiff
    from patchlab_agent.settings import AgentSettings, RunSettings
    from patchlab_agent.skill import (
        AskingProposer,
        Confusion,
        DriftingWorld,
        Proposer,
        Reading,
        Skill,
        Task,
        Thesaurus,
        World,
        load_skill,
    )
    from patchlab_agent.store.patches import PatchStore

__version__ = "0.1.0"

__all__ = [
    "OK",
    "Agent",
    "AgentSettings",
    "AskingProposer",
    "AsyncLab",
    "Attempt",
    "Backend",
    "BackendError",
    "BackendUnavailable",
    "BatchBackend",
    "BudgetReached",
    "Case",
    "CassetteMiss",
    "Change",
    "ComparisonReport",
    "Completion",
    "Confusion",
    "Context",
    "DriftingWorld",
    "EffectReport",
    "EventKind",
    "Example",
    "Feedback",
    "FeedbackReport",
    "Fix",
    "FoundPatch",
    "FoundTrace",
    "GateRound",
    "ImportReport",
    "InputError",
    "InvalidAnswer",
    "JsonObject",
    "Lab",
    "ListedPatch",
    "LlmBackend",
    "Message",
    "MissingExtra",
    "ModelParameters",
    "Origin",
    "OutputError",
    "PartialRun",
    "Patch",
    "PatchDetails",
    "PatchDiff",
    "PatchEvent",
    "PatchLabError",
    "PatchStore",
    "PatchTest",
    "Patches",
    "Prompt",
    "PromptError",
    "PromptTooLong",
    "Proposal",
    "Proposer",
    "Provenance",
    "Quote",
    "Reading",
    "Referee",
    "RequestContext",
    "Role",
    "RollbackReport",
    "RunReport",
    "RunSettings",
    "ScriptedBackend",
    "Skill",
    "SkillError",
    "Standing",
    "Status",
    "StoreContents",
    "StoreError",
    "StoredLab",
    "Task",
    "Thesaurus",
    "Trace",
    "Traces",
    "Usage",
    "UsageError",
    "World",
    "__version__",
    "compare_settings",
    "delete_store",
    "diff_patches",
    "load_skill",
    "open_lab",
    "open_store",
]

_HOMES = {
    "Agent": "agent.agent",
    "AgentSettings": "settings",
    "AskingProposer": "skill",
    "AsyncLab": "lab.async_lab",
    "Attempt": "models.trace",
    "Backend": "backends.base",
    "BackendError": "errors",
    "BackendUnavailable": "errors",
    "BatchBackend": "backends.base",
    "BudgetReached": "errors",
    "Case": "models.case",
    "CassetteMiss": "errors",
    "Change": "models.history",
    "ComparisonReport": "models.comparison",
    "Completion": "models.trace",
    "Confusion": "skill",
    "Context": "models.trace",
    "DriftingWorld": "skill",
    "EffectReport": "models.effect",
    "EventKind": "models.event",
    "Example": "models.trace",
    "Feedback": "models.trace",
    "FeedbackReport": "models.listing",
    "Fix": "models.patch",
    "FoundPatch": "models.listing",
    "FoundTrace": "models.listing",
    "GateRound": "models.listing",
    "ImportReport": "models.transfer",
    "InputError": "errors",
    "InvalidAnswer": "errors",
    "JsonObject": "models.base",
    "Lab": "lab.lab",
    "ListedPatch": "models.listing",
    "LlmBackend": "backends.llm",
    "Message": "models.trace",
    "MissingExtra": "errors",
    "ModelParameters": "models.model",
    "OK": "models.trace",
    "Origin": "models.patch",
    "OutputError": "errors",
    "PartialRun": "errors",
    "Patch": "models.patch",
    "PatchDetails": "models.listing",
    "PatchDiff": "models.transfer",
    "PatchEvent": "models.event",
    "PatchLabError": "errors",
    "PatchStore": "store.patches",
    "PatchTest": "models.patch",
    "Patches": "lab.patches",
    "Prompt": "models.trace",
    "PromptError": "errors",
    "PromptTooLong": "errors",
    "Proposal": "models.patch",
    "Proposer": "skill",
    "Provenance": "models.patch",
    "Quote": "models.base",
    "Reading": "skill",
    "Referee": "gate.evidence",
    "RequestContext": "models.listing",
    "Role": "models.patch",
    "RollbackReport": "models.rollback",
    "RunReport": "models.report",
    "RunSettings": "settings",
    "ScriptedBackend": "backends.base",
    "Skill": "skill",
    "SkillError": "errors",
    "Standing": "models.evidence",
    "Status": "models.patch",
    "StoreContents": "models.listing",
    "StoreError": "errors",
    "StoredLab": "lab.stored",
    "Task": "skill",
    "Thesaurus": "skill",
    "Trace": "models.trace",
    "Traces": "lab.traces",
    "Usage": "models.trace",
    "UsageError": "errors",
    "World": "skill",
    "compare_settings": "lab.sweeping",
    "delete_store": "lab.stores",
    "diff_patches": "lab.differing",
    "load_skill": "skill",
    "open_lab": "lab.lab",
    "open_store": "lab.stored",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
