"""PatchLab agent: how far does context engineering get us without fine-tuning?

Failures become tested patches, active patches become context, and the report says what that was
worth. The names below are the public interface: the lab and what its calls return, the seams to a
model and to a domain with all that the author of a backend or a skill needs, and the errors. They
are imported on first use, because Chroma takes a second to load.

In the examples of the docstrings `lab` is an open lab, which was taught by feedback on its first
answer that bleach is hazmat: patch `3696d1e24fd83782`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from patchlab_agent.agent.agent import Agent
    from patchlab_agent.agent.conversation import Conversation
    from patchlab_agent.backends.base import Backend, BatchBackend, ScriptedBackend
    from patchlab_agent.backends.llm import LlmBackend
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
    from patchlab_agent.gate.evidence import Referee
    from patchlab_agent.lab.async_lab import AsyncLab
    from patchlab_agent.lab.differing import diff_patches
    from patchlab_agent.lab.lab import Lab
    from patchlab_agent.lab.opening import open_lab
    from patchlab_agent.lab.patches import Patches
    from patchlab_agent.lab.stored_lab import StoredLab, open_store
    from patchlab_agent.lab.stores import delete_store
    from patchlab_agent.lab.sweeping import compare_settings
    from patchlab_agent.lab.tasks import check_task, draft_task
    from patchlab_agent.lab.teaching import check_feedback
    from patchlab_agent.lab.traces import Traces
    from patchlab_agent.lab.upkeep import backup_store, repair_store, restore_store
    from patchlab_agent.models.base import JsonObject, Output
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
    from patchlab_agent.models.prompt import Completion, Message, Prompt, Usage
    from patchlab_agent.models.repair import RepairReport
    from patchlab_agent.models.report import RunReport
    from patchlab_agent.models.rollback import RollbackReport
    from patchlab_agent.models.task import Finding, TaskCheck
    from patchlab_agent.models.trace import (
        INVALID_RESPONSE,
        OK,
        Attempt,
        Context,
        Example,
        Fault,
        Feedback,
        Trace,
    )
    from patchlab_agent.models.transfer import FeedbackImport, ImportReport, LessonText, PatchDiff
    from patchlab_agent.models.trigger import Always, Similar
    from patchlab_agent.models.verdict import Verdict
    from patchlab_agent.plain import is_word, oddity
    from patchlab_agent.prompts import Prompts
    from patchlab_agent.settings import AgentSettings, RunSettings
    from patchlab_agent.skill.authoring import lesson, read_cases
    from patchlab_agent.skill.optional import (
        AskingProposer,
        ComparingSimulator,
        DescribedTask,
        DriftingSimulator,
        GeneratingSimulator,
        OpenSimulator,
        OracleSimulator,
        RevisedTask,
        StreamingSimulator,
        TellingProposer,
        TellingTask,
        WideningTask,
    )
    from patchlab_agent.skill.seam import (
        Confusion,
        Proposer,
        Reading,
        Simulator,
        SkillTask,
        Thesaurus,
    )
    from patchlab_agent.skill.skill import Falsify, Skill, load_skill
    from patchlab_agent.store.patches import PatchStore
    from patchlab_agent.tasks.comparison import Judgement
    from patchlab_agent.tasks.definition import Task
    from patchlab_agent.tasks.folder import load_task
    from patchlab_agent.text import (
        as_trigger,
        check_request,
        normalise,
        occurs,
        phrases,
        words,
    )

__version__ = "0.1.0"

__all__ = [
    "INVALID_RESPONSE",
    "OK",
    "Agent",
    "AgentSettings",
    "Always",
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
    "ComparingSimulator",
    "ComparisonReport",
    "Completion",
    "Confusion",
    "Context",
    "Conversation",
    "DescribedTask",
    "DriftingSimulator",
    "EffectReport",
    "EventKind",
    "Example",
    "Falsify",
    "Fault",
    "Feedback",
    "FeedbackImport",
    "FeedbackReport",
    "Finding",
    "Fix",
    "FoundPatch",
    "FoundTrace",
    "GateRound",
    "GeneratingSimulator",
    "ImportReport",
    "InputError",
    "Interruption",
    "InvalidAnswer",
    "JsonObject",
    "Judgement",
    "Lab",
    "LessonText",
    "ListedPatch",
    "LlmBackend",
    "Message",
    "MissingExtra",
    "ModelParameters",
    "OpenSimulator",
    "OracleSimulator",
    "Origin",
    "Output",
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
    "Prompts",
    "Proposal",
    "Proposer",
    "Provenance",
    "Reading",
    "Referee",
    "RepairReport",
    "RequestContext",
    "RevisedTask",
    "Role",
    "RollbackReport",
    "RunReport",
    "RunSettings",
    "ScriptedBackend",
    "Similar",
    "Simulator",
    "Skill",
    "SkillError",
    "SkillTask",
    "Standing",
    "Status",
    "StoreContents",
    "StoreError",
    "StoredLab",
    "StreamingSimulator",
    "Task",
    "TaskCheck",
    "TellingProposer",
    "TellingTask",
    "Thesaurus",
    "Trace",
    "Traces",
    "Usage",
    "UsageError",
    "Verdict",
    "WideningTask",
    "__version__",
    "as_trigger",
    "backup_store",
    "check_feedback",
    "check_request",
    "check_task",
    "compare_settings",
    "delete_store",
    "diff_patches",
    "draft_task",
    "is_word",
    "lesson",
    "load_skill",
    "load_task",
    "normalise",
    "occurs",
    "oddity",
    "open_lab",
    "open_store",
    "phrases",
    "read_cases",
    "repair_store",
    "restore_store",
    "words",
]

_HOMES = {
    "Agent": "agent.agent",
    "AgentSettings": "settings",
    "Always": "models.trigger",
    "AskingProposer": "skill.optional",
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
    "ComparingSimulator": "skill.optional",
    "ComparisonReport": "models.comparison",
    "Completion": "models.prompt",
    "Confusion": "skill.seam",
    "Context": "models.trace",
    "Conversation": "agent.conversation",
    "DescribedTask": "skill.optional",
    "DriftingSimulator": "skill.optional",
    "EffectReport": "models.effect",
    "EventKind": "models.event",
    "Example": "models.trace",
    "Falsify": "skill.skill",
    "Fault": "models.trace",
    "Feedback": "models.trace",
    "FeedbackImport": "models.transfer",
    "FeedbackReport": "models.listing",
    "Finding": "models.task",
    "Fix": "models.patch",
    "FoundPatch": "models.listing",
    "FoundTrace": "models.listing",
    "GateRound": "models.listing",
    "INVALID_RESPONSE": "models.trace",
    "ImportReport": "models.transfer",
    "InputError": "errors",
    "Interruption": "errors",
    "InvalidAnswer": "errors",
    "JsonObject": "models.base",
    "Judgement": "tasks.comparison",
    "Lab": "lab.lab",
    "LessonText": "models.transfer",
    "ListedPatch": "models.listing",
    "LlmBackend": "backends.llm",
    "Message": "models.prompt",
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
    "Prompt": "models.prompt",
    "PromptError": "errors",
    "PromptTooLong": "errors",
    "Prompts": "prompts",
    "Proposal": "models.patch",
    "Proposer": "skill.seam",
    "Provenance": "models.patch",
    "Output": "models.base",
    "Reading": "skill.seam",
    "Referee": "gate.evidence",
    "RepairReport": "models.repair",
    "RequestContext": "models.listing",
    "Role": "models.patch",
    "RollbackReport": "models.rollback",
    "RunReport": "models.report",
    "RunSettings": "settings",
    "ScriptedBackend": "backends.base",
    "Similar": "models.trigger",
    "Simulator": "skill.seam",
    "Skill": "skill.skill",
    "SkillError": "errors",
    "Standing": "models.evidence",
    "Status": "models.patch",
    "StoreContents": "models.listing",
    "StoreError": "errors",
    "StoredLab": "lab.stored_lab",
    "GeneratingSimulator": "skill.optional",
    "OpenSimulator": "skill.optional",
    "OracleSimulator": "skill.optional",
    "RevisedTask": "skill.optional",
    "StreamingSimulator": "skill.optional",
    "SkillTask": "skill.seam",
    "Task": "tasks.definition",
    "TaskCheck": "models.task",
    "TellingProposer": "skill.optional",
    "TellingTask": "skill.optional",
    "WideningTask": "skill.optional",
    "Thesaurus": "skill.seam",
    "Trace": "models.trace",
    "Traces": "lab.traces",
    "Usage": "models.prompt",
    "UsageError": "errors",
    "Verdict": "models.verdict",
    "as_trigger": "text",
    "backup_store": "lab.upkeep",
    "check_feedback": "lab.teaching",
    "check_request": "text",
    "check_task": "lab.tasks",
    "compare_settings": "lab.sweeping",
    "delete_store": "lab.stores",
    "diff_patches": "lab.differing",
    "draft_task": "lab.tasks",
    "is_word": "plain",
    "lesson": "skill.authoring",
    "load_skill": "skill.skill",
    "load_task": "tasks.folder",
    "normalise": "text",
    "occurs": "text",
    "oddity": "plain",
    "open_lab": "lab.opening",
    "open_store": "lab.stored_lab",
    "phrases": "text",
    "read_cases": "skill.authoring",
    "repair_store": "lab.upkeep",
    "restore_store": "lab.upkeep",
    "words": "text",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
