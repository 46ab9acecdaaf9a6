"""The shipping skill, assembled."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from patchlab_agent.resources import resource
from patchlab_agent.shipping.falsehood import falsified
from patchlab_agent.shipping.proposer import ShippingProposer
from patchlab_agent.shipping.rule_book import RuleBook
from patchlab_agent.shipping.simulator import ShippingSimulator
from patchlab_agent.shipping.tables import known_rules
from patchlab_agent.shipping.task import ShippingTask
from patchlab_agent.shipping.toy.backend import ToyBackend
from patchlab_agent.shipping.variants import ShippingThesaurus
from patchlab_agent.skill.seam import Proposer, Thesaurus
from patchlab_agent.skill.skill import Skill

if TYPE_CHECKING:
    from patchlab_agent.backends.base import Backend


def shipping() -> Skill:
    """Build the skill for the entry point `shipping`."""
    known = known_rules()
    thesaurus = ShippingThesaurus(known)
    return Skill(
        name="shipping",
        task=ShippingTask(known),
        proposer=ShippingProposer(),
        simulator=ShippingSimulator(),
        backends={"toy": ToyBackend},
        falsify=falsified,
        model_proposer=partial(_model_proposer, RuleBook.of(known)),
        thesaurus=thesaurus,
        model_thesaurus=partial(_model_thesaurus, thesaurus),
        cassette=resource("fixtures", "cassettes", "qwen2.5-coder-1.5b.jsonl"),
    )


def _model_proposer(known: RuleBook, backend: Backend) -> Proposer:
    # It brings the template engine, which `feedback --help` does without.
    from patchlab_agent.shipping.model_proposer import ModelProposer  # noqa: PLC0415

    return ModelProposer(backend, known=known)


def _model_thesaurus(thesaurus: ShippingThesaurus, backend: Backend) -> Thesaurus:
    from patchlab_agent.agent.names import AskedThesaurus  # noqa: PLC0415
    from patchlab_agent.prompts import Prompts  # noqa: PLC0415

    return AskedThesaurus(backend, Prompts(resource("prompts", "shipping")), thesaurus.renamed)
