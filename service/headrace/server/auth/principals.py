"""Principals: callers by their tokens and certificates, as the configuration names them.

Where it names nobody and asks for no certificates, whoever can connect is one anonymous principal.
Tokens are kept as hashes only.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from pydantic import ValidationError

from headrace.errors import UsageError
from headrace.server.config import Config, Principal
from headrace.server.config.model import Section
from headrace.server.errors import Unauthenticated

Metadata: TypeAlias = Iterable[tuple[str, str | bytes]]

BEARER = "bearer "
CERTIFICATE_NAMES = ("x509_subject_alternative_name", "x509_common_name")
UNKNOWN = "unknown caller: send the metadata authorization: Bearer <token>"


class Principals:
    """Knows principals. `reload` when their file has changed."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._by_token: Mapping[str, Principal] = {}
        self._by_certificate: Mapping[str, Principal] = {}
        self._anonymous: Principal | None = None
        self.reload()

    def reload(self) -> None:
        """Reads the principals anew. Raises UsageError, and then everything stays as it was."""
        config = self._config
        principals = [*config.principals, *_from_file(config), *_from_environment(config)]
        by_token = _index("token", ((token, one) for one in principals for token in one.tokens))
        by_certificate = _index(
            "certificate", ((name, one) for one in principals for name in one.certificates)
        )
        open_to_all = not principals and config.tls.client_ca is None

        self._by_token, self._by_certificate = by_token, by_certificate
        self._anonymous = _anonymous(config) if open_to_all else None

    def anyone_sees_content(self) -> bool:
        """True where some principal may see the inputs and outputs of calls."""
        known = (*self._by_token.values(), *self._by_certificate.values())

        return self._config.include_data or any(one.include_data for one in known)

    def by_metadata(self, metadata: Metadata) -> Principal | None:
        """The principal of a bearer token, or the anonymous one; None where a certificate may tell.

        Raises Unauthenticated.
        """
        token = _token(metadata)

        if token is None and self._config.tls.client_ca is not None:
            return None

        principal = self._anonymous if token is None else self._by_token.get(_hash(token))

        if principal is None:
            raise Unauthenticated(UNKNOWN)

        return principal

    def by_certificate(self, facts: Mapping[str, Iterable[bytes]]) -> Principal:
        """The principal of a certificate; where none is configured, its name makes one.

        Raises Unauthenticated.
        """
        names = [name.decode() for key in CERTIFICATE_NAMES for name in facts.get(key, ())]

        for name in names:
            if name in self._by_certificate:
                return self._by_certificate[name]

        if names and not self._by_certificate:
            return Principal.model_construct(name=names[0], include_data=self._config.include_data)

        raise Unauthenticated(UNKNOWN)


class _PrincipalsFile(Section):
    principals: tuple[Principal, ...]


def _from_file(config: Config) -> Iterable[Principal]:
    path = config.principals_file

    if path is None:
        return ()

    try:
        return _PrincipalsFile.model_validate(tomllib.loads(path.read_text())).principals
    except OSError as error:
        raise UsageError(f"principals_file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"principals_file {path}: {error}") from None
    except ValidationError as error:
        one = error.errors(include_input=False, include_url=False, include_context=False)[0]
        key = ".".join(str(step) for step in one["loc"])
        raise UsageError(f"principals_file {path}: {key}: {one['msg']}") from None


def _from_environment(config: Config) -> Iterable[Principal]:
    for entry in config.tokens.get_secret_value().split():
        name, equals, token = entry.partition("=")

        if not equals or not token:
            raise UsageError("tokens (HEADRACE_TOKENS): expected name=token, several by blanks")

        hashed = token if token.startswith("sha256:") else _hash(token)

        try:
            yield Principal(name=name, tokens=(hashed,))
        except ValidationError:
            raise UsageError("tokens (HEADRACE_TOKENS): malformed name or hash") from None


def _anonymous(config: Config) -> Principal:
    return Principal.model_construct(name="", include_data=config.include_data)


def _index(kind: str, pairs: Iterable[tuple[str, Principal]]) -> Mapping[str, Principal]:
    index: dict[str, Principal] = {}

    for key, principal in pairs:
        other = index.setdefault(key, principal)

        if other is not principal:
            raise UsageError(
                f"principals {other.name!r} and {principal.name!r} share a {kind}; "
                "nobody could tell them apart"
            )

    return index


def _token(metadata: Metadata) -> str | None:
    """The bearer token; empty where the credentials are of another kind, None where there are none."""
    for key, value in metadata:
        if key == "authorization" and isinstance(value, str):
            return value[len(BEARER) :].strip() if value.lower().startswith(BEARER) else ""

    return None


def _hash(token: str) -> str:
    return "sha256:" + hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
