"""What a server means by an error, told by its code and wording: a status alone says little.

Servers say the same in many ways, and different things with one status. The lists are of wordings
that were seen; `tests/backends/llm/wordings.jsonl` names whose each is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Meaning(StrEnum):
    """What an error of a server is about."""

    FILTERED = "filtered"
    """A content filter keeps the request or its answer back."""
    TOO_LONG = "too long"
    """The prompt, with room for an answer, does not fit the model's context."""
    NO_SYSTEM = "no system"
    """The model's chat template has no system message."""
    OTHER_LIMIT = "other limit"
    """The limit of an answer goes by another name: `max_completion_tokens`."""
    NO_STRUCTURE = "no structure"
    """The server does not hold a model to this kind of form."""
    UNPAID = "unpaid"
    """The account has nothing left to spend."""
    BAD_ANSWER = "bad answer"
    """The server rejects what the model answered."""
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Told:
    """What a server told with an error.

    Attributes:
        status: of HTTP.
        codes: what it names the error: its code, type and parameter.
        text: its words.
    """

    status: int
    codes: frozenset[str]
    text: str

    @property
    def meaning(self) -> Meaning:
        """What the error is about."""
        return next((meaning for meaning, holds in _TESTS if holds(self)), Meaning.UNKNOWN)

    @property
    def names_an_option(self) -> bool:
        """True if the words name something that an option sets."""
        return bool(_OPTION.search(self._words))

    @property
    def names_answer_limit(self) -> bool:
        """True if the words speak of the room that is kept for the answer."""
        return bool(_ANSWER_ROOM.search(self._words))

    @property
    def _words(self) -> str:
        # Some repeat the whole call after what they have to say of it.
        return self.text[:_READ_CHARS]

    def _is_filtered(self) -> bool:
        if self.codes & _FILTER_CODES:
            return True
        may_filter = 400 <= self.status < 500 and self.status not in _NEVER_FILTERED
        words = self._words
        return may_filter and bool(_FILTER.search(words)) and not _ACCOUNT.search(words)

    def _is_unpaid(self) -> bool:
        by_words = 400 <= self.status < 500 and _UNPAID.search(self._words)
        return bool(self.codes & _UNPAID_CODES or by_words)

    def _is_too_long(self) -> bool:
        if self.status == 413 or self.codes & _LENGTH_CODES:
            return True
        if self.status == 429:
            # More than a minute's tokens at once: no pause makes it fit.
            return bool(_OVER_RATE.search(self._words))
        words = self._words
        if self.status in _ABOUT_SOMETHING_ELSE or not _LENGTH.search(words):
            return False
        only_answer = _ANSWER_LIMIT.search(words) and not _PROMPT_ROOM.search(words)
        return not (only_answer or _QUOTA.search(words) or _SCHEMA.search(words))

    def _has_no_system(self) -> bool:
        return self.status not in _ABOUT_SOMETHING_ELSE and bool(_SYSTEM.search(self._words))

    def _names_other_limit(self) -> bool:
        return 400 <= self.status < 500 and bool(_OTHER_LIMIT.search(self._words))

    def _has_no_structure(self) -> bool:
        match self.status:
            case 400 | 422 | 501:
                return True
            case 404:
                return not (_ABSENT.search(self._words) or self.codes & _ABSENT_CODES)
            case 500:
                return bool(_STRUCTURE.search(self._words))
        return False

    def _has_bad_answer(self) -> bool:
        return bool(self.codes & _ANSWER_CODES)


_READ_CHARS = 2_000
_NEVER_FILTERED = frozenset({401, 402, 404, 408, 409, 413, 429})
_ABOUT_SOMETHING_ELSE = frozenset({401, 402, 408, 409, 429, 502, 503, 504, 529})

