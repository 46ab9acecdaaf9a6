"""Routes support tickets by subject line; the model does not know whose product is whose."""

import json
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import BaseModel, Field, ValidationError

import patchlab_agent as patchlab
from patchlab_agent import Case, Feedback, Fix, JsonObject, Output, Proposal, Reading, Trace, lesson

HERE = Path(__file__).parent
TEAMS = "billing|hardware|network|people"


class TeamFix(Fix):
    """A lesson: tickets about a product go to a team."""

    subject_fields: ClassVar = ("product",)
    kind: Literal["team"] = "team"
    product: str = Field(pattern="^[a-z]+$")
    team: str = Field(pattern=f"^({TEAMS})$")

    def holds_in(self, output: Output) -> bool | None:
        return output["team"] == self.team if output["product"] == self.product else None


class Answer(BaseModel, extra="forbid"):
    product: str | None
    team: str | None
    priority: Literal["normal", "high"]


class TicketTask(patchlab.SkillTask):
    prompts = HERE / "prompts"
    answer_schema = Answer.model_json_schema()
    known_rules = TeamFix(product="vpn", team="network"), TeamFix(product="badge", team="people")

    def read(self, text: str) -> Reading:
        try:
            answer = Answer.model_validate_json(text).model_dump()
        except ValidationError as error:
            raise patchlab.InvalidAnswer(str(error)) from error
        return Reading(answer=answer, output=answer)

    def parse_fix(self, data: JsonObject) -> Fix:
        return TeamFix.model_validate(data)


class TicketProposer:
    """Learns from `wrong_team`, whose detail says whose the product is: `vpn: network`."""

    def propose(self, trace: Trace, feedback: Feedback) -> Proposal:
        told = re.fullmatch(rf"([a-z]+): ({TEAMS})", feedback.detail)
        if told is None or not patchlab.occurs(told[1], trace.request):
            return Proposal(reason="nothing says whose product of the subject line it is")
        word, fix = told[1], TeamFix(product=told[1], team=told[2])
        made = [f"Question about the {word}", f"No {word} today", f"My {word} again"]
        return Proposal(patch=lesson("tickets", word, fix, trace, feedback, obedience=made))


class TicketDesk(patchlab.Simulator):
    labels = ("wrong_team", "wrong_priority", patchlab.INVALID_RESPONSE)

    def read_cases(self, path: Path) -> list[Case]:
        return patchlab.read_cases(path, Answer)

    def requests(self, rng: random.Random) -> Iterator[Case]:
        tickets = self.read_cases(HERE / "stream.csv")
        while True:
            yield rng.choice(tickets)

    def golden(self) -> Sequence[Case]:
        return self.read_cases(HERE / "golden.csv")

    def regression(self) -> Sequence[Case]:
        return self.read_cases(HERE / "regression.csv")

    def judge(self, case: Case, output: Output | None) -> Feedback:
        if output is None:
            return Feedback(label=patchlab.INVALID_RESPONSE)
        for name in ("team", "priority"):
            if (given := output[name]) != case.truth[name]:
                told = f"{case.truth['product']}: {case.truth[name]}"
                return Feedback(label=f"wrong_{name}", field=name, value=given, detail=told)
        return patchlab.OK

    def uncovered(self, case: Case) -> Sequence[Fix]:
        rule = TeamFix.model_validate({name: case.truth[name] for name in ("product", "team")})
        return () if rule in TicketTask.known_rules else (rule,)


class Clerk:
    """A simulated model: routes by the rules in its prompt, and now and then misses an alarm."""

    def __init__(self, seed: int, noise: float) -> None:
        self.seed, self.noise, self.varies = seed, noise, noise > 0
        self.name = f"clerk(seed={seed}, noise={noise:g})"

    def complete(self, prompt: patchlab.Prompt) -> patchlab.Completion:
        text = f"{prompt.system}\n{prompt.user}"
        teams = dict(re.findall(r'^- product "(.+)": team "(.+)"$', text, re.MULTILINE))
        subject = patchlab.words(re.findall(r'^Subject: "(.+)"$', text, re.MULTILINE)[0])
        product = next((word for word in subject if word in teams), None)
        luck = random.Random(f"{self.seed} {prompt.draw} {subject}").random()
        priority = "high" if {"down", "urgent"} & {*subject} and luck >= self.noise else "normal"
        answer = {"product": product, "team": teams.get(product), "priority": priority}
        return patchlab.Completion(text=json.dumps(answer))

    def close(self) -> None: ...


def tickets() -> patchlab.Skill:
    return patchlab.Skill("tickets", TicketTask(), TicketProposer(), TicketDesk(), {"clerk": Clerk})
