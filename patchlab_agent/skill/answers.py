"""The object that answers a request, wherever in a model's text it stands.

Servers hand over more than an answer: thoughts, prose, fenced blocks, and the next turn of a
conversation that the model invents. `read_object` has one rule for all of them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from patchlab_agent.errors import InvalidAnswer
from patchlab_agent.models.base import JsonObject
from patchlab_agent.text import repeated

Form = TypeVar("Form", bound=BaseModel)

MAX_OBJECTS = 1000
"""Maximum number of objects, valid or not, that are looked at; so reading takes linear time."""

_THINKING = (
    *(
        (f"<{name}>", f"</{name}>")
        for name in (
            *("think", "thinking", "thought", "thoughts", "reasoning", "reflection"),
            *("scratchpad", "analysis", "seed:think"),
        )
    ),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel|>analysis<|message|>", "<|end|>"),
    ("<|channel|>commentary<|message|>", "<|end|>"),
)
"""What opens a model's thoughts, and what closes them."""
_CLOSES = {opening.casefold(): closing for opening, closing in _THINKING}
_SPEAKER = (
    r"request|user|human|customer|sender|client|question|query|q|instruction|input|prompt|system"
)
_LINE = rf"(?:(?:next|new|another|second)[ ])?(?:{_SPEAKER})(?:[ ]?\d+)?"
_TURN = "|".join(
    [
        # <|im_end|>  <|eot_id|>  [|user|]; DeepSeek's bars are wide.
        r"[<\[][|\uff5c][^|\uff5c<>\[\]\n]{1,64}[|\uff5c][>\]]",
        # </s>  <eos>  <end_of_turn>  <start_of_turn>user
        r"</?(?:s|eos|bos|(?:start|end)_of_turn)>",
        r"\[/?INST\]|<</?SYS>>",
        # ### Instruction  ## User
        rf"^#{{2,}}[ ]?(?:{_SPEAKER}|response|assistant)\b",
        # Request: …  **User:** …  Next request 2: …
        rf"^[^\w\n{{]{{0,8}}{_LINE}\W{{0,3}}[:\uff1a]",
    ]
)
_MARK = re.compile(
    f"(?P<thinking>{'|'.join(re.escape(opening) for opening, _ in _THINKING)})"
    f"|(?P<thought>{'|'.join(re.escape(closing) for _, closing in _THINKING[:-2])})"
    f"|(?P<turn>{_TURN})"
    r'|(?P<object>\{\s*["}])',
    re.IGNORECASE | re.MULTILINE,
)
_FENCE = re.compile(r"(?:```|~~~)[\w+-]*\s*\Z")
_LEAD = 200
"""Characters before an object that may say what it is."""
_TAKES_BACK = re.compile(
    r"(?i)\b(?:wait|correct(?:ion|ed|ing)|sorry|apolog\w+|actually|oops|mistake|revised|improved"
    r"|fixed|second thoughts?|final(?:ly)?)\b"
)
_CONCLUDES = re.compile(r"(?i)\b(?:hence|therefore|thus|so|but)\b")
_DRAFT = re.compile(
    r"(?i)\b(?:draft|guess|attempt|at first|first reading|(?:an|for) example|e\.g"
    r"|(?:format|form|template|schema|shape) (?:is|looks))\b"
)
_ASIDE = re.compile(
    r"(?i)\b(?:if|would|for (?:example|instance|comparison)|e\.g|compar\w+|an?other|different"
    r"|similar\w*|alternativ\w+|suppose|note)\b"
)


@dataclass(frozen=True)
class _Found:
    """An object in a text.

    Attributes:
        value: the object.
        twice: the keys that it gives more than once.
        lead: the words that lead to it, without those before an earlier object.
        is_first: nothing but a fence stands before it.
    """

    value: JsonObject
    twice: tuple[str, ...]
    lead: str
    is_first: bool

    @property
    def is_fenced(self) -> bool:
        return _FENCE.search(self.lead) is not None

    def gives_way_to(self, later: _Found) -> bool:
        """Return whether the reply says that a later object counts instead of this one."""
        if _ASIDE.search(later.lead):
            return False
        if _TAKES_BACK.search(later.lead) or _DRAFT.search(self.lead):
            return True
        # A reply that opens with an object does not reason its way to one.
        is_reasoning = not self.is_first and not self.is_fenced
        return is_reasoning and (later.is_fenced or _CONCLUDES.search(later.lead) is not None)


