"""The gateway as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from headrace_client import HeadraceError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount, Route

from headrace_gateway import openapi
from headrace_gateway.config import Setup
from headrace_gateway.disconnect import OpenRequests
from headrace_gateway.errors import on_exception, on_headrace_error, on_http_exception
from headrace_gateway.guard import Guard
from headrace_gateway.logs import RequestLog
from headrace_gateway.page import Page
from headrace_gateway.routes import Calls
from headrace_gateway.upstream import Upstream


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
            Route("/openapi.json", openapi.get_document),
            Mount("/", Page()),
        ],
        middleware=[
            Middleware(RequestLog),
            Middleware(
                CORSMiddleware,
                allow_origins=setup.origins,
                allow_methods=["GET", "POST"],
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
