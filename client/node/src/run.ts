/** A run as its reader sees it: events, the text of fields, and the prediction. */

import { status } from "@grpc/grpc-js";

import { cancelRun, getRun, sendInput, stopRun } from "./calls.js";
import type { Connection } from "./connection.js";
import { ServerFault } from "./errors.js";
import type { CancelRunResponse, InputResolved, Prediction, StreamEvent } from "./gen/headrace/v1/headrace.js";
import type { OutputForm } from "./options.js";
import { outputs } from "./outputs.js";
import { answerRequest, declineRequest } from "./requests.js";
import type { EventStream } from "./stream.js";
import { type FieldText, Transcript } from "./transcript.js";

/**
 * One run, made by `client.run` and `client.attach`. Iterate over it once, for its events; leaving the
 * loop of `client.run` early, by `break` or by an exception, stops the run. Or iterate over any number of
 * `field(...)` at the same time, for text.
 *
 * A broken connection is mended underneath without loss. Batches come as the single events they hold, and
 * heartbeats stay inside. Tokens inside a merged group may come again after a break, which `text` and
 * `field` know to handle.
 */
export class Run implements AsyncIterable<StreamEvent>, AsyncDisposable {
  private readonly transcript = new Transcript();
  private recorded: Prediction | undefined;
  private failure: { error: unknown } | undefined;
  private position: number;
  private readAs: "events" | "fields" | undefined;
  /** The step that is under way, for whoever waits for more. */
  private step: Promise<StreamEvent | undefined> | undefined;

  /** @internal */
  constructor(
    /** The run's name, for attach, getRun and cancel. */
    readonly id: string,
    private readonly connection: Connection,
    private readonly stream: EventStream,
    private readonly closing: AbortController,
    private readonly outputForm: OutputForm,
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

  [Symbol.asyncIterator](): AsyncGenerator<StreamEvent, void, void> {
    this.readBy("events");

    return this.events();
  }

  /**
   * New text of a field as it comes, until the run ends. `selector` is `answer` or `compose.answer`. Each
   * reader gets all of its text; calls of one predictor follow each other. Leaving the loop does not stop
   * the run: `close` does.
   */
  field(selector: string): AsyncGenerator<string, void, void> {
    this.readBy("fields");

    return this.follow(selector);
  }

  /** Reads to the end and gives the run's result. */
  async prediction(): Promise<Prediction> {
    while (!this.recorded && (await this.next())) {
      // each step keeps the prediction, if that is what it read
    }

    this.recorded ??= await this.askForPrediction();

    return this.recorded;
  }

  /** Reads to the end and gives the outputs as plain values. */
  async result(): Promise<Record<string, any>> {
    return outputs(await this.prediction());
  }

  /**
   * The text of a field as read so far; empty before it began. `selector` is `answer` or `compose.answer`;
   * the text is that of the latest call, or of the call given.
   */
  text(selector: string, callId?: number): string {
    return this.transcript.text(selector, callId);
  }

  /** Answers a question of the run; see `client.answer`. */
  async answer(inputId: string, value: unknown, reason = ""): Promise<InputResolved> {
    return sendInput(this.connection, answerRequest(this.id, inputId, value, reason));
  }

  /** Declines to answer a question of the run, or to let it call a tool; see `client.decline`. */
  async decline(inputId: string, reason = ""): Promise<InputResolved> {
    return sendInput(this.connection, declineRequest(this.id, inputId, reason));
  }

  /** Stops the run, whoever else reads it; see `client.cancel`. */
  cancel(reason = ""): Promise<CancelRunResponse> {
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

  private readBy(way: "events" | "fields"): void {
    if (this.readAs && (this.readAs === "events" || way === "events")) {
      const others = "text() and prediction() remain, and client.attach reads it again";

      throw new TypeError(`a run is iterated over once, by its events or by its fields; ${others}`);
    }

    this.readAs = way;
  }

  private async *events(): AsyncGenerator<StreamEvent, void, void> {
    try {
      for (;;) {
        const event = await this.next();

        if (!event) {
          return;
        }

        yield event;
      }
    } finally {
      await this.close();
    }
  }

  private async *follow(selector: string): AsyncGenerator<string, void, void> {
    const texts = this.transcript.matching(selector);
    const read = new Map<FieldText, number>();

    for (;;) {
      let isNew = false;

      for (const text of texts) {
        const piece = text.since(read.get(text) ?? 0);

        if (piece) {
          isNew = true;
          read.set(text, text.length);
          yield piece;
        }
      }

      if (!isNew && !(await this.next())) {
        return;
      }
    }
  }

  /** The next event; whoever waits for it at the same time gets the same one. */
  private next(): Promise<StreamEvent | undefined> {
    return (this.step ??= this.read().finally(() => (this.step = undefined)));
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
    const { prediction } = await getRun(this.connection, this.id, { outputForm: this.outputForm });

    if (!prediction) {
      const facts = { code: status.INTERNAL, runId: this.id };

      throw new ServerFault("the run ended well without a prediction", facts);
    }

    return prediction;
  }
}
