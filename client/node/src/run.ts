/** A run as its reader sees it: events, the text of fields, and the prediction. */

import { status } from "@grpc/grpc-js";

import type { Connection } from "./connection.js";
import { ServerFault } from "./errors.js";
import type { Prediction, Run as RunRecord, StreamEvent } from "./gen/headrace/v1/headrace.js";
import type { EventStream } from "./stream.js";
import { Transcript } from "./transcript.js";

/** Most that stopping a run may take when it is left. */
const GOODBYE_MS = 3_000;

/** The outputs of a prediction as plain values. `prediction.outputsJson` holds them as text, integers exact. */
export function outputs(prediction: Prediction): Record<string, any> {
  return prediction.outputsJson ? JSON.parse(prediction.outputsJson) : (prediction.outputs ?? {});
}

/** Stops a run and gives its record. */
export async function cancelRun(
  connection: Connection,
  runId: string,
  reason: string,
  timeoutMs?: number,
): Promise<RunRecord> {
  const bound = timeoutMs === undefined ? {} : { timeoutMs };
  const response = await connection.ask(connection.stub.cancelRun, { runId, reason }, { runId, ...bound });

  return response.run!;
}

/** Stops a run whose reader leaves; where this fails, its linger ends it. */
export async function stopRun(connection: Connection, runId: string): Promise<void> {
  await cancelRun(connection, runId, "the reader left", GOODBYE_MS).catch(() => {});
}

/**
 * One run, made by `client.run` and `client.attach`. Iterate over it once, for its events; leaving the
 * loop of `client.run` early, by `break` or by an exception, stops the run.
 *
 * A broken connection is mended underneath without loss. Heartbeats stay inside. Tokens inside a
 * merged group may come again after a break, which `text` knows to handle.
 */
export class Run implements AsyncIterable<StreamEvent>, AsyncDisposable {
  private readonly transcript = new Transcript();
  private recorded: Prediction | undefined;
  private failure: { error: unknown } | undefined;
  private position: number;

  /** @internal */
  constructor(
    /** The run's name, for attach, getRun and cancel. */
    readonly id: string,
    private readonly connection: Connection,
    private readonly stream: EventStream,
    private readonly closing: AbortController,
    private stopsOnLeaving: boolean,
  ) {
    this.position = stream.resumption.cursor;
  }

  /** The last position read: `client.attach(id, { afterSequence })` goes on from it. */
  get cursor(): number {
    return this.position;
  }

  /** @internal Waits until the server has taken the request. */
  async accepted(): Promise<this> {
    await this.watched(this.stream.accepted());

    return this;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<StreamEvent, void, void> {
    try {
      for (;;) {
        const event = await this.read();

        if (!event) {
          return;
        }

        yield event;
      }
    } finally {
      await this.close();
    }
  }

  /** Reads to the end and gives the run's result. */
  async prediction(): Promise<Prediction> {
    while (!this.recorded && (await this.read())) {
      // `read` keeps the prediction
    }

    this.recorded ??= await this.askForPrediction();

    return this.recorded;
  }

  /** Reads to the end and gives the outputs as plain values. */
  async result(): Promise<Record<string, any>> {
    return outputs(await this.prediction());
  }

  /** The text of a predictor's field as read so far, of its latest call; empty before it began. */
  text(predictor: string, field: string): string {
    return this.transcript.text(predictor, field);
  }

  /** Stops the run, whoever else reads it, and gives its record. */
  cancel(reason = ""): Promise<RunRecord> {
    return cancelRun(this.connection, this.id, reason);
  }

  /** Lets the run go on when this reader leaves, for as long as its linger without a reader. */
  detach(): void {
    this.stopsOnLeaving = false;
  }

  /** Ends the reading; stops a run of `client.run` that is not over. Closing again does nothing. */
  async close(): Promise<void> {
    const isLeft = this.stopsOnLeaving && this.mayGoOn();
    this.stopsOnLeaving = false;

    if (isLeft) {
      await stopRun(this.connection, this.id);
    }

    this.stream.close();
    this.closing.abort(new Error(`run ${this.id} is closed`));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async read(): Promise<StreamEvent | undefined> {
    if (this.failure) {
      throw this.failure.error;
    }

    const event = await this.watched(this.stream.read());
    this.keep(event);

    return event;
  }

  /** Keeps the error of a step, and stops the run where that is why the step failed. */
  private async watched<T>(step: Promise<T>): Promise<T> {
    try {
      return await step;
    } catch (error) {
      this.failure = { error };

      if (this.stream.resumption.signal.aborted) {
        await this.close();
      }

      throw error;
    }
  }

  private keep(event: StreamEvent | undefined): void {
    this.position = Math.max(this.position, event?.sequence ?? 0);

    switch (event?.event?.$case) {
      case "token":
        this.transcript.apply(event.event.value);
        break;
      case "prediction":
        this.recorded = event.event.value;
    }
  }

  /** The reading was ended by nothing but its reader. */
  private mayGoOn(): boolean {
    return !this.stream.isOver && (!this.failure || this.stream.resumption.signal.aborted);
  }

  private async askForPrediction(): Promise<Prediction> {
    const { connection, id: runId } = this;
    const { run } = await connection.ask(connection.stub.getRun, { runId }, { runId });

    if (!run?.prediction) {
      throw new ServerFault("the run ended well without a prediction", { code: status.INTERNAL, runId });
    }

    return run.prediction;
  }
}
