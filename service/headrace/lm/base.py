"""The contract of a language model, and the one method an LM has to implement.

An LM pushes deltas into a plain function while it reads, and returns the completion when the
provider is done. Pushing, not yielding: nothing is suspended inside a deadline (law 7), cancelling
the calling task closes the provider's connection where it stands, and no task switch stands between
the socket and the parser.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias

from headrace.calls import open_call
from headrace.errors import UsageError
from headrace.events import Kind, LmCall, Usage
from headrace.lm.history import remember
from headrace.parsing import ReasoningParser, joined, read_whole
from headrace.parsing.reasoning import (
    REASONING,
    REASONING_TAGS,
    TEXT,
    Marks,
    ReasoningTags,
    marks_of,
)
from headrace.threads import portal

Message: TypeAlias = dict[str, Any]
"""A chat message as OpenAI's API writes it: role, content, and what goes with them."""


UTF_8 = "utf-8", "surrogatepass"
"""The encoding of text that still grows: it may end in half a surrogate pair."""


class Delta(NamedTuple):
    """A piece of the answer, as the provider cut it."""

    text: str
    reasoning: str = ""
    """Reasoning content, which the provider sends apart from the text or the model in tags."""
    choice: int = 0
    """The number of its completion, where n were asked for."""


Receive: TypeAlias = Callable[[Delta], None]
"""Takes deltas as they come. Runs on the event loop, must not block, and raises to stop the call."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One complete answer."""

    text: str
    reasoning: str = ""
    tool_calls: Sequence[Mapping[str, Any]] = ()
    """As OpenAI writes them: id, type, function{name, arguments}."""
    finish_reason: str = "stop"
    logprobs: Any = None

    @property
    def is_cut(self) -> bool:
        """It reached its token limit, and may lack its end."""
        return self.finish_reason in ("length", "max_tokens")


@dataclass(frozen=True, slots=True)
class Completion:
    """The whole answer to a call."""

    choices: Sequence[Choice]
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    lm: LmCall | None = None
    """The engine and the attempt that served the call; `lm.cached` when it came from the cache."""

    @property
    def text(self) -> str:
        """The first answer's text."""
        return self.choices[0].text


@dataclass(frozen=True, slots=True)
class Request:
    """One call to an LM."""

    messages: Sequence[Message]
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """temperature, max_tokens, n, response_format, tools, rollout_id …, over the LM's own."""


def ignore(delta: Delta) -> None:
    """A receiver for callers who only want the completion."""


class BaseLM(abc.ABC):
    """A language model. Subclasses implement `generate`; callers use `complete`, `acall` or `()`.

    What a model writes at the beginning of its text between `reasoning_tags`, such as
    `<think>…</think>`, is reasoning and no text; None leaves it where it stands.
    """

    def __init__(
        self,
        model: str,
        *,
        callbacks: Sequence[Any] = (),
        reasoning_tags: ReasoningTags | None = REASONING_TAGS,
        **options: Any,
    ) -> None:
        marks_of(reasoning_tags)
        self.model = model
        self.callbacks = list(callbacks)
        self.reasoning_tags = reasoning_tags
        self.kwargs: dict[str, Any] = options
        """Options sent with every call unless the call overrides them."""

    @abc.abstractmethod
    async def generate(self, request: Request, receive: Receive) -> Completion:
        """Answers a request: pushes every delta into `receive`, then returns the whole.

        Cancelling the awaiting task closes the provider's connection before it returns.
        Raises an `LMError`, and only that, for whatever the provider does.
        """

    def supports(self, feature: str) -> bool:
        """True where the model has `feature`: "response_schema", "response_format", "reasoning", "tools"."""
        return False

    async def takes(self, **options: Any) -> bool:
        """True where the model takes these options beside the LM's own, and where nobody knows."""
        return True

    async def check(self) -> None:  # noqa: B027 - most LMs have nothing to check
        """Raises LMNotConfiguredError for what every call would raise before it asks anybody."""

    async def complete(
        self, messages: Sequence[Message], receive: Receive = ignore, **options: Any
    ) -> Completion:
        """Calls the model inside an LM call: statuses, callbacks, usage and history are recorded.

        `reasoning_tags` among the options go before the LM's own.
        """
        inputs = {"messages": messages, **options}
        marks = marks_of(options.pop("reasoning_tags", self.reasoning_tags))
        request = Request(messages, {**self.kwargs, **options})

        with open_call(Kind.LM, self.model, self, inputs, LmCall(self.model)) as call:
            completion = await self._generate(request, receive, marks)
            texts = [choice.text for choice in completion.choices]
            remember(self.model, messages, texts)
            call.lm = completion.lm or call.lm
            call.usage = completion.usage
            call.outputs = texts

        return completion

    async def _generate(
        self, request: Request, receive: Receive, marks: Marks | None
    ) -> Completion:
        if marks is None:
            return _checked(await self.generate(request, receive), self)

        separator = _Separator(receive, marks)
        completion = await self.generate(request, separator.receive)

        return separator.finish(_checked(completion, self))

    async def acall(
        self, prompt: str | None = None, messages: Sequence[Message] | None = None, **options: Any
    ) -> list[Any]:
        """Calls the model with a prompt or messages; gives one answer per completion.

        An answer is its text, or a dict (text, reasoning_content, tool_calls, logprobs) where the
        provider sent more than text.
        """
        if messages is None:
            if prompt is None:
                raise UsageError("an LM call needs a prompt or messages")

            messages = [{"role": "user", "content": prompt}]

        completion = await self.complete(messages, **options)

        return [_answer(choice) for choice in completion.choices]

    def __call__(
        self, prompt: str | None = None, messages: Sequence[Message] | None = None, **options: Any
    ) -> list[Any]:
        """`acall` for synchronous code."""
        return portal.run(self.acall, prompt, messages, **options)


