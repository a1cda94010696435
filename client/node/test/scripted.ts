/** A server that plays one log from any cursor, over real gRPC on loopback. */

import { once } from "node:events";

import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerWritableStream,
  type ServiceError,
  status,
} from "@grpc/grpc-js";

import { Client, type ClientOptions } from "../src/index.js";
import type { Any } from "../src/gen/google/protobuf/any.js";
import { BadRequest, ErrorInfo, RetryInfo } from "../src/gen/google/rpc/error_details.js";
import { Status } from "../src/gen/google/rpc/status.js";
import {
  type HeadraceServiceServer,
  HeadraceServiceService,
  type PredictRequest,
  Prediction,
  Program,
  Run,
  Run_State,
  type RunRequest,
  StreamEvent,
  Token,
} from "../src/gen/headrace/v1/headrace.js";
import { duration } from "../src/requests.js";

/** How a call ends other than OK. */
export interface Ending {
  code: status;
  reason?: string;
  runState?: string;
  retryDelayMs?: number;
  /** Path of a field. */
  violation?: string;
  /** No rich details, only trailers. */
  isPlain?: boolean;
  /** For streams: how many events are sent before it. */
  after?: number;
}

/** `endings` holds one entry per call; once they are used up calls end OK. */
export class Scripted {
  runs: RunRequest[] = [];
  predicts: PredictRequest[] = [];
  cursors: number[] = [];
  cancelled: string[] = [];
  authorization: unknown[] = [];
  /** Called at every predict that stays open. */
  asked: () => void = () => {};
  private readonly server = new Server();

  constructor(
    public events: StreamEvent[] = composed(),
    public endings: Ending[] = [],
    /** Calls stay open behind the last event. */
    public holds = false,
  ) {}

  async serve(options: ClientOptions = {}): Promise<{ client: Client } & AsyncDisposable> {
    this.addService();
    const port = await new Promise<number>((resolve, reject) =>
      this.server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      ),
    );
    const client = new Client(`127.0.0.1:${port}`, options);

    return {
      client,
      [Symbol.asyncDispose]: async () => {
        client.close();
        this.server.forceShutdown();
      },
    };
  }

  private addService(): void {
    const service: HeadraceServiceServer = {
      run: (call) => {
        this.runs.push(call.request);
        this.authorization = call.metadata.get("authorization");
        void this.play(call);
      },
      attach: (call) => void this.play(call),
      predict: (call, answer) => {
        this.predicts.push(call.request);
        const ending = this.endings.shift();

        if (ending) {
          answer(errorOf(ending));
        } else if (this.holds) {
          this.asked();
        } else {
          answer(null, { runId: call.request.runId, prediction: this.prediction() });
        }
      },
      getRun: (call, answer) => {
        const ending = this.endings.shift();
        const outputs = { answer: "as recorded" }; // a record has no JSON text
        const run = Run.fromPartial({ runId: call.request.runId, prediction: { outputs } });
        answer(ending ? errorOf(ending) : null, { run });
      },
      cancelRun: (call, answer) => {
        this.cancelled.push(call.request.runId);
        answer(null, { run: Run.fromPartial({ state: Run_State.STATE_CANCELLED }) });
      },
      listPrograms: (call, answer) => {
        const isFirst = !call.request.pageToken;
        const programs = [Program.fromPartial({ name: isFirst ? "composer" : "qa" })];
        answer(null, { programs, nextPageToken: isFirst ? "composer" : "" });
      },
      getProgram: (_, answer) => answer({ code: status.UNIMPLEMENTED }),
      listRuns: (_, answer) => answer({ code: status.UNIMPLEMENTED }),
      getServerInfo: (_, answer) => answer({ code: status.UNIMPLEMENTED }),
    };
    this.server.addService(HeadraceServiceService, service);
  }

  private async play(call: ServerWritableStream<{ afterSequence: number }, StreamEvent>): Promise<void> {
    const ending = this.endings.shift();
    const after = call.request.afterSequence;
    this.cursors.push(after);
    const first = after && this.events.findIndex((event) => event.sequence === after) + 1;

    for (const event of this.events.slice(first, ending && first + (ending.after ?? 0))) {
      call.write(event);
    }

    if (ending) {
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

function errorOf(ending: Ending): Partial<ServiceError> {
  const metadata = new Metadata();

  if (ending.reason) {
    metadata.set("headrace-error-reason", ending.reason);
  }

  if (ending.runState) {
    metadata.set("headrace-run-state", ending.runState);
  }

  if (ending.reason && !ending.isPlain) {
    metadata.set("grpc-status-details-bin", Buffer.from(detailsOf(ending)));
  }

  return { code: ending.code, details: "scripted", metadata };
}

function detailsOf({ code, reason = "", retryDelayMs, violation }: Ending): Uint8Array {
  const info = { domain: "headrace.dev", reason, metadata: { model: "m" } };
  const details = [packed("ErrorInfo", ErrorInfo.encode(info).finish())];

  if (retryDelayMs) {
    const delay = RetryInfo.fromPartial({ retryDelay: duration(retryDelayMs)! });
    details.push(packed("RetryInfo", RetryInfo.encode(delay).finish()));
  }

  if (violation) {
    const request = BadRequest.fromPartial({
      fieldViolations: [{ field: violation, description: "unknown" }],
    });
    details.push(packed("BadRequest", BadRequest.encode(request).finish()));
  }

  return Status.encode({ code, message: "scripted", details }).finish();
}

function packed(name: string, value: Uint8Array): Any {
  return { typeUrl: `type.googleapis.com/google.rpc.${name}`, value: Buffer.from(value) };
}

// Events, in short

export function numbered(...arms: StreamEvent["event"][]): StreamEvent[] {
  return arms.map((event, i) => envelope(event, i + 1));
}

export function envelope(event: StreamEvent["event"], sequence: number): StreamEvent {
  return { runId: "", sequence, eventCount: 1, attempt: 1, createTime: undefined, event };
}

export function token(field: string, chunk: string, offset: number, callId = 2): StreamEvent["event"] {
  const value = Token.fromPartial({ predictor: "compose", field, chunk, offset, callId });

  return { $case: "token", value };
}

export function prediction(outputsJson: string): StreamEvent["event"] {
  return { $case: "prediction", value: Prediction.fromPartial({ outputsJson }) };
}

export const heartbeat: StreamEvent["event"] = { $case: "heartbeat", value: {} };

export const WHOLE = "Größe → 長さ";

/** A run that says WHOLE in tokens. */
export function composed(): StreamEvent[] {
  return numbered(
    token("answer", "Grö", 0),
    token("answer", "ße ", 3),
    token("answer", "→ ", 6),
    token("answer", "長さ", 8),
    prediction(JSON.stringify({ answer: WHOLE })),
  );
}
