"""The client for code without an event loop: the same core, on a loop in a thread of its own.

The rule: nothing is decided here. Every method hands its arguments to the asynchronous one and
waits for what that gives.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, Unpack

from headrace_proto.v1.headrace_pb2 import (
    CancelRunResponse,
    InputResolved,
    Prediction,
    StreamEvent,
)

from headrace_client._client import DEFAULT_ADDRESS, Client, ClientOptions
from headrace_client._loop_thread import LoopThread
from headrace_client._run import Event, RunStream

P = ParamSpec("P")
T = TypeVar("T")


class SyncRunStream:
    """`RunStream` without `async` and `await`: open it with `with`, iterate with `for`.

    ```python
    from headrace_client import SyncClient, Token

    with SyncClient() as client, client.run("composer", question="why?") as run:
        for event in run:
            if isinstance(event, Token):
                print(event.chunk, end="", flush=True)
    ```
    """

    def __init__(self, loop: LoopThread, run: RunStream) -> None:
        self._loop = loop
        self._run = run
        self.run_id = run.run_id

    def __enter__(self) -> Self:
        self._loop.wait(self._run.__aenter__)

        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._loop.is_idle:
            self._loop.wait(self._run.__aexit__, exc_type, exc, traceback)

    @property
    def last_event(self) -> StreamEvent | None:
        """As in `RunStream`."""
        return self._run.last_event

    @property
    def cursor(self) -> int:
        """As in `RunStream`."""
        return self._run.cursor

    def __iter__(self) -> Iterator[Event]:
        return self._each(aiter(self._run))

    def prediction(self) -> Prediction:
        """As in `RunStream`."""
        return self._loop.wait(self._run.prediction)

    def result(self) -> dict[str, Any]:
        """As in `RunStream`."""
        return self._loop.wait(self._run.result)

    def text(self, selector: str, *, call_id: int | None = None) -> str:
        """As in `RunStream`."""
        return self._run.text(selector, call_id=call_id)

    def field(self, selector: str) -> Iterator[str]:
        """As in `RunStream`; fields may be read side by side from several threads."""
        return self._each(self._run.field(selector))

    def answer(self, input_id: str, /, value: object, *, reason: str = "") -> InputResolved:
        """As in `RunStream`."""
        return self._loop.wait(self._run.answer, input_id, value, reason=reason)

    def decline(self, input_id: str, /, *, reason: str = "") -> InputResolved:
        """As in `RunStream`."""
        return self._loop.wait(self._run.decline, input_id, reason=reason)

    def cancel(self, reason: str = "") -> CancelRunResponse:
        """As in `RunStream`."""
        return self._loop.wait(self._run.cancel, reason)

    def detach(self) -> None:
        """As in `RunStream`."""
        self._run.detach()

    def _each(self, items: AsyncIterator[T]) -> Iterator[T]:
        while True:
            try:
                yield self._loop.wait(items.__anext__)
            except StopAsyncIteration:
                return


def _opening(
    method: Callable[Concatenate[Client, P], RunStream],
) -> Callable[Concatenate[SyncClient, P], SyncRunStream]:
    """The method of `Client` as one of `SyncClient`, with the same parameters."""

    @functools.wraps(method)
    def open_run(self: SyncClient, /, *args: P.args, **kwargs: P.kwargs) -> SyncRunStream:
        return SyncRunStream(self.loop, method(self.client, *args, **kwargs))

    return open_run


def _waiting(
    method: Callable[Concatenate[Client, P], Awaitable[T]],
) -> Callable[Concatenate[SyncClient, P], T]:
    """The method of `Client` as one of `SyncClient`, with the same parameters."""

    @functools.wraps(method)
    def wait(self: SyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.loop.wait(method, self.client, *args, **kwargs)

    return wait


class SyncClient:
    """`Client` without `async` and `await`; every method is that of `Client`. Threads may share it.

    ```python
    from headrace_client import SyncClient

    with SyncClient("127.0.0.1:50051") as client:
        for program in client.programs():
            print(program.name, program.description)
    ```
    """

    def __init__(self, address: str = DEFAULT_ADDRESS, **options: Unpack[ClientOptions]) -> None:
        """Connects at the first call; the options are those of `Client`."""
        self.client = Client(address, **options)
        """The asynchronous one that does the work, on `loop`."""
        self.loop = LoopThread()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection and ends the thread; waits elsewhere end with StreamClosed.

        Closing again does nothing, nor does closing what a parent process has open.
        """
        self.loop.stop(self.client.close)

    run = _opening(Client.run)
    attach = _opening(Client.attach)
    predict = _waiting(Client.predict)
    get_run = _waiting(Client.get_run)
    runs = _waiting(Client.runs)
    cancel = _waiting(Client.cancel)
    delete = _waiting(Client.delete)
    answer = _waiting(Client.answer)
    decline = _waiting(Client.decline)
    programs = _waiting(Client.programs)
    describe = _waiting(Client.describe)
    server_info = _waiting(Client.server_info)
    ready = _waiting(Client.ready)