_FILTER_CODES = frozenset(
    {
        *("content_filter", "content_filter_error", "content_filtered", "content_blocked"),
        *("content_policy", "content_policy_violation", "content_moderation", "invalid_prompt"),
        *("contentpolicyviolationerror", "policy_violation", "prohibited_content", "safety"),
        *("responsibleaipolicyviolation", "responsible_ai_policy_violation"),
        *("data_inspection_failed", "datainspectionfailed", "guardrail_intervened"),
        *("moderation", "moderation_blocked", "sensitive_words_detected"),
        *("sensitivecontentdetected", "inputtextsensitivecontentdetected"),
    }
)
_FILTER = re.compile(
    r"(?i)content[ _-]?(management )?(polic(y|ies)|filter|moderation)|content exists risk|"
    r"\bfiltered\b.{0,60}\b(content|policy|safety)|safety (system|filter|polic|setting|check)|"
    r"\b(usage|use|safety|acceptable[ -]use) (polic(y|ies)|guidelines)|moderation|"
    r"\bflagged\b|(inappropriate|unsafe|sensitive|harmful|prohibited) (content|words|material)|"
    r"data_?inspection_?failed|guardrail|violat\w+.{0,40}\b(polic(y|ies)|guidelines|terms)|"
    r"\b(prompt|input|output|response)\b.{0,30}\bblocked\b|blocklist|"
    r"responsible ai|\u5185\u5bb9.{0,12}(\u654f\u611f|\u8fdd\u89c4|\u4e0d\u5b89\u5168)|"
    r"\u654f\u611f\u5185\u5bb9"
)
_ACCOUNT = re.compile(
    r"(?i)\b(account|organi[sz]ation|your access|project|ip address|subscription)\b.{0,60}"
    r"\b(suspended|terminated|deactivated|disabled|banned|restricted|blocked|flagged)\b"
)

_LENGTH_CODES = frozenset(
    {
        *("context_length_exceeded", "exceed_context_size_error", "string_above_max_length"),
        *("context_window_exceeded", "tokens_limit_reached", "request_too_large", "1261"),
        *("max_tokens_per_request", "contextwindowexceedederror", "prompt_too_long"),
    }
)
_UNPAID_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
# Not "quota" alone: some call a minute's rate so.
_UNPAID = re.compile(r"(?i)credit balance is too low|insufficient (balance|credits?|funds)")
_INPUT = r"(prompts?|inputs?|requests?|string|messages?|body|payload|entity|history|conversation)"
_EXCEEDS = (
    r"(exceed\w*|(longer|greater|larger|more|higher) than|over the|beyond|must have|must be|"
    r"should be|cannot be|limit is|is limited to|only (supports|accepts|allows))"
)
_MEASURE = r"(tokens?|length|maximum|characters|limit|size)"
_LENGTH = re.compile(
    r"(?i)context[ _-]?(length|window|size|limit)|context (is )?(full|overflow)|"
    r"max(imum)?[ _](allowed )?(model|seq|sequence|prompt|input)[ _]?len(gth)?\b|"
    rf"\b{_INPUT}\b[^;\n]{{0,60}}\btoo[ _](long|large|big|many)\b|"
    r"\btoo[ _](long|large|big)\b[^;\n]{0,40}\b(prompt|model|input|context)\b|"
    r"too[ _]many[ _](input |prompt |total )?tokens|compared to KV size|"
    rf"\b({_INPUT}|tokens?)\b[^;\n]{{0,80}}\b{_EXCEEDS}[^;\n]{{0,80}}\b{_MEASURE}\b|"
    r"range of input length|reduce (the length of )?(the|your) (messages|prompt|input)|"
    r"(token|length|input|size) limit (was |is |has been )?(exceeded|reached)|"
    r"exceed\w* (the )?(model('s)? )?(token|length|input|size) limit|"
    r"current length is \d+ while limit is|\u8d85\u957f|\u8f93\u5165.{0,12}\u8d85(\u8fc7|\u51fa)"
)
_SCHEMA = re.compile(r"(?i)response_format|invalid schema|\bschema (for|is|has|exceeds)\b")
_OVER_RATE = re.compile(
    r"(?i)request too large|(input|output) or (input|output) tokens must be reduced|"
    r"reduce (the length of )?your (message|prompt|input)"
)
_ANSWER_LIMIT = re.compile(
    r"(?i)max_(completion_|new_|output_)?tokens[\"'`]*:? ?(\(\d+\) ?)?"
    r"(\d+ ?>|(value )?(is |are )?too|must|should|cannot|exceeds|to be)|"
    r"range of max_tokens|at most \d+ (completion|output) tokens|num_predict"
)
_PROMPT_ROOM = re.compile(r"(?i)\b(inputs?|prompt|messages)\b")
_ANSWER_ROOM = re.compile(r"(?i)max_(completion_|new_|output_)?tokens|\b(completion|output)\b")
_QUOTA = re.compile(
    r"(?i)\bquotas?\b|\brate limit|\bper (minute|hour|day|month)\b|\b(daily|monthly)\b|"
    r"\bcredits?\b|\bbilling\b"
)

