"""Puts an answer together from chunks of OpenAI's dialect, and says when it is not one.

Both engines feed it, so they agree on every quirk. What a provider adds is ignored; what it leaves
out is tolerated, except the finish reason: an answer without one broke off. Some providers name one in
every chunk. So a reason after which the answer went on proves nothing: then only the provider's [DONE],
or a clean end of the body, makes the answer whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from headrace.errors import ContentRefusedError, LMServerError, LMStreamBrokenError
from headrace.lm.answer.tool_calls import ToolCalls
from headrace.lm.base import UTF_8, Choice, Delta, Receive
from headrace.lm.loose_json import NOTHING, mapping, sequence, text_of
from headrace.lm.surrogates import Mender

Chunk: TypeAlias = Mapping[str, Any]

FINISH_REASONS = {
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "end_turn": "stop",
    "max_tokens": "length",
    "model_length": "length",
    "function_call": "tool_calls",
}
"""Providers' own names, in OpenAI's words."""
PROVIDER_GAVE_UP = frozenset({"error", "insufficient_system_resource"})


@dataclass(slots=True)
class Draft:
    """One completion as far as it has come."""

    text: bytearray = field(default_factory=bytearray)  # strings would take six times as much
    reasoning: bytearray = field(default_factory=bytearray)
    refusal: list[str] = field(default_factory=list[str])
    tool_calls: ToolCalls = field(default_factory=ToolCalls)
    logprobs: list[Any] = field(default_factory=list[Any])
    finish_reason: str = ""
    early: bool = False  # that reason: more came after one
    text_mender: Mender = field(default_factory=Mender)
    reasoning_mender: Mender = field(default_factory=Mender)

    @property
    def has_content(self) -> bool:
        """There is text, reasoning or a tool call in it."""
        return bool(self.text or self.reasoning or self.tool_calls)


class Assembly:
    """The answer to one attempt: `feed` pushes deltas to the receiver, `choices` gives the whole.

    joins: text that comes together is pushed as one delta; `flush` says where it ends.
    count: the completions that were asked for.
    """

    def __init__(
        self, receive: Receive, model: str, *, joins: bool = False, count: int = 1
    ) -> None:
        self._receive = receive
        self._model = model
        self._joins = joins
        self._count = count
        self._drafts: dict[int, Draft] = {}
        self._gathered: list[str] = []
        self._gathered_for = 0, False  # the completion's number, and whether it is thinking
        self.suspicious = False
        """Text may hold surrogates from here on, and is mended."""
        self.finished = False
        """Every completion has its finish reason, and nothing came after it: what is here is whole."""
        self.settled: bool = False
        """It is finished, and by a sign that stands alone: a finish reason without text, or the usage."""
        self.pieces: int = 0
        """Pieces of the answer so far: what counts as progress."""
        self.emitted = False
        """The receiver has been called."""
        self.stopped_by: BaseException | None = None
        """The error that the receiver raised, to stop the call."""
        self.usage: Mapping[str, Any] = NOTHING
        """As the provider wrote it."""
        self.served_by = ""
        """The model's name as the provider reports it."""

    @property
    def has_content(self) -> bool:
        """There is text, reasoning or a tool call in it."""
        return any(draft.has_content for draft in self._drafts.values())

    def feed(self, chunk: Chunk) -> None:
        """Takes a chunk, or a whole response."""
        sent = chunk.get("choices")
        choices: list[dict[str, Any]] = sent if type(sent) is list else []  # pyright: ignore[reportUnknownVariableType] - JSON

        for choice in choices:
            if type(choice) is dict:
                self._take(choice)

        if "usage" in chunk or "x_groq" in chunk:
            self._take_usage(chunk)

        if not self.served_by:
            self.served_by = text_of(chunk.get("model"))

        if self._gathered and not self._joins:
            self.flush()

    def flush(self) -> None:
        """Pushes what has been gathered."""
        if not self._gathered:
            return

        piece, (index, thinking) = "".join(self._gathered), self._gathered_for
        self._gathered.clear()
        self.emitted = True

        try:
            self._receive(Delta("", piece, index) if thinking else Delta(piece, "", index))
        except BaseException as error:
            self.stopped_by = error
            raise

    def end(self) -> None:
        """The provider says that it is done: finish reasons hold, however early they came."""
        for draft in self._drafts.values():
            draft.early = False

        self._count = 1
        self._judge()

    def _take_usage(self, chunk: Chunk) -> None:
        if usage := chunk.get("usage") or mapping(chunk.get("x_groq")).get("usage"):
            self.usage = mapping(usage)

            if self.finished and not self.settled and not chunk.get("choices"):
                self.settled = True
                self.pieces += 1

    def _take(self, choice: dict[str, Any]) -> None:
        index = choice.get("index")
        index = index if type(index) is int else 0
        draft = self._drafts.get(index) or self._begin(index)
        delta: dict[str, Any] = choice.get("delta") or choice.get("message") or {}
        pieces = self.pieces

        if type(delta) is dict:
            content = delta.get("content")

            if content:
                self._write(draft, index, content)

            if not content or len(delta) > 1:
                self._take_extras(draft, index, delta)

        if draft.finish_reason and self.pieces != pieces:
            draft.early = True
            self._judge()

        if reason := choice.get("finish_reason"):
            draft.finish_reason = FINISH_REASONS.get(str(reason), text_of(reason))
            self._judge()
            self.settled = self.settled or (self.finished and self.pieces == pieces)
            self.pieces += 1

        if logprobs := choice.get("logprobs"):
            draft.logprobs.extend(sequence(mapping(logprobs).get("content")))

    def _begin(self, index: int) -> Draft:
        draft = self._drafts[index] = Draft()
        self._judge()

        return draft

    def _judge(self) -> None:
        self.finished = len(self._drafts) >= self._count and all(
            draft.finish_reason and not draft.early for draft in self._drafts.values()
        )
        self.settled = self.settled and self.finished

    def choices(self) -> list[Choice]:
        """The whole answer. Raises LMStreamBrokenError, ContentRefusedError or LMServerError."""
        if not self._drafts:
            raise LMStreamBrokenError("the LM's answer is empty", model=self._model)

        return [self._choice(index, self._drafts[index]) for index in sorted(self._drafts)]

    def _write(self, draft: Draft, index: int, content: Any) -> None:
        if type(content) is not str:
            self._write_parts(draft, index, content)
            return

        if self.suspicious:
            content = draft.text_mender.feed(content)

        draft.text += content.encode(*UTF_8)
        self._say(content, index)

    def _write_parts(self, draft: Draft, index: int, parts: Any) -> None:
        """Content as a list: text, and thinking that holds a list of its own."""
        for part in sequence(parts):
            match part:
                case {"type": "text", "text": str(text)}:
                    self._write(draft, index, text)
                case {"type": "thinking", "thinking": inner}:
                    texts = (mapping(one).get("text") for one in sequence(inner))
                    self._think(draft, index, "".join(str(text) for text in texts if text))
                case _:
                    pass

    def _take_extras(self, draft: Draft, index: int, delta: Mapping[str, Any]) -> None:
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")

        if reasoning and isinstance(reasoning, str):
            self._think(draft, index, reasoning)

        if refusal := delta.get("refusal"):
            self.pieces += 1
            draft.refusal.append(text_of(refusal))

        if calls := sequence(delta.get("tool_calls")) or _legacy_call(delta):
            self.pieces += 1
            draft.tool_calls.add(calls)

    def _think(self, draft: Draft, index: int, reasoning: str) -> None:
        if self.suspicious:
            reasoning = draft.reasoning_mender.feed(reasoning)

        draft.reasoning += reasoning.encode(*UTF_8)
        self._say(reasoning, index, thinking=True)

    def _say(self, piece: str, index: int, *, thinking: bool = False) -> None:
        self.pieces += 1

        if not piece:
            return

        if self._gathered and (index, thinking) != self._gathered_for:
            self.flush()

        self._gathered_for = index, thinking
        self._gathered.append(piece)

    def _choice(self, index: int, draft: Draft) -> Choice:
        self._release(index, draft)
        reason = draft.finish_reason
        text, reasoning = draft.text.decode(*UTF_8), draft.reasoning.decode(*UTF_8)

        if not reason:
            raise LMStreamBrokenError(
                "the LM's answer broke off: it ended without a finish reason", model=self._model
            )

        if reason == "content_filter":
            raise ContentRefusedError("a content filter stopped the answer", model=self._model)

        if draft.refusal and not text:
            detail = "".join(draft.refusal)
            raise ContentRefusedError("the model refused", model=self._model, detail=detail)

        if reason in PROVIDER_GAVE_UP:
            raise LMServerError(f"the provider gave up: {reason}", model=self._model)

        tool_calls = draft.tool_calls.whole()

        if reason == "stop" and not (text or reasoning or tool_calls):
            raise LMStreamBrokenError("the LM's answer is empty", model=self._model)

        logprobs = {"content": draft.logprobs} if draft.logprobs else None

        return Choice(text, reasoning, tool_calls, reason, logprobs)

    def _release(self, index: int, draft: Draft) -> None:
        """Lets go of what waited for its other half."""
        if text := draft.text_mender.close():
            draft.text += text.encode(*UTF_8)
            self._say(text, index)

        if reasoning := draft.reasoning_mender.close():
            draft.reasoning += reasoning.encode(*UTF_8)
            self._say(reasoning, index, thinking=True)

        self.flush()


def _legacy_call(delta: Mapping[str, Any]) -> list[Any]:
    """The one call of providers that still write `function_call`, as a tool call's piece."""
    function = delta.get("function_call")

    return [{"function": function}] if function else []
