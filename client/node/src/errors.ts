/** Everything this client throws, except for the reason of a signal that was aborted. */

import { status } from "@grpc/grpc-js";

import type { Usage } from "./gen/headrace/v1/headrace.js";

/** One thing wrong with one field of a request. */
export interface Violation {
  /** Path of the field, such as `inputs.question`. */
  field: string;
  description: string;
}

export interface ErrorFacts {
  /** gRPC status code. */
  code: status;
  /**
   * Stable name of the cause, such as LM_RATE_LIMITED: the one to decide by. The contract lists them
   * at Failure.reason. Empty when the server gave none. Where something else than a server answered it
   * says what, such as NOT_GRPC.
   */
  reason: string;
  /** The run, where there is one; else empty. */
  runId: string;
  /** What the server said of the run: SUCCEEDED, FAILED or CANCELLED once it is over. Empty where it said nothing. */
  runState: string;
  /** Milliseconds after which trying again makes sense, where the server said so. */
  retryDelayMs: number | undefined;
  /** One for each field of the request that is wrong. */
  violations: readonly Violation[];
  /** Further facts, such as the model, or by whom a run was cancelled. */
  metadata: Readonly<Record<string, string>>;
  /** LM work of the run that failed; undefined where the server did not say. */
  usage: Usage | undefined;
}

/** Root of all failures. */
export class HeadraceError extends Error implements ErrorFacts {
  readonly code: status;
  readonly reason: string;
  readonly runId: string;
  readonly runState: string;
  readonly retryDelayMs: number | undefined;
  readonly violations: readonly Violation[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly usage: Usage | undefined;

  constructor(message: string, facts: Partial<ErrorFacts>) {
    super(message);
    this.name = new.target.name;
    this.code = facts.code ?? status.UNKNOWN;
    this.reason = facts.reason ?? "";
    this.runId = facts.runId ?? "";
    this.runState = facts.runState ?? "";
    this.retryDelayMs = facts.retryDelayMs;
    this.violations = facts.violations ?? [];
    this.metadata = facts.metadata ?? {};
    this.usage = facts.usage;
  }
}

/** The server refused the request and started nothing. */
export class RequestRefused extends HeadraceError {}

/**
 * The run is over and gives no prediction. It stays failed: a new try is a new run. Only with
 * PREDICTION_TOO_LARGE it succeeded: `metadata.fits` names the form to ask `getRun` for, such as JSON.
 */
export class RunFailed extends HeadraceError {}

/**
 * The run is not over, and reading on would not help now: `runState` says how it stands, `client.getRun`
 * tells more. It is neither asked for again nor stopped.
 */
export class RunSuspended extends HeadraceError {}

/**
 * No answer from the server, or the connection broke and did not come back in time. A run that had
 * begun may still be going: `client.attach(error.runId)` reads it.
 */
export class ServerUnreachable extends HeadraceError {}

/** An answer that the contract does not foresee. */
export class ServerFault extends HeadraceError {}
