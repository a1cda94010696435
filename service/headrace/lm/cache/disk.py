"""A cache on disk: one SQLite file that several processes may share, bounded in bytes.

A put costs the same however much is kept: nothing here looks at more than a few answers at a time.
A cache must not break what it speeds up: what SQLite raises is logged, and counts as a miss.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from headrace.errors import UsageError

logger = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, used REAL NOT NULL, size INTEGER NOT NULL, value BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answers_by_use ON answers (used);

CREATE TABLE IF NOT EXISTS total (id INTEGER PRIMARY KEY CHECK (id = 1), size INTEGER NOT NULL);
INSERT OR IGNORE INTO total VALUES (1, 0);
CREATE TRIGGER IF NOT EXISTS answer_came AFTER INSERT ON answers BEGIN
    UPDATE total SET size = size + new.size;
END;
CREATE TRIGGER IF NOT EXISTS answer_changed AFTER UPDATE OF size ON answers BEGIN
    UPDATE total SET size = size + new.size - old.size;
END;
CREATE TRIGGER IF NOT EXISTS answer_went AFTER DELETE ON answers BEGIN
    UPDATE total SET size = size - old.size;
END;
"""
"""The file itself keeps the total, for all processes that write to it."""
KEEP = """
INSERT INTO answers (key, used, size, value) VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET used = excluded.used, size = excluded.size, value = excluded.value
"""
LET_GO = """
DELETE FROM answers WHERE key = (SELECT key FROM answers ORDER BY used LIMIT 1)
AND (SELECT size FROM total) > ?
"""
"""The least recently used answer goes, if all together are too big."""
BUSY = 2.0
"""Seconds to wait for another process that writes."""
MOST = 64
"""Answers one put lets go of: where the limit was lowered, it is reached by and by."""


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
        """Keeps a value; lets the least recently used go where the limit asks for it."""
        if len(value) > self._limit:
            return

        try:
            with self._lock, self._writing():
                self._database.execute(KEEP, (key, time.time(), len(value), value))
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
        for _ in range(MOST):
            if not self._database.execute(LET_GO, (self._limit,)).rowcount:
                break

    @contextmanager
    def _writing(self) -> Generator[None, None, None]:
        """All or nothing."""
        self._database.execute("BEGIN IMMEDIATE")

        try:
            yield
            self._database.execute("COMMIT")
        finally:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
