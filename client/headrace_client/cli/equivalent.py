"""The same run for other tools: a grpcurl line for the server, a curl line for its gateway.

Lines are for a POSIX shell. A token is never in them: they name where it comes from.
"""

from __future__ import annotations

import functools
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast
from urllib.parse import quote, urlencode

import click

from headrace_client._values import duration
from headrace_client.cli.target import TOKEN, Target

METHOD = "headrace.v1.HeadraceService/Run"
MOST_EXACT = 2**53
"""Integers up to here are exact in `inputs`; larger ones need `inputs_json`."""


@dataclass(frozen=True, slots=True)
class Call:
    """A run as it was asked for."""

    program: str
    inputs: Mapping[str, Any]
    fields: Sequence[str] = ()
    include_data: bool = False
    timeout: float | None = None
    revision: str | None = None
    interface_revision: str | None = None
    run_id: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


Line: TypeAlias = Callable[[Call, Target], str]
"""Writes a call for another tool."""


def with_lines(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that ask for a line, and gives the command what writes it as `line`, or None."""

    @functools.wraps(command)
    def chosen(*args: Any, grpcurl: bool, curl: bool, gateway: str, **arguments: Any) -> Any:
        if grpcurl and curl:
            raise click.UsageError("--grpcurl and --curl exclude each other")

        over_http = functools.partial(curl_line, gateway=gateway)
        line: Line | None = grpcurl_line if grpcurl else over_http if curl else None

        return command(*args, line=line, **arguments)

    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(OPTIONS), chosen)


OPTIONS = (
    click.option("--grpcurl", is_flag=True, help="Print the grpcurl line for it, and run nothing."),
    click.option("--curl", is_flag=True, help="Print the curl line for it over a gateway."),
    click.option(
        "--gateway",
        envvar="HEADRACE_GATEWAY",
        show_envvar=True,
        default="http://127.0.0.1:8080",
        metavar="URL",
        help="The gateway, for --curl.",
    ),
)


def grpcurl_line(call: Call, target: Target) -> str:
    """The call with grpcurl. The server must have reflection on, as it has on loopback."""
    words = ["grpcurl", *_transport(target), *_authorization(target), "-d", _quoted(_request(call))]

    return " ".join([*words, shlex.quote(target.address), METHOD])


def curl_line(call: Call, target: Target, gateway: str) -> str:
    """The call with curl, over the gateway at a URL."""
    words = ["curl", "-sN", *_authorization(target), "--json", _quoted(call.inputs)]
    path = f"{gateway.rstrip('/')}/v1/programs/{quote(call.program, safe='')}/stream"
    query = urlencode(_query(call), safe=",")

    return " ".join([*words, shlex.quote(f"{path}?{query}")])


def _transport(target: Target) -> list[str]:
    if target.credentials is None:
        return ["-plaintext"]

    files = {"-cacert": target.ca, "-cert": target.cert, "-key": target.key}

    return [word for flag, file in files.items() if file for word in (flag, shlex.quote(str(file)))]


def _authorization(target: Target) -> list[str]:
    if target.token is None:
        return []

    file = target.token_file
    source = f"${TOKEN}" if file is None else f"$(cat {shlex.quote(str(file))})"

    return ["-H", f'"authorization: Bearer {source}"']


def _request(call: Call) -> dict[str, Any]:
    """A RunRequest in protobuf's JSON."""
    exact = _fits_struct(call.inputs)
    request: dict[str, Any] = {
        "program": call.program,
        "inputs" if exact else "inputsJson": call.inputs if exact else _json(call.inputs),
        "runId": call.run_id,
        "timeout": _length(call.timeout),
        "revision": call.revision,
        "interfaceRevision": call.interface_revision,
        "labels": call.labels,
        "options": _given(
            {
                "fields": call.fields,
                "includeData": call.include_data,
                "accept": ["EVENT_KIND_CUSTOM", "EVENT_KIND_INPUT"],
            }
        ),
    }

    return _given(request)


def _query(call: Call) -> list[tuple[str, str]]:
    """The gateway's options."""
    given = _given(
        {
            "run_id": call.run_id,
            "timeout": _length(call.timeout).removesuffix("s"),
            "revision": call.revision,
            "interface_revision": call.interface_revision,
            "fields": ",".join(call.fields),
            "include_data": "true" if call.include_data else "",
            "accept": "custom,input",
        }
    )

    return [*given.items(), *(("labels", f"{name}={one}") for name, one in call.labels.items())]


def _fits_struct(value: object) -> bool:
    match value:
        case bool():
            return True
        case int():
            return abs(value) <= MOST_EXACT
        case dict():
            return all(map(_fits_struct, cast("dict[str, object]", value).values()))
        case list():
            return all(map(_fits_struct, cast("list[object]", value)))
        case _:
            return True


def _length(seconds: float | None) -> str:
    """Seconds to the nanosecond, with their unit; empty for none."""
    length = duration("timeout", seconds)

    return "" if length is None else length.ToJsonString()


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _quoted(value: object) -> str:
    return shlex.quote(_json(value))
