/** One run's events in order, across as many gRPC streams as it takes. */

import type { ClientReadableStream, ServiceError, StatusObject } from "@grpc/grpc-js";

import type { StreamEvent } from "./gen/headrace/v1/headrace.js";
import { HEARTBEAT_MS } from "./requests.js";
import type { Resumption } from "./resume.js";
import { type CallStatus, statusOf, suspensionOf } from "./status.js";

/** The longest silences, in milliseconds; shorter in tests. */
export const silences = {
  /** Three heartbeats: after that the stream is dead, whatever the connection says. */
  stream: 3 * HEARTBEAT_MS,
  /** To wait for the OK behind a prediction. */
  farewell: 2_000,
};

/** Asks for the events after a position. */
export type OpenCall = (afterSequence: number) => ClientReadableStream<StreamEvent>;

/**
 * One gRPC stream, read one event at a time; it has no buffer but gRPC's own.
 *
 * One timer for the whole call notices silence: it looks at the clock, and is not set anew by events.
 */
class EventCall {
  private error: ServiceError | undefined;
  private isOver = false;
  private waitingSince = Infinity;
  private wake: () => void = () => {};
  private readonly watch: NodeJS.Timeout;

  constructor(private readonly call: ClientReadableStream<StreamEvent>) {
    call.on("readable", () => this.wake());
    call.on("end", () => this.end());
    call.on("error", (error: ServiceError) => this.end(error));
    call.on("status", (status: StatusObject) => (this.error ??= suspensionOf(status))); // before the end
    this.watch = setInterval(() => this.checkSilence(), silences.stream / 3).unref();
  }

  /** The next event; undefined behind the last one. Throws a ServiceError. */
  async read(): Promise<StreamEvent | undefined> {
    for (;;) {
      const event = this.call.read() as StreamEvent | null;

      if (event) {
        return event;
      }

      if (this.error) {
        throw this.error;
      }

      if (this.isOver) {
        return undefined;
      }

      this.waitingSince = Date.now();
      await new Promise<void>((resolve) => (this.wake = resolve));
      this.waitingSince = Infinity;
    }
  }

  /** Ends the call, at once or in a while; whoever reads gets CANCELLED. */
  close(inMs = 0): void {
    clearInterval(this.watch);

    if (!inMs) {
      this.call.cancel();
    } else if (!this.isOver) {
      const late = setTimeout(() => this.call.cancel(), inMs).unref();
      this.call.on("status", () => clearTimeout(late));
    }
  }

  private end(error?: ServiceError): void {
    this.isOver = true;
    this.error ??= error;
    clearInterval(this.watch);
    this.wake();
  }

  private checkSilence(): void {
    if (Date.now() - this.waitingSince > silences.stream) {
      this.call.cancel();
    }
  }
}

export class EventStream {
  /** A prediction came: only the OK behind it is left. */
  isOver = false;
  private call: EventCall | undefined;
  /** Came with the acceptance or in a batch, and are still to be read. */
  private ahead: StreamEvent[] = [];

  constructor(
    private readonly address: string,
    readonly resumption: Resumption,
    private readonly openCall: OpenCall,
  ) {
    resumption.signal.addEventListener("abort", () => this.close());
  }

  /** Waits until the server has taken the request, which shows in the first message it sends. */
  async accepted(): Promise<void> {
    while (!this.ahead.length && !this.isOver) {
      await this.receive();
    }
  }

  /** The next event that was recorded; undefined behind the last one of a run that succeeded. */
  async read(): Promise<StreamEvent | undefined> {
    while (this.ahead.length || !this.isOver) {
      const event = this.ahead.shift();

      if (!event) {
        await this.receive();
      } else if (event.event?.$case !== "heartbeat") {
        return event;
      }
    }

    return undefined;
  }

  /** Ends the stream. A reader that got its prediction stays for the OK behind it: it has not left early. */
  close(): void {
    this.call?.close(this.isOver ? silences.farewell : 0);
    this.call = undefined;
    this.ahead = [];
  }

  /** Waits for the next message; where the stream was cut, until another may be opened. */
  private async receive(): Promise<void> {
    let message: StreamEvent | undefined;

    try {
      message = await (this.call ?? this.open()).read();
    } catch (error) {
      this.call = undefined;

      return this.resumption.waitAfter(this.statusOf(error));
    }

    this.take(message);
  }

  /** A cut behind a batch finds all of it here, so that reading goes on from its end. */
  private take(message: StreamEvent | undefined): void {
    this.ahead = unpacked(message);
    this.isOver = !message || this.ahead.at(-1)?.event?.$case === "prediction";

    for (const { sequence } of this.ahead) {
      this.resumption.answered(sequence);
    }
  }

  private open(): EventCall {
    this.resumption.asking();
    const call = this.openCall(this.resumption.cursor);
    call.on("metadata", () => this.resumption.answered()); // accepted: worth more tries

    return (this.call = new EventCall(call));
  }

  private statusOf(error: unknown): CallStatus {
    if (error instanceof Error && "metadata" in error) {
      return statusOf(error as ServiceError, this.address, this.resumption.runId);
    }

    throw error; // not the call's doing
  }
}

/** The events of a message: those of a batch, or the one it is. */
function unpacked(message: StreamEvent | undefined): StreamEvent[] {
  if (message?.event?.$case === "batch") {
    return message.event.value.events;
  }

  return message ? [message] : [];
}
