"""Delivery: the messages for one reader, of the entries it has taken from a log.

Only the last message of a merged group carries `sequence`. The event_count of the messages between two
positions adds up to their difference, however entries were merged or left out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from headrace_proto.v1 import headrace_pb2 as pb

from headrace.events import Event, PredictionEvent, Status, Token
from headrace.log import Entry, merge
from headrace.server.wire.durations import fill_timestamp, timestamp
from headrace.server.wire.events import fill_token, prediction_message, split, status_message
from headrace.server.wire.options import ReaderOptions, Selection


class Delivery:
    """Turns entries into messages for one reader of one run."""

    def __init__(
        self,
        run_id: str,
        revision: str,
        options: ReaderOptions,
        *,
        position: int = 0,
        attempt: int = 1,
        max_token_bytes: int,
    ) -> None:
        self.position = position
        """The last sequence the reader was sent."""
        self._run_id = run_id
        self._revision = revision
        self._options = options
        self._attempt = attempt  # of the last entry that was sent; entries bring theirs
        self._max_token_bytes = max_token_bytes
        self._wants = Selection(options)

    def messages(self, entries: Sequence[Entry]) -> Iterator[pb.StreamEvent]:
        """The messages for entries that follow those of the last call."""
        wanted = [entry for entry in entries if self._wants(entry.event)]
        merged = list(merge(wanted)) if len(wanted) > 1 else wanted  # a paced token comes alone
        counted = 0  # by messages of the same group

        for following, entry in enumerate(merged, start=1):
            event, sequence = entry.event, entry.sequence
            self._attempt = entry.attempt
            uncounted = sequence - self.position - counted
            ends_group = following == len(merged) or merged[following].sequence != sequence
            count = uncounted if ends_group else min(entry.event_count, uncounted)

            if isinstance(event, Token) and len(event.chunk) * 4 > self._max_token_bytes:
                *parts, event = split(event, self._max_token_bytes)

                for part in parts:
                    yield self._message(part, entry.time, 0, 0)

            yield self._message(event, entry.time, sequence if ends_group else 0, count)

            if ends_group:
                self.position, counted = sequence, 0
            else:
                counted += count

    def heartbeat(self) -> pb.StreamEvent:
        """A sign of life; it repeats the position."""
        return pb.StreamEvent(
            run_id=self._run_id,
            sequence=self.position,
            attempt=self._attempt,
            create_time=timestamp(time.time()),
            heartbeat=pb.Heartbeat(),
        )

    def _message(self, event: Event, at: float, sequence: int, count: int) -> pb.StreamEvent:
        message = pb.StreamEvent()  # assigning costs less than passing arguments
        message.run_id = self._run_id
        message.sequence = sequence
        message.event_count = count
        message.attempt = self._attempt
        fill_timestamp(message.create_time, at)

        match event:
            case Token():
                fill_token(message.token, event)
            case Status():
                data = self._options.include_data
                message.status.CopyFrom(status_message(event, include_data=data))
            case PredictionEvent():
                text = self._options.outputs_json
                message.prediction.CopyFrom(
                    prediction_message(event, self._revision, outputs_json=text)
                )

        return message
