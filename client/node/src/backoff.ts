/** Delays between tries, growing while there is no progress, and a bound on their number. */

/** In milliseconds; shorter in tests. */
export const delays = {
  /** Between tries. */
  first: 100,
  longest: 5_000,
  /** A call that is alive after so long was worth making: a run that waits for people brings nothing new. */
  lasting: 15_000,
};

/** A server that never answered is given up sooner: after about a second. */
const TRIES_TO_REACH = 4;

export class Backoff {
  /** The server has answered before. */
  reached = false;
  private spent = 0;
  private askedAt = Date.now();

  constructor(private readonly retries: number) {}

  /** The call is made, or made again. */
  asking(): void {
    this.askedAt = Date.now();
  }

  /** The server is there; that alone is no progress, unless the call has lasted. */
  answered(): void {
    this.reached = true;

    if (Date.now() - this.askedAt >= delays.lasting) {
      this.spent = 0;
    }
  }

  /** Something new came: the count starts afresh. */
  progressed(): void {
    this.reached = true;
    this.spent = 0;
  }

  /** Milliseconds until the next try, at least those the server asked for; undefined to give up. */
  nextDelay(askedMs?: number): number | undefined {
    if (askedMs) {
      this.reached = true; // someone there said so
    }

    const allowed = this.reached ? this.retries : Math.min(this.retries, TRIES_TO_REACH);

    if (this.spent >= allowed) {
      return undefined;
    }

    const delay = Math.min(delays.first * 2 ** this.spent, delays.longest);
    this.spent += 1;

    return (askedMs ?? 0) + delay * (0.5 + Math.random() / 2);
  }
}
