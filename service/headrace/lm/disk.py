"""A cache on disk: one SQLite file that several processes may share, bounded in bytes.

A cache must not break what it speeds up: what SQLite raises is logged, and counts as a miss.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from headrace.errors import UsageError

logger = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, size INTEGER NOT NULL, used REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answers_by_use ON answers (used);
"""
BUSY = 2.0
"""Seconds to wait for another process that writes."""
ROOM = 0.9
"""Trimming leaves this part of the limit, so that not every write trims."""


class DiskCache:
    """Bytes by key. Blocks on the disk: call it in a thread. Raises UsageError for a bad path."""

    def __init__(self, path: Path, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._writer = ThreadPoolExecutor(1, "headrace-cache")

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(
                path, timeout=BUSY, isolation_level=None, check_same_thread=False
            )
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.executescript(SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"{path} cannot hold the LM cache: {error}") from error

    def get(self, key: str) -> bytes | None:
        """The value, which is now the most recently used."""
        try:
            with self._lock:
                cursor = self._database.execute("SELECT value FROM answers WHERE key = ?", (key,))
                row: tuple[bytes] | None = cursor.fetchone()

                if row is not None:
                    self._database.execute(
                        "UPDATE answers SET used = ? WHERE key = ?", (time.time(), key)
                    )
        except sqlite3.Error:
            logger.warning("the LM cache on disk cannot be read", exc_info=True)
            return None

        return None if row is None else row[0]

    def put(self, key: str, value: bytes) -> None:
        """Keeps a value; lets the oldest go where the limit asks for it."""
        try:
            with self._lock:
                self._database.execute(
                    "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)",
                    (key, value, len(value), time.time()),
                )
                self._trim()
        except sqlite3.Error:
            logger.warning("the LM cache on disk cannot be written", exc_info=True)

    def put_later(self, key: str, value: bytes) -> None:
        """`put` without waiting for it."""
        self._writer.submit(self.put, key, value)

    def close(self) -> None:
        """Writes what is still to be written, and closes the file."""
        self._writer.shutdown()

        with self._lock:
            self._database.close()

    def _trim(self) -> None:
        total: int = self._database.execute("SELECT TOTAL(size) FROM answers").fetchone()[0]

        if total <= self._limit:
            return

        self._database.execute(
            "DELETE FROM answers WHERE key IN (SELECT key FROM ("
            "  SELECT key, SUM(size) OVER (ORDER BY used DESC, key) AS newer FROM answers"
            ") WHERE newer > ?)",
            (self._limit * ROOM,),
        )
