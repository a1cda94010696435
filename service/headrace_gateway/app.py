"""The gateway as an ASGI application: its routes, and the files that it hands out as they are.

Nothing of the page comes from elsewhere, and nothing is inline.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, cast

from headrace_client import HeadraceError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from headrace_gateway.access import Guard, Upstream
from headrace_gateway.config import Setup
from headrace_gateway.disconnect import OpenRequests
from headrace_gateway.errors import on_exception, on_headrace_error, on_http_exception
from headrace_gateway.logs import RequestLog
from headrace_gateway.routes import Calls

FOLDER = Path(__file__).with_name("page")

PAGE_HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def create_app(setup: Setup | None = None, waiting: OpenRequests | None = None) -> Starlette:
    """The application; its connection to the server closes with its lifespan.

    `waiting` is given by who ends the requests that wait for runs before the process ends.
    """
    setup = setup or Setup()
    waiting = OpenRequests() if waiting is None else waiting
    upstream = Upstream(setup)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None, None]:
        yield
        await upstream.close()

    return Starlette(
        routes=[
            Mount("/v1", routes=Calls(setup, upstream, waiting).routes()),
            Route("/openapi.json", get_document),
            Mount("/", Page()),
        ],
        middleware=[
            Middleware(RequestLog),
            Middleware(
                CORSMiddleware,
                allow_origins=setup.origins,
                allow_methods=["GET", "POST", "DELETE"],
                allow_headers=["authorization", "content-type", "last-event-id"],
                expose_headers=["headrace-run-id", "retry-after"],
            ),
            Middleware(Guard, setup=setup),
        ],
        exception_handlers={
            HeadraceError: on_headrace_error(local=setup.local),
            HTTPException: on_http_exception,
            Exception: on_exception,
        },
        lifespan=lifespan,
    )


class Page(StaticFiles):
    """Serves the page's files."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER, html=True)

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(PAGE_HEADERS)

        return response


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    text = Path(__file__).with_name("openapi.json").read_text(encoding="utf-8")

    return cast("dict[str, Any]", json.loads(text))


async def get_document(request: Request) -> Response:
    """Answers with the document."""
    return JSONResponse(document())
