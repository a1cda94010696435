"""The gateway's log: a line per request. It holds no query and no body: either may be a secret or content."""

from __future__ import annotations

import logging
import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("headrace.gateway")

LONGEST_PATH = 500


class RequestLog:
    """Logs each request when its response has ended, or its caller has left."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        began = time.monotonic()
        facts: dict[str, object] = {"method": scope["method"], "path": scope["path"][:LONGEST_PATH]}

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                facts["status"] = message["status"]
                facts["run_id"] = Headers(raw=message.get("headers", [])).get("headrace-run-id")

            await send(message)

        try:
            await self._app(scope, receive, note)
        except Exception:
            facts.setdefault("status", 500)  # which is answered further out
            raise
        finally:
            facts["duration"] = round(time.monotonic() - began, 3)
            facts["peer"] = _peer(scope)
            logger.info("request", extra={"facts": facts})


def _peer(scope: Scope) -> str:
    host, port = scope.get("client") or ("", 0)

    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
