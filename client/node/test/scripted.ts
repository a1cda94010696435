/** A server that plays one log from any cursor, over real gRPC on loopback. */

import { once } from "node:events";

import { type sendUnaryData, Server, ServerCredentials, type ServerWritableStream, status } from "@grpc/grpc-js";

import { Client, type ClientOptions } from "../src/index.js";
import {
  type CancelRunResponse,
  GetServerInfoResponse,
  type GetRunRequest,
  type HeadraceServiceServer,
  HeadraceServiceService,
  InputResolved,
  InputResolved_Outcome,
  type ListRunsRequest,
  OutputForm,
  type PredictRequest,
  Prediction,
  Program,
  Run,
  Run_State,
  type RunRequest,
  type SendInputRequest,
  type StreamEvent,
} from "../src/gen/headrace/v1/headrace.js";
import { type Ending, errorOf } from "./endings.js";
import { batch, composed } from "./events.js";

/** `endings` holds one entry per call; undefined is OK, as are calls behind the last one. */
export class Scripted {
  runs: RunRequest[] = [];
  predicts: PredictRequest[] = [];
  records: GetRunRequest[] = [];
  lists: ListRunsRequest[] = [];
  inputs: SendInputRequest[] = [];
  cursors: number[] = [];
  cancelled: string[] = [];
  deleted: string[] = [];
  authorization: unknown[] = [];
  /** What there is to list, newest first. */
  kept: string[] = ["r2", "r1"];
  /** Events put into one message. */
  batchSize = 1;
  /** Called at every predict that stays open. */
  asked: () => void = () => {};
  private readonly server = new Server();

  constructor(
    public events: StreamEvent[] = composed(),
    public endings: (Ending | undefined)[] = [],
    /** Calls stay open behind the last event. */
    public holds = false,
  ) {}

  async serve(options: ClientOptions = {}): Promise<{ client: Client; address: string } & AsyncDisposable> {
    this.server.addService(HeadraceServiceService, this.service());
    const port = await new Promise<number>((resolve, reject) =>
      this.server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      ),
    );
    const address = `127.0.0.1:${port}`;
    const client = new Client(address, options);

    return {
      client,
      address,
      [Symbol.asyncDispose]: async () => {
        client.close();
        this.server.forceShutdown();
      },
    };
  }

  private service(): HeadraceServiceServer {
    return {
      run: (call) => {
        this.runs.push(call.request);
        this.authorization = call.metadata.get("authorization");
        void this.play(call);
      },
      attach: (call) => void this.play(call),
      predict: (call, answer) => {
        this.predicts.push(call.request);

        if (this.holds) {
          this.asked();
        } else {
          this.end(answer, { runId: call.request.runId, prediction: this.prediction() });
        }
      },
      getRun: (call, answer) => {
        this.records.push(call.request);
        this.end(answer, { run: recordOf(call.request) });
      },
      listRuns: (call, answer) => {
        this.lists.push(call.request);
        const first = Number(call.request.pageToken);
        const end = first + Math.min(call.request.pageSize, 2); // no more on one page
        const runs = this.kept.slice(first, end).map((runId) => Run.fromPartial({ runId }));
        this.end(answer, { runs, nextPageToken: end < this.kept.length ? String(end) : "" });
      },
      cancelRun: (call, answer) => {
        this.cancelled.push(call.request.runId);
        this.end(answer, cancelledOf(call.request.runId));
      },
      deleteRun: (call, answer) => {
        this.deleted.push(call.request.runId);
        this.end(answer, {});
      },
      sendInput: (call, answer) => {
        this.inputs.push(call.request);
        this.end(answer, { resolved: resolvedOf(call.request) });
      },
      listPrograms: (call, answer) => {
        const isFirst = !call.request.pageToken;
        const programs = [Program.fromPartial({ name: isFirst ? "composer" : "qa" })];
        this.end(answer, { programs, nextPageToken: isFirst ? "composer" : "" });
      },
      getProgram: (call, answer) => {
        const inputSchemaJson = '{"properties": {"zeal": {}, "age": {}}}';
        this.end(answer, { program: Program.fromPartial({ name: call.request.name, inputSchemaJson }) });
      },
      getServerInfo: (_, answer) => this.end(answer, GetServerInfoResponse.fromPartial({ version: "0.1.0" })),
    };
  }

  private end<Response>(answer: sendUnaryData<Response>, response: Response): void {
    const ending = this.endings.shift();

    if (ending) {
      answer(errorOf(ending));
    } else {
      answer(null, response);
    }
  }

  private async play(call: ServerWritableStream<{ afterSequence: number }, StreamEvent>): Promise<void> {
    const ending = this.endings.shift();
    const after = call.request.afterSequence;
    this.cursors.push(after);
    const first = after && this.events.findIndex((event) => event.sequence === after) + 1;
    const messages = [...batches(this.events.slice(first), this.batchSize)];

    for (const message of messages.slice(0, ending && (ending.after ?? 0))) {
      call.write(message);
    }

    if (ending?.code === status.OK) {
      call.end(errorOf(ending).metadata);
    } else if (ending) {
      call.emit("error", errorOf(ending));
    } else {
      if (this.holds) {
        await once(call, "cancelled");
      }

      call.end();
    }
  }

  private prediction(): Prediction | undefined {
    const last = this.events.at(-1)?.event;

    return last?.$case === "prediction" ? last.value : undefined;
  }
}

function* batches(events: StreamEvent[], size: number): Generator<StreamEvent> {
  for (let first = 0; first < events.length; first += size) {
    const together = events.slice(first, first + size);
    yield together.length > 1 ? batch(...together) : together[0]!;
  }
}

function recordOf({ runId, outputForm }: GetRunRequest): Run {
  const outputs = { answer: "as recorded" };
  const isJson = outputForm === OutputForm.OUTPUT_FORM_JSON;
  const prediction = isJson ? { outputsJson: JSON.stringify(outputs) } : { outputs };

  return Run.fromPartial({ runId, prediction });
}

/** Of an id that begins with "un" there is no run. */
function cancelledOf(runId: string): CancelRunResponse {
  return runId.startsWith("un")
    ? { run: undefined, refusedUntil: new Date(60_000) }
    : { run: Run.fromPartial({ runId, state: Run_State.STATE_CANCELLED }), refusedUntil: undefined };
}

function resolvedOf({ inputId, input, reason }: SendInputRequest): InputResolved {
  const isAnswer = input?.$case === "answerJson";

  return InputResolved.fromPartial({
    inputId,
    outcome: isAnswer ? InputResolved_Outcome.OUTCOME_ANSWERED : InputResolved_Outcome.OUTCOME_DECLINED,
    answerJson: isAnswer ? input.value : "",
    reason,
  });
}
