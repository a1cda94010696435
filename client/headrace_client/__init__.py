"""The light client of headrace: runs programs of a server and streams what happens inside them.

It needs gRPC and protobuf, and neither the runtime nor a model. Events are the messages of the wire
themselves; `Client` is asynchronous, `SyncClient` is the same for code without an event loop.

A name is loaded at its first use, so that the command can set up gRPC before it is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrace_proto.v1.headrace_pb2 import (
        CancelRunResponse,
        CustomEvent,
        Failure,
        Field,
        GetServerInfoResponse,
        InputRequest,
        InputResolved,
        Limits,
        LmCall,
        ModelUsage,
        Prediction,
        Predictor,
        Program,
        Run,
        StatusUpdate,
        StreamEvent,
        Token,
        Tool,
        ToolCall,
        Usage,
    )

    from headrace_client._channel import tls_credentials
    from headrace_client._client import Client
    from headrace_client._errors import (
        ClientMisplaced,
        CursorAhead,
        DeadlineExceeded,
        FieldViolation,
        HeadraceError,
        InputAlreadyResolved,
        InputDeclined,
        InputExpired,
        InputInvalid,
        InputNotFound,
        LMError,
        OutputUnparsable,
        PermissionDenied,
        PredictionTooLarge,
        ProgramError,
        ProgramNotFound,
        QuotaExceeded,
        RequestInvalid,
        RequestRefused,
        RevisionMismatch,
        RunCancelled,
        RunFailed,
        RunIdReused,
        RunLost,
        RunNotFound,
        RunSuspended,
        RunTimeout,
        RunTooLarge,
        ServerBusy,
        ServerFault,
        ServerUnreachable,
        StreamClosed,
        StreamConsumed,
        StreamMisused,
        StreamNotOpen,
        ToolError,
        Unauthenticated,
    )
    from headrace_client._outputs import outputs
    from headrace_client._run import Event, RunStream
    from headrace_client._sync import SyncClient, SyncRunStream
else:
    from importlib import import_module

    HOMES = (
        "headrace_client._errors",
        "headrace_client._outputs",
        "headrace_client._run",
        "headrace_client._client",
        "headrace_client._sync",
        "headrace_client._channel",
        "headrace_proto.v1.headrace_pb2",
    )

    def __getattr__(name: str) -> object:
        modules = map(import_module, HOMES if name in __all__ else ())
        found = [vars(module)[name] for module in modules if name in vars(module)]

        if not found:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

        globals()[name] = found[0]

        return found[0]

    def __dir__() -> list[str]:
        return [*globals(), *__all__]


__all__ = [
    "CancelRunResponse",
    "Client",
    "ClientMisplaced",
    "CursorAhead",
    "CustomEvent",
    "DeadlineExceeded",
    "Event",
    "Failure",
    "Field",
    "FieldViolation",
    "GetServerInfoResponse",
    "HeadraceError",
    "InputAlreadyResolved",
    "InputDeclined",
    "InputExpired",
    "InputInvalid",
    "InputNotFound",
    "InputRequest",
    "InputResolved",
    "LMError",
    "Limits",
    "LmCall",
    "ModelUsage",
    "OutputUnparsable",
    "PermissionDenied",
    "Prediction",
    "PredictionTooLarge",
    "Predictor",
    "Program",
    "ProgramError",
    "ProgramNotFound",
    "QuotaExceeded",
    "RequestInvalid",
    "RequestRefused",
    "RevisionMismatch",
    "Run",
    "RunCancelled",
    "RunFailed",
    "RunIdReused",
    "RunLost",
    "RunNotFound",
    "RunStream",
    "RunSuspended",
    "RunTimeout",
    "RunTooLarge",
    "ServerBusy",
    "ServerFault",
    "ServerUnreachable",
    "StatusUpdate",
    "StreamClosed",
    "StreamConsumed",
    "StreamEvent",
    "StreamMisused",
    "StreamNotOpen",
    "SyncClient",
    "SyncRunStream",
    "Token",
    "Tool",
    "ToolCall",
    "ToolError",
    "Unauthenticated",
    "Usage",
    "outputs",
    "tls_credentials",
]
