"""Config: everything about a server that can be set, typed, with its defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from headrace.runs.limits import Limits
from headrace.server.listen import Connections, is_loopback, split_address

DEV: Mapping[str, Any] = {"include_data": True, "logs": {"content": True, "format": "console"}}
"""Values that `dev` sets where nobody else does."""

_BOOL = TypeAdapter(bool)

_HASH = re.compile(r"sha256:[0-9a-f]{64}")


def _token_hash(text: str) -> str:
    if not _HASH.fullmatch(text):
        raise ValueError(
            'must be "sha256:" and 64 hex digits, as of: printf %s "$TOKEN" | sha256sum'
        )

    return text


TokenHash = Annotated[str, AfterValidator(_token_hash)]


class Section(BaseModel):
    """A table of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Tls(Section):
    """Transport security. The files are read again when they change."""

    certificate: Path | None = None
    """The server's certificate chain, PEM."""
    key: Path | None = None
    """Its private key, PEM."""
    client_ca: Path | None = None
    """Certificates that sign those of clients; set: clients must show one (mTLS)."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together")

        if self.client_ca is not None and self.certificate is None:
            raise ValueError("client_ca needs certificate and key")

        return self


class Logs(Section):
    """Lines of the log: form, level, content."""

    format: Literal["auto", "console", "json"] = "auto"
    """auto: console on a terminal, else json."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    content: bool = False
    """Also the texts of exceptions, models and providers: prompts, completions, perhaps keys."""


class Cache(Section):
    """Answers of LMs that are kept."""

    enabled: bool = False
    shared: bool = False
    """Callers get each other's answers; else every principal has a cache of its own."""
    memory_bytes: Annotated[int, Field(gt=0)] = 64 * 1024 * 1024
    disk: Path | None = None
    """A file that outlives the process."""
    disk_bytes: Annotated[int, Field(gt=0)] = 1024 * 1024 * 1024


class Principal(Section):
    """Someone who may call."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9@._/:+-]{1,128}$")]
    tokens: tuple[TokenHash, ...] = ()
    """Hashes of bearer tokens; several are valid at once."""
    certificates: tuple[str, ...] = ()
    """Subject alternative or common names of client certificates."""
    programs: tuple[str, ...] = ("*",)
    """Names of the programs that may be run; "*" for all."""
    include_data: bool = False
    """May see the inputs and outputs of calls."""
    may_answer: bool = False
    """May answer the questions of other principals' runs, of programs that it may run."""

    def may_run(self, program: str) -> bool:
        """True for a program that it may see and run."""
        return "*" in self.programs or program in self.programs


class Config(Section):
    """A server's configuration. Times in seconds."""

    programs: tuple[str, ...] = ()
    """module:attribute, or name=module:attribute."""
    dev: bool = False
    """For developers, on loopback only: callers and the log see content and causes of failures."""
    listen: str = "127.0.0.1:50051"
    """host:port; port 0 = any free one."""
    lm: str = ""
    """Model of predictors that name none."""
    drain_timeout: Annotated[float, Field(ge=0)] = 30.0
    """Time for runs to end after SIGTERM or SIGINT."""
    event_loop: Literal["auto", "asyncio", "uvloop"] = "auto"
    """auto: uvloop where it is installed."""
    insecure: bool = False
    """Listen beyond this machine without TLS."""
    reflection: Literal["auto", "on", "off"] = "auto"
    """auto: on when only this machine can connect."""
    include_data: bool = False
    """Callers may see inputs and outputs of calls where they need not say who they are."""
    principals_file: Path | None = None
    """A TOML file with [[principals]] alone; read again on SIGHUP."""
    principals: tuple[Principal, ...] = ()
    tokens: SecretStr = SecretStr("")
    """For the environment: "name=token name=token …", each token as it is or as sha256:…"""
    tls: Tls = Tls()
    logs: Logs = Logs()
    cache: Cache = Cache()
    limits: Limits = Limits()
    connections: Connections = Connections()

    @model_validator(mode="before")
    @classmethod
    def _split_programs(cls, values: dict[str, object]) -> dict[str, object]:
        programs = values.get("programs")

        return {**values, "programs": programs.split()} if isinstance(programs, str) else values

    @model_validator(mode="before")
    @classmethod
    def _open(cls, values: dict[str, object]) -> dict[str, object]:
        try:
            dev = _BOOL.validate_python(values.get("dev", False))
        except ValidationError:
            return values  # the field itself says what is wrong

        logs: Any = values.get("logs", {})
        logs = logs.model_dump(exclude_unset=True) if isinstance(logs, Logs) else logs

        if not dev or not isinstance(logs, dict):
            return values

        return {**DEV, **values, "logs": {**DEV["logs"], **logs}}

    @model_validator(mode="after")
    def _safe(self) -> Self:
        host, _ = split_address(self.listen)

        if self.dev and not is_loopback(host):
            raise ValueError(
                f"dev: {self.listen} can be reached from elsewhere, and dev shows prompts and "
                "exceptions to whoever calls: listen on 127.0.0.1, or leave dev out"
            )

        if not (is_loopback(host) or self.tls.certificate or self.insecure):
            raise ValueError(
                f"listen: {self.listen} can be reached from elsewhere: set tls.certificate and "
                "tls.key, or insecure = true (--insecure)"
            )

        return self

    @property
    def reflects(self) -> bool:
        """True where tools may ask for descriptions of the services."""
        host, _ = split_address(self.listen)

        return is_loopback(host) if self.reflection == "auto" else self.reflection == "on"
