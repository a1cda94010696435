"""ReAct: an agent that thinks, calls tools, looks at what they gave, and answers when it knows.

Each turn is one call of the predictor `react`, so each turn's `next_thought` streams under a call id
of its own; the answer comes from the ChainOfThought `extract`, which sees the whole trajectory.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import WrapValidator

from headrace.adapters import adapter_in_use
from headrace.adapters.prompt_text import shown_value
from headrace.calls import BaseCallback
from headrace.chain_of_thought import ChainOfThought
from headrace.errors import (
    AdapterParseError,
    CannotAsk,
    ContextWindowExceededError,
    InputDeclined,
    InputExpired,
    UsageError,
)
from headrace.module import PredictingModule
from headrace.predict import Predict, refuse_positional
from headrace.signatures import InputField, OutputField, Signature, ensure_signature, make_signature
from headrace.tools import Tool, ToolRequest, read_request
from headrace.values import Prediction

logger = logging.getLogger("headrace.react")

FINISH = "finish"
SHORTENINGS = 3
"""Cuts of a trajectory that overflows the context window, by its oldest turn each."""

TURN_INSTRUCTIONS = """\
{task}

You are an agent. From {inputs} you are to find {outputs}, with the help of tools.
In each turn, write what you think in `next_thought`, then name one tool in `next_tool_name` and give
its arguments as a JSON object in `next_tool_args`. What the tool gives is added to `trajectory`, which
holds all turns so far.
The tools are:
{tools}"""

AS_WRITTEN = WrapValidator(lambda value, _: value)
"""For types that tell the model what is asked of it, and hold it to nothing."""

Trajectory = dict[str, Any]
"""thought_0, tool_name_0, tool_args_0, observation_0, thought_1 …"""


class ReAct(PredictingModule):
    """Solves a signature with tools, in at most `max_iters` turns.

    Tools are functions or `Tool`s; one more, `finish`, lets the model say that it knows enough, with
    whatever arguments. A tool that raises or is not there, one that people did not allow, and an answer of
    the model that does not parse, become observations the model sees.
    Gives a Prediction with the signature's outputs, `reasoning` and `trajectory`.
    """

    def __init__(
        self,
        signature: str | type[Signature],
        tools: Iterable[Callable[..., Any] | Tool],
        max_iters: int = 20,
        callbacks: list[BaseCallback] | None = None,
    ) -> None:
        super().__init__(callbacks)
        self.signature = ensure_signature(signature)
        self.max_iters = max_iters
        self.tools = _by_name(tools, self.signature)
        self.react = Predict(_turn_signature(self.signature, self.tools))
        self.extract = ChainOfThought(_extract_signature(self.signature))

    async def aforward(self, /, *args: Any, **inputs: Any) -> Prediction:
        """Takes turns until `finish` or `max_iters` (which a call may override), then answers."""
        refuse_positional(args, self.signature)
        trajectory: Trajectory = {}

        for turn in range(self._limit(inputs)):
            if await self._take_turn(turn, trajectory, inputs) == FINISH:
                break

        answer = await self._with_shortening(self.extract, trajectory, inputs)

        return Prediction(trajectory=trajectory, **answer)

    def _limit(self, inputs: dict[str, Any]) -> int:
        """Turns there may be, at most; takes what the call says of it out of the inputs."""
        if "max_iters" in self.signature.input_fields:
            return self.max_iters

        limit: int = inputs.pop("max_iters", self.max_iters)

        return limit

    async def _take_turn(self, turn: int, trajectory: Trajectory, inputs: Mapping[str, Any]) -> str:
        """Adds one turn to the trajectory; gives the name of the tool that was called."""
        try:
            step = await self._with_shortening(self.react, trajectory, inputs)
        except AdapterParseError as error:
            trajectory[f"thought_{turn}"] = ""
            trajectory[f"observation_{turn}"] = (
                f"The last answer could not be read: {error.message}"
            )

            return ""

        request = read_request(step.next_tool_name, step.next_tool_args, self.tools)
        trajectory[f"thought_{turn}"] = step.next_thought
        trajectory[f"tool_name_{turn}"] = request.name
        trajectory[f"tool_args_{turn}"] = shown_value(request.arguments)
        trajectory[f"observation_{turn}"] = await self._observe(request)

        return request.name

    async def _observe(self, request: ToolRequest) -> Any:
        """The outcome of the tool, as the model sees it: its result, or what went wrong."""
        name, given = request.name, request.arguments
        arguments = cast("dict[str, Any]", given) if isinstance(given, dict) else {}

        if request.fault and name != FINISH:  # which says the same, whatever it is given
            return request.fault

        try:
            return shown_value(await self.tools[name].acall(**arguments))
        except CannotAsk:
            raise
        except (InputDeclined, InputExpired) as error:
            return f"Error in {name}: {error.message}"
        except Exception as error:
            logger.debug("tool %s raised", name, exc_info=True)

            return f"Error in {name}: {type(error).__name__}: {_without_paths(error)}"

    async def _with_shortening(
        self, module: PredictingModule, trajectory: Trajectory, inputs: Mapping[str, Any]
    ) -> Prediction:
        for _ in range(SHORTENINGS):
            try:
                return await module.acall(**inputs, trajectory=_written(trajectory))
            except ContextWindowExceededError:
                if not _drop_oldest_turn(trajectory):
                    raise

        return await module.acall(**inputs, trajectory=_written(trajectory))


def _by_name(
    tools: Iterable[Callable[..., Any] | Tool], signature: type[Signature]
) -> dict[str, Tool]:
    if not isinstance(tools, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise UsageError(f"tools is a list of functions or Tools, not {tools!r}")

    named: dict[str, Tool] = {}

    for one in tools:
        tool = one if isinstance(one, Tool) else Tool(one)

        if tool.name in (FINISH, *named):
            owner = "ReAct has one" if tool.name == FINISH else "there are two"
            raise UsageError(f"{owner} named {tool.name}; name it: Tool(function, name='...')")

        named[tool.name] = tool

    outputs = ", ".join(signature.output_fields)
    named[FINISH] = Finish(f"Says that all that is needed for {outputs} is known.")

    return named


def _without_paths(error: Exception) -> str:
    """The text of an error, with files called by their names, not by where they lie."""
    text = str(error)

    for attribute in ("filename", "filename2", "path"):
        place = getattr(error, attribute, None)

        if isinstance(place, str):
            text = text.replace(place, os.path.basename(place))

    return text


class Finish(Tool):
    """The tool that ends the turns, of which no status speaks. It takes whatever it is given."""

    silent = True

    def __init__(self, desc: str) -> None:
        super().__init__(_completed, name=FINISH, desc=desc)

    def _checked(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        return {}


def _completed() -> str:
    return "Completed."


def _turn_signature(signature: type[Signature], tools: Mapping[str, Tool]) -> type[Signature]:
    inputs = ", ".join(f"`{name}`" for name in signature.input_fields)
    outputs = ", ".join(f"`{name}`" for name in signature.output_fields)
    listing = "\n".join(f"({index}) {tool}" for index, tool in enumerate(tools.values(), 1))
    instructions = TURN_INSTRUCTIONS.format(
        task=signature.instructions, inputs=inputs, outputs=outputs, tools=listing
    )
    turn = [
        *signature.input_fields.values(),
        InputField(desc="the turns so far").named("trajectory", str),
        OutputField("").named("next_thought", str),
        OutputField().named("next_tool_name", Annotated[Literal[tuple(tools)], AS_WRITTEN]),
        OutputField(None).named("next_tool_args", Annotated[dict[str, Any], AS_WRITTEN]),
    ]

    return make_signature(turn, instructions)


def _extract_signature(signature: type[Signature]) -> type[Signature]:
    return signature.append("trajectory", InputField(desc="what was thought, done and seen"), str)


def _written(trajectory: Trajectory) -> str:
    """The trajectory as the adapter in use writes fields."""
    adapter = adapter_in_use()
    fields = [InputField().named(name, str) for name in trajectory]
    signature = make_signature([*fields, OutputField().named("next", str)])

    return adapter.format_user_message_content(signature, trajectory) if trajectory else ""


def _drop_oldest_turn(trajectory: Trajectory) -> bool:
    turns = sorted({int(key.rpartition("_")[2]) for key in trajectory})

    if len(turns) < 2:
        return False

    for key in [key for key in trajectory if key.rpartition("_")[2] == str(turns[0])]:
        del trajectory[key]

    return True
