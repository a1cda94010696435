/** Everything this client throws, except for the reason of a signal that was aborted. */

import { status } from "@grpc/grpc-js";

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
  /** Milliseconds after which trying again makes sense, where the server said so. */
  retryDelayMs: number | undefined;
  /** One for each field of the request that is wrong. */
  violations: readonly Violation[];
  /** Further facts, such as the model, or by whom a run was cancelled. */
  metadata: Readonly<Record<string, string>>;
}

/** Root of all failures. */
export class HeadraceError extends Error implements ErrorFacts {
  readonly code: status;
  readonly reason: string;
  readonly runId: string;
  readonly retryDelayMs: number | undefined;
  readonly violations: readonly Violation[];
  readonly metadata: Readonly<Record<string, string>>;

  constructor(message: string, facts: Partial<ErrorFacts>) {
    super(message);
    this.name = new.target.name;
    this.code = facts.code ?? status.UNKNOWN;
    this.reason = facts.reason ?? "";
    this.runId = facts.runId ?? "";
    this.retryDelayMs = facts.retryDelayMs;
    this.violations = facts.violations ?? [];
    this.metadata = facts.metadata ?? {};
  }
}

/** The server refused the request and started nothing. */
export class RequestRefused extends HeadraceError {}

/** The run is over and has no prediction. It stays failed: a new try is a new run. */
export class RunFailed extends HeadraceError {}

/**
 * No answer from the server, or the connection broke and did not come back in time. A run that had
 * begun may still be going: `client.attach(error.runId)` reads it.
 */
export class ServerUnreachable extends HeadraceError {}

/** An answer that the contract does not foresee. */
export class ServerFault extends HeadraceError {}
