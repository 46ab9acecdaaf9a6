"""Whether a rule misleads where a request only mentions what the rule is about.

    python -m bench.mentions --model openai/qwen15b --api-base http://127.0.0.1:8091/v1

Each request is answered with nothing shown, and with every rule that the prompt lacks and whose
words stand in the request: what patches would show once all had been taught. `mentioned` are
requests about something else; `meant` are those that the rules are for. No request is in the golden
set, the gate's suite or a stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass

from bench.layouts import AGENT, SKILL, model_of, model_options
from patchlab_agent.backends.llm import LlmBackend
from patchlab_agent.errors import Interruption, InvalidAnswer
from patchlab_agent.models.base import Output
from patchlab_agent.models.case import Case
from patchlab_agent.models.prompt import Completion
from patchlab_agent.models.trace import Context
from patchlab_agent.shipping.cases import LabeledRequest
from patchlab_agent.shipping.tables import carrier_rules, known_rules
from patchlab_agent.text import occurs

KNOWN = known_rules()
LACKING = [rule for rule in carrier_rules() if rule not in KNOWN]


@dataclass(frozen=True)
class Asked:
    """A request and what it means."""

    request: str
    weight_kg: float
    item: str
    country: str
    parcel: str = "box"

    @property
    def case(self) -> Case:
        """The request with its truth."""
        return LabeledRequest.model_validate(asdict(self)).case()

    @property
    def lacking(self) -> Context:
        """Every rule that the prompt lacks and that the request seems to call for."""
        rules = [rule for rule in LACKING if occurs(rule.about, self.request)]  # type: ignore[attr-defined]
        return Context(given=tuple(rules))


MENTIONED = (
    Asked("Ship 1.4 kg magazines about ivory box to US", 1.4, "magazines", "US"),
    Asked(
        "Send 900 g documents envelope to Canada, no ammunition inside",
        0.9,
        "documents",
        "CA",
        "envelope",
    ),
    Asked("Ship 2.2 kg toys box to Italy, not pepper spray", 2.2, "toys", "IT"),
    Asked("notebooks on ammunition, 1.2 kg, box, to Spain", 1.2, "notebooks", "ES"),
    Asked("Ship 3.7 kg shirts box to Turkey, not Syria", 3.7, "shirts", "TR"),
    Asked("Send 2.6 kg coffee box to Greece instead of Syria", 2.6, "coffee", "GR"),
    Asked("From Syria to Germany: 4.1 kg tea box", 4.1, "tea", "DE"),
    Asked(
        "Ship 1.6 kg puzzles box to South Korea; the last one went to North Korea",
        1.6,
        "puzzles",
        "KR",
    ),
    Asked("Ship 2.4 kg highlighters in ivory, box, to France", 2.4, "highlighters", "FR"),
    Asked("Ship 6.2 kg towels box to Poland. Ammunition is not in it.", 6.2, "towels", "PL"),
    Asked("Ship 1.7 kg keyboards box to US, battery removed", 1.7, "keyboards", "US"),
    Asked("Ship 5.2 kg tools box to Norway, without bleach", 5.2, "tools", "NO"),
    Asked("Ship 2.9 kg blankets box to Japan for my laptop", 2.9, "blankets", "JP"),
    Asked("Ship 0.8 kg candles box to Belgium, next to glassware", 0.8, "candles", "BE"),
    Asked("Ship 3.4 kg honey box to Austria, no cheese", 3.4, "honey", "AT"),
)
MEANT = (
    Asked("Ship 1.9 kg ivory box to France", 1.9, "ivory", "FR"),
    Asked("ammunition, 3.2 kg, crate, to Denmark", 3.2, "ammunition", "DK", "crate"),
    Asked("Send 0.6 kg pepper spray box to Sweden", 0.6, "pepper spray", "SE"),
    Asked("Ship 2.3 kg books box to Syria", 2.3, "books", "SY"),
    Asked("to North Korea: 1.1 kg shoes box", 1.1, "shoes", "KP"),
    Asked("Ship 12 kg fireworks crate to Brazil, insured", 12, "fireworks", "BR", "crate"),
    Asked("price for sack cables 3.3kg → Syria", 3.3, "cables", "SY", "sack"),
)


def right(asked: Asked, answered: Completion | Interruption) -> bool:
    """Whether the carrier takes an answer.

    Raises:
        Interruption: there is none.
    """
    if isinstance(answered, Interruption):
        raise answered
    quote: Output | None = None
    with suppress(InvalidAnswer):
        quote = SKILL.task.read(answered.text).output
    return SKILL.simulator.judge(asked.case, quote).ok


def rights(backend: LlmBackend, group: Sequence[Asked], contexts: Sequence[Context]) -> int:
    """How many of a group come out right, each with its context."""
    prompts = [
        AGENT.render(asked.request, context, "0")
        for asked, context in zip(group, contexts, strict=True)
    ]
    answers = backend.complete_batch(prompts)
    return sum(map(right, group, answers))


def main() -> None:
    options = model_options(__doc__).parse_args()
    backend = model_of(options)
    print("| requests | right with nothing shown | right with rules shown |")
    print("|---|---|---|")
    for name, group in (("mentioned", MENTIONED), ("meant", MEANT)):
        bare = rights(backend, group, [Context()] * len(group))
        shown = rights(backend, group, [asked.lacking for asked in group])
        print(f"| {name} | {bare} of {len(group)} | {shown} of {len(group)} |", flush=True)
    backend.close()


if __name__ == "__main__":
    main()
