/** The client: one address, one channel, any number of runs at a time. */

import { randomUUID } from "node:crypto";

import type { ServiceError } from "@grpc/grpc-js";

import { Connection, type ConnectionOptions } from "./connection.js";
import {
  type HeadraceServiceClient,
  type PredictRequest,
  type Prediction,
  type Program,
  type Run as RunRecord,
} from "./gen/headrace/v1/headrace.js";
import {
  type AttachOptions,
  duration,
  type Inputs,
  inputsJson,
  LINGER_MS,
  type ReadOptions,
  type StartOptions,
  streamOptions,
} from "./requests.js";
import { Resumption } from "./resume.js";
import { cancelRun, Run, stopRun } from "./run.js";
import { statusOf } from "./status.js";
import { EventStream, type OpenCall } from "./stream.js";

/** A run's own timeout is kept by the server; this much later its reader stops waiting. */
const OVERTIME_MS = 5_000;

export interface ClientOptions extends ConnectionOptions {
  /** Failures in a row, without anything new, after which reading a run is given up; 10 unless given. */
  retries?: number;
}

/** Runs programs of one server. It connects at the first call; close it. */
export class Client {
  private readonly connection: Connection;
  private readonly retries: number;

  constructor(address = "127.0.0.1:50051", options: ClientOptions = {}) {
    this.connection = new Connection(address, options);
    this.retries = options.retries ?? 10;
  }

  /** The generated client over the same connection, for calls that have no method here. */
  get service(): HeadraceServiceClient {
    return this.connection.stub;
  }

  /**
   * Starts a run of a program, or joins the run of the same name, and reads it. It is there once the
   * server has accepted the request.
   */
  async run(program: string, inputs: Inputs, options: StartOptions & ReadOptions = {}): Promise<Run> {
    const request = { ...startRequest(program, inputs, options), options: streamOptions(options) };
    const deadline = deadlineOf(options);
    const open: OpenCall = (afterSequence) =>
      this.service.run({ ...request, afterSequence }, this.connection.metadata(), { deadline });

    return this.reader(request.runId, open, { ...options, deadline, stopsOnLeaving: true });
  }

  /** Reads a run that exists, live or ended. Leaving it does not stop it. */
  async attach(runId: string, options: AttachOptions = {}): Promise<Run> {
    const request = { runId, options: streamOptions(options) };
    const open: OpenCall = (afterSequence) =>
      this.service.attach({ ...request, afterSequence }, this.connection.metadata());

    return this.reader(runId, open, options);
  }

  /** Runs a program and gives its prediction; `outputs` reads it. Aborting its signal stops the run. */
  async predict(program: string, inputs: Inputs, options: StartOptions = {}): Promise<Prediction> {
    const request = { ...startRequest(program, inputs, options), outputsJson: true };
    const signal = options.signal ?? new AbortController().signal;
    const resumption = this.resumption(request.runId, deadlineOf(options), signal);

    for (;;) {
      try {
        return await this.predictOnce(request, resumption);
      } catch (error) {
        if (signal.aborted) {
          await stopRun(this.connection, request.runId);
          throw signal.reason;
        }

        await resumption.waitAfter(statusOf(error as ServiceError, this.connection.address, request.runId));
      }
    }
  }

  /** A run's record: its state, and its prediction or failure once it has ended. */
  async getRun(runId: string): Promise<RunRecord> {
    const { run } = await this.connection.ask(this.service.getRun, { runId }, { runId });

    return run!;
  }

  /** Stops a run and gives its record; one that had ended comes back unchanged. */
  cancel(runId: string, reason = ""): Promise<RunRecord> {
    return cancelRun(this.connection, runId, reason);
  }

  /** The hosted programs, by name. */
  async programs(): Promise<Program[]> {
    const programs: Program[] = [];
    let pageToken = "";

    do {
      const page = await this.connection.ask(this.service.listPrograms, { pageSize: 0, pageToken });
      programs.push(...page.programs);
      pageToken = page.nextPageToken;
    } while (pageToken);

    return programs;
  }

  /** Ends the connection, once the runs that are still read have been closed. */
  close(): void {
    this.connection.close();
  }

  private reader(
    runId: string,
    open: OpenCall,
    {
      afterSequence = 0,
      deadline = Infinity,
      signal,
      stopsOnLeaving = false,
    }: AttachOptions & { deadline?: number; stopsOnLeaving?: boolean },
  ): Promise<Run> {
    const closing = new AbortController();
    const either = signal ? AbortSignal.any([signal, closing.signal]) : closing.signal;
    const resumption = this.resumption(runId, deadline, either);
    resumption.cursor = afterSequence;
    const stream = new EventStream(this.connection.address, resumption, open);

    return new Run(runId, this.connection, stream, closing, stopsOnLeaving).accepted();
  }

  private resumption(runId: string, deadline: number, signal: AbortSignal): Resumption {
    return new Resumption(runId, this.retries, deadline, signal, (ended) => this.connection.explained(ended));
  }

  private predictOnce(request: PredictRequest, resumption: Resumption): Promise<Prediction> {
    resumption.signal.throwIfAborted();

    return new Promise((resolve, reject) => {
      const { deadline, signal } = resumption;
      const abort = () => call.cancel();
      const call = this.service.predict(request, this.connection.metadata(), { deadline }, (error, response) => {
        signal.removeEventListener("abort", abort);

        if (error) {
          reject(error);
        } else {
          resolve(response.prediction!);
        }
      });
      call.on("metadata", () => resumption.answered()); // accepted: worth more tries
      signal.addEventListener("abort", abort);
    });
  }
}

function startRequest(program: string, inputs: Inputs, options: StartOptions) {
  return {
    program,
    input: inputsJson(inputs),
    runId: options.runId ?? randomUUID(),
    timeout: duration(options.timeoutMs),
    linger: duration(options.lingerMs ?? LINGER_MS),
    revision: options.revision ?? "",
    labels: options.labels ?? {},
  };
}

function deadlineOf({ timeoutMs }: StartOptions): number {
  return timeoutMs === undefined ? Infinity : Date.now() + timeoutMs + OVERTIME_MS;
}
