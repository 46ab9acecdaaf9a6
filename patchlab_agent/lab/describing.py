"""What there is to say of a skill before any store or model is opened."""

from __future__ import annotations

from collections.abc import Mapping

from patchlab_agent.lab.skills import skill_of
from patchlab_agent.settings import AgentSettings
from patchlab_agent.skill.optional import TellingProposer
from patchlab_agent.skill.seam import Proposer
from patchlab_agent.store.selection import OK_LABEL


def labels_of(settings: AgentSettings) -> dict[str, str]:
    """Return the labels of feedback on answers, each with what its detail takes.

    Raises:
        StoreError, InputError, SkillError: the skill cannot be found.
    """
    loaded = skill_of(settings)
    details = details_of(loaded.proposer)
    told = {label: details.get(label, "") for label in loaded.simulator.labels}
    return {OK_LABEL: "nothing: the answer is right", **told}


def details_of(proposer: Proposer) -> Mapping[str, str]:
    """Return what a proposer says that the detail of feedback takes, by label."""
    return proposer.details() if isinstance(proposer, TellingProposer) else {}