_SYSTEM = re.compile(
    r"(?i)\bsystem[\"'`]?[ _](role|message|prompt|instruction)s?\b[^.;]{0,60}\b(not|unsupported|"
    r"un\w+ed|invalid|disallowed)\b|"
    r"(not? support(ed)?|unsupported|n't support|not allow(ed)?|invalid|unexpected|unknown)\b"
    r"[^.;]{0,40}(?<!operating )[\"'`]?\bsystem\b|"
    r"role[^.;]{0,12}\bsystem\b[^.;]{0,30}\bnot (supported|allowed|accepted|valid)|"
    r"\bonly\b[^.;]{0,20}\buser\b[^.;]{0,12}\b(assistant|model)\b|"
    r"expected [\"'`]?user[\"'`]? ?(\||or) ?[\"'`]?(assistant|model)|"
    r"input should be [\"'`]?user[\"'`]?( or|,) ?[\"'`]?(assistant|model)|"
    r"\broles must alternate|ensure that roles alternate|developer instruction is not enabled|"
    r"(must start with|first message must)[^.;]{0,30}\buser\b"
)
_OTHER_LIMIT = re.compile(
    r"(?i)\buse\b[^.;]{0,12}\bmax_completion_tokens|max_completion_tokens\W{0,3}instead|"
    r"max_tokens\W{0,3}(is )?(deprecated|no longer)[^;]{0,60}max_completion_tokens"
)
_STRUCTURE = re.compile(
    r"(?i)response[ _]?(format|schema|mime_?type)|json[ _-]?(schema|object|mode)|grammar|"
    r"structured[ _-]?(output|generation|decoding)|guided[ _]?(json|decoding|generation)|"
    r"\bschema\b|output_(format|config)|constrained (output|decoding|generation|sampling)|"
    r"\bformat\b[^.;]{0,30}(unsupported|not (supported|implemented)|invalid)|"
    r"(unsupported|invalid|unknown|no such)[^.;]{0,20}\bformat\b|xgrammar|outlines|llguidance"
)
_ABSENT_CODES = frozenset({"model_not_found", "not_found_error", "deploymentnotfound", "notfound"})
_ABSENT = re.compile(
    r"(?i)\bmodels?\b.{0,200}\b(not (be )?found|does not exist|not exist|unavailable|no access)|"
    r"\b(no such|unknown|invalid|find) model|(invalid|unknown) (url|route|endpoint)|"
    r"(page|file|route|path|url|resource|deployment)\b.{0,80}not found|"
    r"^[^a-z]*((\w*(error|exception)|litellm|detail|message)[^a-z]+)*"
    r"not found[^a-z]*$|<html|cannot post"
)
_ANSWER_CODES = frozenset({"json_validate_failed"})
_OPTION = re.compile(
    r"(?i)temperature|max_(completion_|new_|output_)?tokens|num_predict|\bseed\b|model=|"
    r"\b(model name|model id|unknown model|invalid model|no such model)\b|"
    r"\bmodel\b.{0,80}\b(not (be )?found|does not exist|not exist)|llm provider"
)

_TESTS = (
    (Meaning.FILTERED, Told._is_filtered),
    (Meaning.UNPAID, Told._is_unpaid),
    (Meaning.BAD_ANSWER, Told._has_bad_answer),
    (Meaning.TOO_LONG, Told._is_too_long),
    (Meaning.NO_SYSTEM, Told._has_no_system),
    (Meaning.OTHER_LIMIT, Told._names_other_limit),
    (Meaning.NO_STRUCTURE, Told._has_no_structure),
)
