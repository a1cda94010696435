// A run's events from the first to the last, across as many connections as it takes.

import * as api from "./api.js";
import { eventsOf } from "./sse.js";

const FIRST_DELAY = 400;
const LONGEST_DELAY = 5_000;
const LONGEST_SILENCE = 45_000; // three comments missed: whatever is there, it is no gateway
const TRIES_TO_START = 5;

/**
 * Yields the run's payloads, and `{type: "link", is: "open" | "lost", delay}` as connections come and go.
 * `order` is `{program, inputs}` for a run to start; null for one that exists. Throws `Refused`.
 */
export async function* follow(runId, order, signal) {
  const reader = new Reader(runId, order, signal);

  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      for await (const payload of reader.read()) {
        if (payload.type !== "link" && payload.type !== "run") failures = -1; // it was worth it
        yield payload;

        if (isLast(payload)) return;
      }

      if (reader.isOver) return;
    } catch (error) {
      if (signal.aborted) return;
      if (!reader.mayTryAgain(error, failures)) throw error;
    }

    const delay = delayAfter(failures);
    yield { type: "link", is: "lost", delay };
    await sleep(delay, signal);
  }
}

class Reader {
  isOver = false;
  #last = "";

  constructor(runId, order, signal) {
    this.runId = runId;
    this.order = order;
    this.signal = signal;
  }

  async *read() {
    const silence = new Silence(LONGEST_SILENCE, this.signal);

    try {
      const response = await this.#connect(silence.signal);
      this.order = null; // it is accepted: from here on there is a run to come back to
      this.isOver = response.status === 204;

      if (this.isOver) return;

      yield { type: "link", is: "open" };
      yield* this.#events(response.body, silence);
    } finally {
      silence.end();
    }
  }

  mayTryAgain(error, failures) {
    if (error instanceof api.Refused) return !this.order && error.isTemporary;

    return !this.order || failures + 1 < TRIES_TO_START;
  }

  #connect(signal) {
    const { order, runId } = this;

    return order
      ? api.stream(order.program, order.inputs, runId, signal)
      : api.events(runId, this.#last, signal);
  }

  async *#events(body, silence) {
    for await (const { id, data } of eventsOf(body.pipeThrough(silence.listener()))) {
      this.#last = id;

      if (data === "[DONE]") {
        this.isOver = true;
        return;
      }

      yield JSON.parse(data);
    }
  }
}

/** Aborts what it signals when nothing is heard for too long. */
class Silence {
  #controller = new AbortController();
  #timer = 0;

  constructor(longest, signal) {
    this.longest = longest;
    this.signal = AbortSignal.any([this.#controller.signal, signal]);
    this.broken();
  }

  /** A pipe that hears what passes, comments too. */
  listener() {
    return new TransformStream({
      transform: (bytes, out) => {
        this.broken();
        out.enqueue(bytes);
      },
    });
  }

  broken() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(), this.longest);
  }

  end() {
    clearTimeout(this.#timer);
    this.#controller.abort();
  }
}

/** An error ends the stream for good, unless only the server behind the gateway was out of reach. */
function isLast(payload) {
  return payload.type === "error" && payload.reason !== "SERVER_UNREACHABLE";
}

function delayAfter(failures) {
  const delay = Math.min(FIRST_DELAY * 2 ** Math.max(failures, 0), LONGEST_DELAY);

  return Math.round(delay * (0.5 + Math.random() / 2));
}

/** Sleeps, but not past the moment at which the network is back. */
function sleep(milliseconds, signal) {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      removeEventListener("online", wake);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, milliseconds);
    addEventListener("online", wake);
    signal.addEventListener("abort", wake);
  });
}