def _checked(completion: object, lm: BaseLM) -> Completion:
    """The result of `generate`. Raises UsageError for anything but a completion."""
    if not isinstance(completion, Completion):
        raise UsageError(
            f"{type(lm).__name__}.generate must return a Completion, not {type(completion).__name__}"
        )

    if not isinstance(completion.usage, Usage):  # pyright: ignore[reportUnnecessaryIsInstance] - of LMs of users' own
        raise UsageError(
            f"the usage of a Completion is a Usage, not {type(completion.usage).__name__}"
        )

    return completion


def _answer(choice: Choice) -> Any:
    extras = {
        "reasoning_content": choice.reasoning,
        "tool_calls": list(choice.tool_calls),
        "logprobs": choice.logprobs,
    }
    present = {name: value for name, value in extras.items() if value}

    return {"text": choice.text, **present} if present else choice.text


class _Separator:
    """Stands between an LM and a receiver, and makes reasoning of what stands in reasoning tags.

    Deltas and the completion are parted alike. In an answer that has begun everything is passed on.
    """

    def __init__(self, receive: Receive, marks: Marks) -> None:
        self._receive = receive
        self._marks = marks
        self._parsers: dict[int, ReasoningParser] = {}
        self._answering: set[int] = set()

    def receive(self, delta: Delta) -> None:
        """Takes the next delta."""
        choice = delta.choice

        if choice in self._answering or not delta.text:
            self._receive(delta)
            return

        parser = self._parsers.get(choice) or self._begin(choice)
        self._pass(choice, joined(parser.feed(delta.text)), delta.reasoning)

        if parser.answering:
            self._answering.add(choice)

    def finish(self, completion: Completion) -> Completion:
        """Passes on what was held back; gives the completion with its reasoning apart."""
        for choice, parser in self._parsers.items():
            self._pass(choice, joined(parser.close()))

        return replace(completion, choices=[self._parted(one) for one in completion.choices])

    def _begin(self, choice: int) -> ReasoningParser:
        parser = self._parsers[choice] = ReasoningParser(self._marks)

        return parser

    def _pass(self, choice: int, parts: dict[str, str], native: str = "") -> None:
        text, reasoning = parts.get(TEXT, ""), native + parts.get(REASONING, "")

        if text or reasoning:
            self._receive(Delta(text, reasoning, choice))

    def _parted(self, choice: Choice) -> Choice:
        parts = read_whole(ReasoningParser(self._marks), choice.text)
        text = parts.get(TEXT, "")

        if text == choice.text:
            return choice

        return replace(choice, text=text, reasoning=choice.reasoning + parts.get(REASONING, ""))
