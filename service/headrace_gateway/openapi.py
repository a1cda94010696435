"""The description of the HTTP edge in OpenAPI, as a file beside this one."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    text = Path(__file__).with_name("openapi.json").read_text(encoding="utf-8")

    return cast("dict[str, Any]", json.loads(text))


async def get_document(request: Request) -> Response:
    """Answers with the document."""
    return JSONResponse(document())
