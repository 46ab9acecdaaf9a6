"""PatchLab agent: how far does context engineering get us without fine-tuning?

Failures become tested patches, active patches become context, and the report says what that was
worth. The names below are the public interface; they are imported on first use, because Chroma
takes a second to load.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from patchlab_agent.agent.agent import Agent
    from patchlab_agent.backends.base import Backend, ScriptedBackend
    from patchlab_agent.backends.llm import LlmBackend
    from patchlab_agent.errors import PatchLabError
    from patchlab_agent.lab.lab import Lab, open_lab
    from patchlab_agent.models.model import ModelParameters
    from patchlab_agent.models.patch import Fix, Patch
    from patchlab_agent.models.trace import Completion, Feedback, Prompt, Trace
    from patchlab_agent.skill import Skill
    from patchlab_agent.store.patches import PatchStore

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "Backend",
    "Completion",
    "Feedback",
    "Fix",
    "Lab",
    "LlmBackend",
    "ModelParameters",
    "Patch",
    "PatchLabError",
    "PatchStore",
    "Prompt",
    "ScriptedBackend",
    "Skill",
    "Trace",
    "__version__",
    "open_lab",
]

_HOMES = {
    "Agent": "agent.agent",
    "Backend": "backends.base",
    "Completion": "models.trace",
    "Feedback": "models.trace",
    "Fix": "models.patch",
    "Lab": "lab.lab",
    "LlmBackend": "backends.llm",
    "ModelParameters": "models.model",
    "Patch": "models.patch",
    "PatchLabError": "errors",
    "PatchStore": "store.patches",
    "Prompt": "models.trace",
    "ScriptedBackend": "backends.base",
    "Skill": "skill",
    "Trace": "models.trace",
    "open_lab": "lab.lab",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
