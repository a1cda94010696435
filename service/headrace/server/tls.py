"""TLS: credentials whose files are read again when they change, without a restart."""

from __future__ import annotations

import logging
from pathlib import Path

import grpc

from headrace.errors import UsageError
from headrace.server.config import Tls

logger = logging.getLogger("headrace.server")


def server_credentials(tls: Tls) -> grpc.ServerCredentials:
    """Credentials for a listening port. Raises UsageError that names the key of a file unread."""
    files = _Files(tls)

    return grpc.dynamic_ssl_server_credentials(
        files.read(),
        files.changed,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # None is "as before"
        require_client_authentication=tls.client_ca is not None,
    )


class _Files:
    """The certificates on disk. gRPC asks at every handshake whether they have changed."""

    def __init__(self, tls: Tls) -> None:
        self._paths = {
            f"tls.{name}": path
            for name, path in (
                ("certificate", tls.certificate),
                ("key", tls.key),
                ("client_ca", tls.client_ca),
            )
            if path is not None
        }
        self._seen = self._times()

    def read(self) -> grpc.ServerCertificateConfiguration:
        contents = {key: _contents(key, path) for key, path in self._paths.items()}

        return grpc.ssl_server_certificate_configuration(
            [(contents["tls.key"], contents["tls.certificate"])], contents.get("tls.client_ca")
        )

    def changed(self) -> grpc.ServerCertificateConfiguration | None:
        """The certificates where they are new; None where they are not, or cannot be read."""
        times = self._times()

        if times == self._seen:
            return None

        try:
            configuration = self.read()
        except UsageError as error:
            logger.error("certificates not reloaded: %s", error.message)
            return None

        self._seen = times
        logger.info("certificates reloaded")

        return configuration

    def _times(self) -> dict[str, int]:
        times: dict[str, int] = {}

        for key, path in self._paths.items():
            try:
                times[key] = path.stat().st_mtime_ns
            except OSError:
                times[key] = 0

        return times


def _contents(key: str, path: Path) -> bytes:
    try:
        contents = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{key} {path}: {error.strerror}") from None

    if b"-----BEGIN" not in contents:
        raise UsageError(f"{key} {path}: is not PEM")

    return contents