def read_object(text: str, kind: type[Form]) -> Form:
    """Read the object that a completion answers with.

    It is the first object in the model's own turn that has all required fields of the form and is
    no part of a thought (`<think>`). A later one counts instead only if the reply says so: it takes
    the first back (`No, wait:`), calls it a draft or an example, or, where the first stands amid
    prose, concludes with the later one or sets it in a fenced block. Whatever follows the end of
    the turn, such as an invented `Request:` line or `<|im_end|>`, answers something else.

    Raises:
        InvalidAnswer: there is no such object, it gives a key twice, or it does not have the form.
    """
    found, broken = _objects(text)
    wanted = {name for name, field in kind.model_fields.items() if field.is_required()}
    answers = [each for each in found if wanted <= each.value.keys()]
    if answers:
        return _checked(_chosen(answers), kind)
    if found:
        # None has the form; what is wrong with the likeliest one is the best advice.
        return _checked(max(found, key=lambda each: len(wanted & each.value.keys())), kind)
    if broken or "{" in text:
        raise InvalidAnswer(f"the answer is no valid JSON: {broken or _why_none(text)}")
    raise InvalidAnswer("the answer holds no JSON object")


def _chosen(answers: list[_Found]) -> _Found:
    chosen = answers[0]
    for later in answers[1:]:
        if chosen.gives_way_to(later):
            chosen = later
    return chosen


def _checked(found: _Found, kind: type[Form]) -> Form:
    if found.twice:
        raise InvalidAnswer(f"{found.twice[0]}: the key is given twice; give it once")
    try:
        return kind.model_validate(found.value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "answer"
        raise InvalidAnswer(f"{where}: {first['msg']}") from error


def _objects(text: str) -> tuple[list[_Found], str]:
    """Return the outermost objects of the model's turn, and the error in the first broken one."""
    found: list[_Found] = []
    thought: list[_Found] = []
    broken = ""
    reader = _Reader()
    position = 0
    while mark := _MARK.search(text, position):
        since, position = position, mark.end()
        match mark.lastgroup:
            case "thinking":
                position = _end_of_thought(text, mark)
            case "thought":
                # Closed but never opened, as where the prompt opened it: all so far was thought.
                found, thought, broken = [], found or thought, ""
            case "turn" if found or broken:
                break
            case "object":
                try:
                    value, position = reader.read(text, mark.start())
                except json.JSONDecodeError as error:
                    broken = broken or str(error)
                    # Skip what was already read of a broken object.
                    position = max(position, error.pos)
                except (ValueError, RecursionError) as error:
                    return found, str(error)
                else:
                    lead = text[max(since, mark.start() - _LEAD) : mark.start()]
                    is_first = not found and not _FENCE.sub("", lead).strip("([ \n\t\r")
                    found.append(_Found(value, tuple(reader.twice), lead, is_first))
    return found or thought, broken


def _why_none(text: str) -> str:
    """Return the error at the first brace of a text in which no object begins."""
    try:
        json.JSONDecoder().raw_decode(text, text.index("{"))
    except (ValueError, RecursionError) as error:
        return str(error)
    return "it is a thought"


def _end_of_thought(text: str, opening: re.Match[str]) -> int:
    """Return where a thought ends: at its closing mark, or with the text if it has none."""
    closing = re.compile(re.escape(_CLOSES[opening[0].casefold()]), re.IGNORECASE)
    closed = closing.search(text, opening.end())
    return closed.end() if closed else len(text)


class _Reader:
    """A JSON decoder for one text, which notices keys that an object gives more than once."""

    def __init__(self) -> None:
        self.twice: list[str] = []
        self._count = 0
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)

    def read(self, text: str, start: int) -> tuple[JsonObject, int]:
        """Return the object that starts at a position, and where it ends."""
        self._count += 1
        if self._count > MAX_OBJECTS:
            raise InvalidAnswer(f"the answer holds more than {MAX_OBJECTS:,} objects")
        self.twice.clear()
        return self._decoder.raw_decode(text, start)

    def _object(self, pairs: list[tuple[str, Any]]) -> JsonObject:
        value = dict(pairs)
        if len(value) < len(pairs):
            self.twice += repeated(name for name, _ in pairs)
        return value
