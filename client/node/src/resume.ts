/**
 * Decision after a call for a run ended badly: throw, or wait and make the same call again.
 *
 * The rule, from the contract: with `headrace-run-state` in the trailers nothing is asked again, whether
 * the run is over or not; a code that speaks of the road means: wait, and ask again, as long as there is
 * progress; anything else says that the request is wrong.
 */

import { setTimeout as sleep } from "node:timers/promises";

import { status } from "@grpc/grpc-js";

import { type HeadraceError, RunFailed, ServerUnreachable } from "./errors.js";
import { Backoff } from "./backoff.js";
import { type CallStatus, errorOf, isCut } from "./status.js";

export class Resumption {
  /** The last position seen: what is recorded after it is still to come. */
  cursor = 0;
  private readonly backoff: Backoff;

  /** `deadline` is in milliseconds of the clock, or Infinity; `signal` ends all waiting; `explained` looks who answers. */
  constructor(
    readonly runId: string,
    retries: number,
    readonly deadline: number,
    readonly signal: AbortSignal,
    private readonly explained: (ended: CallStatus) => Promise<CallStatus>,
  ) {
    this.backoff = new Backoff(retries);
  }

  /** The call is made, or made again; throws the reason where the signal was aborted. */
  asking(): void {
    this.signal.throwIfAborted();
    this.backoff.asking();
  }

  /** The server answered, at this position if it named one. Progress is a new position, or a call that lasts. */
  answered(sequence = 0): void {
    if (sequence > this.cursor) {
      this.cursor = sequence;
      this.backoff.progressed();
    } else {
      this.backoff.answered();
    }
  }

  /** Returns when the call may be made again; throws what its status stands for when it may not. */
  async waitAfter(ended: CallStatus): Promise<void> {
    this.signal.throwIfAborted();

    if (!isCut(ended)) {
      throw this.final(ended);
    }

    const delay = this.backoff.nextDelay(ended.retryDelayMs);

    if (delay === undefined) {
      throw this.givenUp(await this.explained(ended));
    }

    if (Date.now() + delay >= this.deadline) {
      throw this.tooLate();
    }

    await sleep(delay, undefined, { signal: this.signal }).catch(() => this.signal.throwIfAborted());
  }

  private final(ended: CallStatus): HeadraceError {
    if (ended.code === status.DEADLINE_EXCEEDED && !ended.reason && !ended.runState) {
      return this.tooLate();
    }

    if (ended.reason === "RUN_NOT_FOUND" && this.backoff.reached) {
      const message = `the server no longer knows run ${this.runId}: it restarted, or let go of the run`;

      return new RunFailed(message, ended);
    }

    return errorOf(ended, this.backoff.reached);
  }

  private givenUp(ended: CallStatus): HeadraceError {
    const where = this.cursor ? ` (run ${this.runId} was read up to event ${this.cursor})` : "";

    return errorOf({ ...ended, message: ended.message + where });
  }

  private tooLate(): HeadraceError {
    return new ServerUnreachable(`run ${this.runId} did not end in the time given`, {
      code: status.DEADLINE_EXCEEDED,
      runId: this.runId,
    });
  }
}
