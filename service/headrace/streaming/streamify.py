"""streamify: a program as a stream of what happens inside it, in process.

Each call is a run of its own that writes a log, and the stream reads that log, as every reader does
(law 2); being the only one, it takes out what it reads. Nothing of a run lives in the wrapper, so one
streamified program serves any number of them.
"""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from typing import Any, Literal, overload

from headrace.asyncify import demand_callable
from headrace.calls import StatusMessageProvider, StatusMessages
from headrace.errors import HeadraceError, ProgramError, ProgramResultInvalid
from headrace.execution import Execution, Work
from headrace.module import Module
from headrace.settings import captured_context
from headrace.streaming.listeners import StreamListener, bind_listeners
from headrace.streaming.responses import ResponseFilter
from headrace.streaming.sync import apply_sync_streaming
from headrace.threads import portal

Items = AsyncGenerator[Any, None]


@overload
def streamify(
    program: Callable[..., Any],
    status_message_provider: StatusMessageProvider | None = None,
    stream_listeners: Sequence[StreamListener] | None = None,
    include_final_prediction_in_output_stream: bool = True,
    is_async_program: bool = False,
    async_streaming: Literal[True] = True,
) -> Callable[..., Items]: ...


@overload
def streamify(
    program: Callable[..., Any],
    status_message_provider: StatusMessageProvider | None = None,
    stream_listeners: Sequence[StreamListener] | None = None,
    include_final_prediction_in_output_stream: bool = True,
    is_async_program: bool = False,
    *,
    async_streaming: Literal[False],
) -> Callable[..., Generator[Any, None, None]]: ...


def streamify(
    program: Callable[..., Any],
    status_message_provider: StatusMessageProvider | None = None,
    stream_listeners: Sequence[StreamListener] | None = None,
    include_final_prediction_in_output_stream: bool = True,
    is_async_program: bool = False,
    async_streaming: bool = True,
) -> Callable[..., Any]:
    """Wraps a program so that a call gives a stream: statuses, field text, then what it returned.

    program: a module, an asyncified one, or a function that calls modules.
    status_message_provider: the words of the statuses; the default speaks of tools only.
    stream_listeners: which fields stream; None = every str field of every predictor, [] = none.
    include_final_prediction_in_output_stream: False leaves the Prediction out, unless no text of any
        field was streamed (as after an answer from the cache).
    is_async_program: a function that is not a module returns an awaitable. Modules are known.
    async_streaming: False gives a sync generator.

    The stream yields `StreamResponse`, `StatusMessage`, each `CustomEvent` that the program tells, and the
    Prediction (or whatever else the program returned). It raises what the program raised. Settings are those in force at the call, not at the
    iteration. Leaving it early, by whatever means, stops the run and closes the provider's connection.
    Raises UsageError at once for listeners that fit no predictor, or several.
    """
    demand_callable(program, "streamify")
    stream = _Streamified(
        program,
        StatusMessages(status_message_provider),
        stream_listeners,
        include_final_prediction_in_output_stream,
        is_async_program,
    )

    if async_streaming:
        return stream.call

    @functools.wraps(program, updated=())
    def sync_stream(*args: Any, **kwargs: Any) -> Generator[Any, None, None]:
        return apply_sync_streaming(stream.call(*args, **kwargs))

    return sync_stream


class _Streamified:
    def __init__(
        self,
        program: Callable[..., Any],
        messages: StatusMessages,
        listeners: Sequence[StreamListener] | None,
        include_prediction: bool,
        is_async: bool,
    ) -> None:
        self._program = program
        self._messages = messages
        self._include_prediction = include_prediction
        self._is_async = is_async
        self._addresses, self._wants = bind_listeners(inspect.unwrap(program), listeners)

    def call(self, /, *args: Any, **kwargs: Any) -> Items:
        """Captures the settings in force and gives the stream; the program starts when it is read."""
        work = Work(
            functools.partial(self._call_program, args, kwargs),
            name=type(self._program).__name__,
            instance=self._program,
            inputs=kwargs,
            addresses=self._addresses,
            messages=self._messages,
        )
        responses = ResponseFilter(self._wants, self._include_prediction)

        return _follow(work, captured_context(), responses)

    async def _call_program(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
        program = self._program

        if isinstance(program, Module):
            return await program.acall(*args, **kwargs)

        if self._is_async:
            return await program(*args, **kwargs)

        return await portal.call(program, *args, **kwargs)


async def _follow(work: Work, context: contextvars.Context, responses: ResponseFilter) -> Items:
    execution = Execution(work)
    execution.start(context)
    cursor = 0

    try:
        while await execution.log.wait(cursor):
            for entry in execution.log.drain():
                cursor = entry.sequence

                if (item := responses.item(entry.event)) is not None:
                    yield item

        _raise_failure(execution)
    finally:
        execution.cancel("caller")
        await execution.ended()


def _raise_failure(execution: Execution) -> None:
    """Raises what ended the run: a program's own exception as it was, not our wrapping of it."""
    error = execution.error

    if isinstance(error, ProgramError) and error.__cause__ is not None:
        raise error.__cause__

    if isinstance(error, HeadraceError):
        raise error

    if execution.result is not None and execution.result.value is None:
        raise ProgramResultInvalid("the program returned None; return a Prediction")
