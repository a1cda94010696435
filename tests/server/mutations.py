"""Requests made up and then damaged: cheap, seeded, and close enough to real ones to get deep."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from headrace_proto.v1 import headrace_pb2 as pb

NAMES = (
    "",
    "scripted",
    "scriptd",
    "r1",
    "r" * 64,
    "r" * 65,
    "-",
    "é",
    "\u0000",
    "a b",
    "*",
    "self.x",
)
NUMBERS = (0, 1, -1, 2, 7, 2**31 - 1, -(2**31))
SECONDS = (0, 1, -1, 60, 2**40, -(2**40))
NANOS = (0, 1, -1, 999_999_999, -999_999_999)
TEXTS = (
    '{"question": "why?"}',
    '{"question": "why?", "times": 3.0}',
    '{"question": 3}',
    '{"qestion": null}',
    '{"question": "\\ud800"}',
    '{"question": NaN}',
    "[" * 2000,
    "{" * 50,
    '{"question": ' + "[" * 40 + "]" * 40 + "}",
    "{}",
    "",
    "null",
    '{"question": "x", "times": 1e400}',
    '{"question": "x", "times": 99999999999999999999999999}',
)
VALUES: tuple[Any, ...] = (
    "why?", "", 0, 1, 3.5, -1, 1e300, None, True, [], {}, ["a", [1, {}]], {"a": {"b": [None]}},
    float("inf"), float("nan"), 2**53 + 2,
)  # fmt: skip


class Mutator:
    """Makes request bytes, some whole and some damaged, from a seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._last = b""

    def request(self, kind: type[Message]) -> bytes:
        """The bytes of a request of a kind, or of what was one."""
        data = _MAKERS[kind](self).SerializeToString()
        damaged = self._chance.choice(_DAMAGES)(self._chance, data, self._last)
        self._last = data

        return damaged

    def run(self) -> pb.RunRequest:
        request = pb.RunRequest(
            program=self._name(),
            run_id=self._name(),
            after_sequence=self._chance.choice(NUMBERS),
            revision=self._rarely(),
            labels={self._name(): self._name() for _ in range(self._chance.choice((0, 0, 1, 20)))},
        )
        self._options(request.options)
        self._inputs(request)
        self._duration(request, "timeout")
        self._duration(request, "linger")

        return request

    def predict(self) -> pb.PredictRequest:
        request = pb.PredictRequest(
            program=self._name(), run_id=self._name(), revision=self._rarely()
        )
        self._inputs(request)
        self._duration(request, "timeout")

        return request

    def attach(self) -> pb.AttachRequest:
        request = pb.AttachRequest(run_id=self._name(), after_sequence=self._chance.choice(NUMBERS))
        self._options(request.options)

        return request

    def get_run(self) -> pb.GetRunRequest:
        return pb.GetRunRequest(run_id=self._name())

    def list_runs(self) -> pb.ListRunsRequest:
        return pb.ListRunsRequest(
            page_size=self._chance.choice(NUMBERS), page_token=self._name(), program=self._rarely()
        )

    def cancel(self) -> pb.CancelRunRequest:
        return pb.CancelRunRequest(run_id=self._name(), reason=self._name() * 100)

    def list_programs(self) -> pb.ListProgramsRequest:
        return pb.ListProgramsRequest(
            page_size=self._chance.choice(NUMBERS), page_token=self._name()
        )

    def get_program(self) -> pb.GetProgramRequest:
        return pb.GetProgramRequest(name=self._name())

    def info(self) -> pb.GetServerInfoRequest:
        return pb.GetServerInfoRequest()

    def _name(self) -> str:
        return "scripted" if self._chance.random() < 0.5 else self._chance.choice(NAMES)

    def _rarely(self) -> str:
        return self._name() if self._chance.random() < 0.1 else ""

    def _inputs(self, request: pb.RunRequest | pb.PredictRequest) -> None:
        way = self._chance.random()

        if way < 0.5:
            request.inputs_json = self._chance.choice(TEXTS)
        elif way < 0.9:
            request.inputs.update(
                {
                    self._chance.choice(("question", "question", "times", "")): self._chance.choice(
                        VALUES
                    )
                }
            )

    def _duration(self, request: Any, field: str) -> None:
        if self._chance.random() < 0.3:
            getattr(request, field).seconds = self._chance.choice(SECONDS)
            getattr(request, field).nanos = self._chance.choice(NANOS)

    def _options(self, options: pb.StreamOptions) -> None:
        if self._chance.random() < 0.5:
            return

        options.fields.extend(self._name() for _ in range(self._chance.choice((0, 0, 1, 30))))
        options.token_detail = pb.TokenDetail.ValueType(self._chance.choice((0, 1, 2, 3, 99)))
        options.status_detail = pb.StatusDetail.ValueType(self._chance.choice((0, 1, 2, 3, 77)))
        options.include_data = self._chance.random() < 0.2
        options.output_form = pb.OutputForm.ValueType(self._chance.choice((0, 1, 2, 3, 4, 99)))
        options.accept.extend(
            pb.EventKind.ValueType(self._chance.choice((0, 1, 2, 3, 99))) for _ in range(2)
        )
        self._duration(options, "merge_interval")
        self._duration(options, "heartbeat_interval")


def _nothing(chance: random.Random, data: bytes, other: bytes) -> bytes:
    return data


def _flip(chance: random.Random, data: bytes, other: bytes) -> bytes:
    damaged = bytearray(data or b"\0")

    for _ in range(chance.randint(1, 4)):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)

    return bytes(damaged)


def _cut(chance: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: chance.randint(0, len(data))]


def _insert(chance: random.Random, data: bytes, other: bytes) -> bytes:
    place = chance.randint(0, len(data))

    return data[:place] + chance.randbytes(chance.randint(1, 8)) + data[place:]


def _repeat(chance: random.Random, data: bytes, other: bytes) -> bytes:
    start, stop = sorted(chance.randint(0, len(data)) for _ in range(2))

    return data[:stop] + data[start:stop] * chance.randint(1, 5) + data[stop:]


def _splice(chance: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: chance.randint(0, len(data))] + other[chance.randint(0, len(other)) :]


_DAMAGES: tuple[Callable[[random.Random, bytes, bytes], bytes], ...] = (
    _nothing, _nothing, _flip, _flip, _cut, _insert, _repeat, _splice,
)  # fmt: skip

_MAKERS: dict[type[Message], Callable[[Mutator], Message]] = {
    pb.RunRequest: Mutator.run,
    pb.PredictRequest: Mutator.predict,
    pb.AttachRequest: Mutator.attach,
    pb.GetRunRequest: Mutator.get_run,
    pb.ListRunsRequest: Mutator.list_runs,
    pb.CancelRunRequest: Mutator.cancel,
    pb.ListProgramsRequest: Mutator.list_programs,
    pb.GetProgramRequest: Mutator.get_program,
    pb.GetServerInfoRequest: Mutator.info,
}

METHODS: dict[str, type[Message]] = {
    "Run": pb.RunRequest,
    "Predict": pb.PredictRequest,
    "Attach": pb.AttachRequest,
    "GetRun": pb.GetRunRequest,
    "ListRuns": pb.ListRunsRequest,
    "CancelRun": pb.CancelRunRequest,
    "ListPrograms": pb.ListProgramsRequest,
    "GetProgram": pb.GetProgramRequest,
    "GetServerInfo": pb.GetServerInfoRequest,
}
