/**
 * A gRPC status other than OK, read from its trailers, and the error it stands for.
 *
 * The rule of the contract: `headrace-run-state` present means the run is over; absent, only this
 * stream ended, and a code that speaks of the road rather than of the request means: resume.
 */

import { type Metadata, type ServiceError, status } from "@grpc/grpc-js";

import {
  type ErrorFacts,
  type HeadraceError,
  RequestRefused,
  RunFailed,
  ServerFault,
  ServerUnreachable,
  type Violation,
} from "./errors.js";
import { BadRequest, ErrorInfo, RetryInfo } from "./gen/google/rpc/error_details.js";
import { Status } from "./gen/google/rpc/status.js";
import { BY_REASON } from "./reasons.js";

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
  /** SUCCEEDED, FAILED or CANCELLED once the run is over; else empty. */
  runState: string;
}

/** Only the stream ended: the same request may be made again. */
export function isCut(read: CallStatus): boolean {
  return !read.runState && OF_THE_ROAD.has(read.code);
}

/** The error that a status stands for. */
export function errorOf(read: CallStatus): HeadraceError {
  return new (errorClass(read))(read.message, read);
}

/** The run's state decides, then the reason, then the code. */
function errorClass({ code, reason, runState }: CallStatus): typeof HeadraceError {
  if (runState) {
    return RunFailed;
  }

  const known = BY_REASON.get(reason);

  if (known || REFUSALS.has(code)) {
    return known ?? RequestRefused;
  }

  return NO_ANSWER.has(code) ? ServerUnreachable : ServerFault;
}

/** Reads the rich details of an error, else the plain trailers beside them. */
export function statusOf(error: ServiceError, address: string, runId: string): CallStatus {
  const details = readDetails(error.metadata);
  const reason = details.reason || first(error.metadata, "headrace-error-reason");
  const isRoad = error.code === status.UNAVAILABLE && !reason;

  return {
    code: error.code,
    message: isRoad ? `no server answers at ${address}: ${error.details}` : error.details,
    reason,
    runId,
    runState: first(error.metadata, "headrace-run-state"),
    retryDelayMs: details.retryDelayMs ?? milliseconds(error.metadata),
    violations: details.violations,
    metadata: details.metadata,
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
  const [packed] = trailers.get("grpc-status-details-bin");

  for (const { typeUrl, value } of packed instanceof Buffer ? Status.decode(packed).details : []) {
    switch (typeUrl) {
      case "type.googleapis.com/google.rpc.ErrorInfo": {
        const info = ErrorInfo.decode(value);
        details.reason = info.reason;
        details.metadata = info.metadata;
        break;
      }
      case "type.googleapis.com/google.rpc.RetryInfo": {
        const delay = RetryInfo.decode(value).retryDelay;
        details.retryDelayMs = delay && delay.seconds * 1e3 + delay.nanos / 1e6;
        break;
      }
      case "type.googleapis.com/google.rpc.BadRequest":
        details.violations = BadRequest.decode(value).fieldViolations.map(({ field, description }) => ({
          field,
          description,
        }));
    }
  }

  return details;
}

function first(trailers: Metadata, name: string): string {
  return String(trailers.get(name)[0] ?? "");
}

function milliseconds(trailers: Metadata): number | undefined {
  const text = first(trailers, "headrace-retry-delay-ms");

  return /^\d+$/.test(text) ? Number(text) : undefined;
}
