"""Server-Sent Events: what a stream yields, as `data:` lines of JSON."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from typing import Any, assert_never, cast

import orjson

from headrace.errors import HeadraceError, UsageError
from headrace.events import CustomEvent
from headrace.streaming.responses import StatusMessage, StreamItem, StreamResponse
from headrace.values import json_text, to_jsonable

logger = logging.getLogger("headrace.sse")

DONE = "data: [DONE]\n\n"


def streaming_response(stream: AsyncIterable[Any]) -> AsyncGenerator[str, None]:
    """Encodes the items of a streamified program, ending with `data: [DONE]`.

    {"type": "status", "message"}, {"type": "token", "field", "predictor", "chunk", "is_last"},
    {"type": "custom", "name", "data"}, {"type": "prediction", "data"}. Strings that begin with `data:` pass as they are. When the program
    fails, {"type": "error", "reason", "message"} comes last, with no `[DONE]`; the message is safe.
    Raises UsageError for what is no stream.
    """
    if not isinstance(stream, AsyncIterable):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise UsageError(
            "streaming_response takes what a streamified program gives when called, with "
            f"async_streaming left on; not {stream!r}"
        )

    return _lines(stream)


async def _lines(stream: AsyncIterable[Any]) -> AsyncGenerator[str, None]:
    try:
        async for item in stream:
            yield _encode(item)
    except HeadraceError as error:
        yield _data({"type": "error", "reason": error.reason, "message": error.message})
    except Exception as error:
        logger.exception("a streamed program raised")
        message = f"the program raised {type(error).__name__}"
        yield _data({"type": "error", "reason": HeadraceError.reason, "message": message})
    else:
        yield DONE
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()


def _encode(item: Any) -> str:
    if isinstance(item, str) and item.startswith("data:"):
        return item

    return _data(_payload(item))


def _payload(item: object) -> dict[str, Any]:
    if isinstance(item, StreamItem):
        return _event(item)

    if isinstance(item, Mapping):
        return {"type": "prediction", "data": to_jsonable(cast("object", item))}

    return {"type": "prediction", "data": {"result": to_jsonable(item)}}


def _event(item: StreamItem) -> dict[str, Any]:
    match item:
        case StatusMessage(message=message):
            return {"type": "status", "message": message}
        case StreamResponse():
            return {
                "type": "token",
                "field": item.signature_field_name,
                "predictor": item.predict_name,
                "chunk": item.chunk,
                "is_last": item.is_last_chunk,
            }
        case CustomEvent():
            return {"type": "custom", "name": item.name, "data": item.data}
        case _:
            assert_never(item)


def _data(payload: dict[str, Any]) -> str:
    return f"data: {_json(payload)}\n\n"


def _json(payload: dict[str, Any]) -> str:
    try:
        return orjson.dumps(payload).decode()
    except TypeError:  # an integer of more than 64 bits
        return json_text(payload)
