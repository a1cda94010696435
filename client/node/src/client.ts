/** The client: one address, one channel, any number of runs at a time. */

import type { ServiceError } from "@grpc/grpc-js";

import { cancelRun, deleteRun, getRun, listRuns, sendInput, stopRun } from "./calls.js";
import { Connection, type ConnectionOptions } from "./connection.js";
import type {
  CancelRunResponse,
  GetServerInfoResponse,
  HeadraceServiceClient,
  InputResolved,
  PredictRequest,
  Prediction,
  Program,
  Run as RunRecord,
} from "./gen/headrace/v1/headrace.js";
import type {
  AttachOptions,
  Inputs,
  OutputOptions,
  ReadOptions,
  RecordOptions,
  RunFilters,
  StartOptions,
} from "./options.js";
import { answerRequest, declineRequest, outputForm, startRequest, streamOptions } from "./requests.js";
import { Resumption } from "./resume.js";
import { Run } from "./run.js";
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

  /** The generated client over the same connection. */
  get service(): HeadraceServiceClient {
    return this.connection.stub;
  }

  // Runs

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
  async predict(program: string, inputs: Inputs, options: StartOptions & OutputOptions = {}): Promise<Prediction> {
    const request = { ...startRequest(program, inputs, options), outputForm: outputForm(options) };
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

  /** A run's record: its state, its open questions, and its prediction or failure once it has ended. */
  async getRun(runId: string, options: RecordOptions = {}): Promise<RunRecord> {
    return getRun(this.connection, runId, options);
  }

  /** Your runs that can still be read, newest first, without predictions, failures and questions. */
  async runs(filters: RunFilters = {}): Promise<RunRecord[]> {
    return listRuns(this.connection, filters);
  }

  /**
   * Stops a run. `run` is its record; one that had ended comes back unchanged. Where no run has the id,
   * `run` is undefined, and a run that comes with it before `refusedUntil` is refused with RUN_CANCELLED.
   */
  async cancel(runId: string, reason = ""): Promise<CancelRunResponse> {
    return cancelRun(this.connection, runId, reason);
  }

  /** Ends a run if need be, and forgets all of it. RUN_NOT_FOUND where there is none. */
  async delete(runId: string): Promise<void> {
    return deleteRun(this.connection, runId);
  }

  /**
   * Answers an open question of a run; gives how the question ended. `value` has the JSON form that the
   * question's schema asks for; to let a tool be called, it is the arguments to call it with, or true for
   * those proposed. The same answer again is fine; another one is refused with INPUT_RESOLVED.
   */
  async answer(runId: string, inputId: string, value: unknown, reason = ""): Promise<InputResolved> {
    return sendInput(this.connection, answerRequest(runId, inputId, value, reason));
  }

  /** Declines to answer a question, or to let a tool be called. `reason` is told to who asked. */
  async decline(runId: string, inputId: string, reason = ""): Promise<InputResolved> {
    return sendInput(this.connection, declineRequest(runId, inputId, reason));
  }

  // Programs and the server

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

  /** One program: its fields, schemas, predictors, tools and inputs to try. */
  async describe(program: string): Promise<Program> {
    const { program: described } = await this.connection.ask(this.service.getProgram, { name: program });

    return described!;
  }

  /** The server's version, features and limits. */
  async serverInfo(): Promise<GetServerInfoResponse> {
    return this.connection.ask(this.service.getServerInfo, {});
  }

  /** Ends the connection, once the runs that are still read have been closed. */
  close(): void {
    this.connection.close();
  }

  private reader(
    runId: string,
    open: OpenCall,
    options: AttachOptions & { deadline?: number; stopsOnLeaving?: boolean },
  ): Promise<Run> {
    const { afterSequence = 0, deadline = Infinity, signal, outputForm = "json", stopsOnLeaving = false } = options;
    const closing = new AbortController();
    const either = signal ? AbortSignal.any([signal, closing.signal]) : closing.signal;
    const resumption = this.resumption(runId, deadline, either);
    resumption.cursor = afterSequence;
    const stream = new EventStream(this.connection.address, resumption, open);

    return new Run(runId, this.connection, stream, closing, outputForm, stopsOnLeaving).accepted();
  }

  private resumption(runId: string, deadline: number, signal: AbortSignal): Resumption {
    return new Resumption(runId, this.retries, deadline, signal, (ended) => this.connection.explained(ended));
  }

  private predictOnce(request: PredictRequest, resumption: Resumption): Promise<Prediction> {
    resumption.asking();

    return new Promise((resolve, reject) => {
      const { deadline, signal } = resumption;
      let isAccepted = false;
      const abort = () => call.cancel();
      const call = this.service.predict(request, this.connection.metadata(), { deadline }, (error, response) => {
        signal.removeEventListener("abort", abort);

        if (isAccepted) {
          resumption.answered(); // worth more tries
        }

        if (error) {
          reject(error);
        } else {
          resolve(response.prediction!);
        }
      });
      call.on("metadata", () => (isAccepted = true));
      signal.addEventListener("abort", abort);
    });
  }
}

function deadlineOf({ timeoutMs }: StartOptions): number {
  return timeoutMs === undefined ? Infinity : Date.now() + timeoutMs + OVERTIME_MS;
}
