/**
 * A gRPC status other than OK, read from its trailers, and the error it stands for.
 *
 * The rule of the contract: `headrace-run-state` absent means that only this stream ended, and a code
 * that speaks of the road rather than of the request means: resume. SUCCEEDED, FAILED and CANCELLED mean
 * that the run is over; any other value that it is not, and that resuming would not help now.
 */

import { type Metadata, type ServiceError, status, type StatusObject } from "@grpc/grpc-js";

import {
  type ErrorFacts,
  type HeadraceError,
  RequestRefused,
  RunFailed,
  RunSuspended,
  ServerFault,
  ServerUnreachable,
  type Violation,
} from "./errors.js";
import { BadRequest, ErrorInfo, RetryInfo } from "./gen/google/rpc/error_details.js";
import { Status } from "./gen/google/rpc/status.js";
import { type MessageFns, Usage } from "./gen/headrace/v1/headrace.js";
import { BY_REASON } from "./reasons.js";

const OVER = new Set(["SUCCEEDED", "FAILED", "CANCELLED"]);

const OF_THE_ROAD = new Set([
  status.UNAVAILABLE,
  status.UNKNOWN,
  status.INTERNAL,
  status.CANCELLED, // by someone on the way: our own cancel is told apart before
]);

const REFUSALS = new Set([
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.ALREADY_EXISTS,
  status.FAILED_PRECONDITION,
  status.OUT_OF_RANGE,
  status.UNAUTHENTICATED,
  status.PERMISSION_DENIED,
  status.RESOURCE_EXHAUSTED,
]);
const NO_ANSWER = new Set([status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.CANCELLED]);

/** A status other than OK. */
export interface CallStatus extends ErrorFacts {
  message: string;
}

/** The error of a stream that ended well while its run is not over; undefined for any other. */
export function suspensionOf(ended: StatusObject): ServiceError | undefined {
  const runState = text(ended.metadata, "headrace-run-state");

  if (ended.code !== status.OK || !runState || OVER.has(runState)) {
    return undefined;
  }

  const details = ended.details || "the stream ended";

  return Object.assign(new Error(details), { code: status.UNAVAILABLE, details, metadata: ended.metadata });
}

/** Only this stream ended: the same request may be made again. */
export function isCut(read: CallStatus): boolean {
  return !read.runState && OF_THE_ROAD.has(read.code);
}

/** The error that a status stands for; `isAccepted`: the server had taken the request before. */
export function errorOf(read: CallStatus, isAccepted = false): HeadraceError {
  const ended = isAccepted && isLimitOfThisEnd(read) ? tooLarge(read) : read;
  const kind = errorClass(ended);

  return new kind(kind === RunSuspended ? suspended(ended) : ended.message, ended);
}

function suspended({ runId, runState, message }: CallStatus): string {
  return `run ${runId} is ${runState} (${message}): it is not over, and reading on would not help now; ask getRun`;
}

/** gRPC's own limit: a server refuses before it has accepted, and gives its reasons. */
function isLimitOfThisEnd({ code, reason, runState, runId }: CallStatus): boolean {
  return runId !== "" && code === status.RESOURCE_EXHAUSTED && !reason && !runState;
}

function tooLarge(read: CallStatus): CallStatus {
  const remedy = 'ask for outputForm "json", or raise "grpc.max_receive_message_length" in channelOptions';
  const message = `the answer is larger than this client takes: ${remedy}: ${read.message}`;

  return { ...read, reason: "PREDICTION_TOO_LARGE", message };
}

/** The run's state decides, then the reason, then the code. */
function errorClass({ code, reason, runState }: CallStatus): typeof HeadraceError {
  if (runState) {
    return OVER.has(runState) ? RunFailed : RunSuspended;
  }

  const known = BY_REASON.get(reason);

  if (known || REFUSALS.has(code)) {
    return known ?? RequestRefused;
  }

  return NO_ANSWER.has(code) ? ServerUnreachable : ServerFault;
}

/** Reads the rich details of an error, else the plain trailers beside them. */
export function statusOf(error: ServiceError, address: string, runId: string): CallStatus {
  const trailers = error.metadata;
  const details = readDetails(trailers);
  const reason = details.reason || text(trailers, "headrace-error-reason");
  const runState = text(trailers, "headrace-run-state");
  const isRoad = error.code === status.UNAVAILABLE && !reason && !runState;

  return {
    code: error.code,
    message: isRoad ? `no server answers at ${address}: ${error.details}` : error.details,
    reason,
    runId,
    runState,
    retryDelayMs: details.retryDelayMs ?? milliseconds(trailers),
    violations: details.violations,
    metadata: details.metadata,
    usage: decoded(Usage, packed(trailers, "headrace-usage-bin")),
  };
}

interface Details {
  reason: string;
  metadata: Record<string, string>;
  retryDelayMs: number | undefined;
  violations: Violation[];
}

function readDetails(trailers: Metadata): Details {
  const details: Details = { reason: "", metadata: {}, retryDelayMs: undefined, violations: [] };

  for (const { typeUrl, value } of decoded(Status, packed(trailers, "grpc-status-details-bin"))?.details ?? []) {
    switch (typeUrl) {
      case "type.googleapis.com/google.rpc.ErrorInfo": {
        const info = decoded(ErrorInfo, value);
        details.reason = info?.reason ?? "";
        details.metadata = info?.metadata ?? {};
        break;
      }
      case "type.googleapis.com/google.rpc.RetryInfo": {
        const delay = decoded(RetryInfo, value)?.retryDelay;
        details.retryDelayMs = delay && delay.seconds * 1e3 + delay.nanos / 1e6;
        break;
      }
      case "type.googleapis.com/google.rpc.BadRequest":
        details.violations = (decoded(BadRequest, value)?.fieldViolations ?? []).map(({ field, description }) => ({
          field,
          description,
        }));
    }
  }

  return details;
}

/** A message; undefined for bytes that are none, whoever wrote them on the way. */
function decoded<Message>(kind: MessageFns<Message>, bytes: Uint8Array | undefined): Message | undefined {
  try {
    return bytes && kind.decode(bytes);
  } catch {
    return undefined;
  }
}

function packed(trailers: Metadata, name: string): Uint8Array | undefined {
  const [value] = trailers.get(name);

  return value instanceof Buffer ? value : undefined;
}

function text(trailers: Metadata, name: string): string {
  return String(trailers.get(name)[0] ?? "");
}

function milliseconds(trailers: Metadata): number | undefined {
  const delay = text(trailers, "headrace-retry-delay-ms");

  return /^\d+$/.test(delay) ? Number(delay) : undefined;
}
