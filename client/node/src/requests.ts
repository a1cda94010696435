/** The requests of the contract, from plain values. Raises TypeError naming the option that is wrong. */

import { randomUUID } from "node:crypto";

import type { Duration } from "./gen/google/protobuf/duration.js";
import {
  EventKind,
  type GetRunRequest,
  type ListRunsRequest,
  OutputForm,
  Run_State,
  RunView,
  type SendInputRequest,
  StatusDetail,
  type StreamOptions,
  TokenDetail,
} from "./gen/headrace/v1/headrace.js";
import type * as options from "./options.js";

export const LINGER_MS = 30_000;

/** Asked of the server, so that a much longer silence means that the stream is dead. */
export const HEARTBEAT_MS = 15_000;

const EVENT_KINDS: Record<options.EventKind, EventKind> = {
  custom: EventKind.EVENT_KIND_CUSTOM,
  input: EventKind.EVENT_KIND_INPUT,
};

const TOKEN_DETAILS: Record<options.TokenDetail, TokenDetail> = {
  all: TokenDetail.TOKEN_DETAIL_ALL,
  whole: TokenDetail.TOKEN_DETAIL_WHOLE,
  none: TokenDetail.TOKEN_DETAIL_NONE,
};

const STATUS_DETAILS: Record<options.StatusDetail, StatusDetail> = {
  all: StatusDetail.STATUS_DETAIL_ALL,
  messages: StatusDetail.STATUS_DETAIL_MESSAGES,
  none: StatusDetail.STATUS_DETAIL_NONE,
};

const OUTPUT_FORMS: Record<options.OutputForm, OutputForm> = {
  struct: OutputForm.OUTPUT_FORM_STRUCT,
  json: OutputForm.OUTPUT_FORM_JSON,
  both: OutputForm.OUTPUT_FORM_BOTH,
  none: OutputForm.OUTPUT_FORM_NONE,
};

const VIEWS: Record<options.RunView, RunView> = {
  basic: RunView.RUN_VIEW_BASIC,
  full: RunView.RUN_VIEW_FULL,
};

const STATES: Record<options.RunState, Run_State> = {
  queued: Run_State.STATE_QUEUED,
  running: Run_State.STATE_RUNNING,
  waiting: Run_State.STATE_WAITING,
  succeeded: Run_State.STATE_SUCCEEDED,
  failed: Run_State.STATE_FAILED,
  cancelled: Run_State.STATE_CANCELLED,
};

/** What a start says, whether it is read or its prediction alone is wanted. */
export function startRequest(program: string, inputs: options.Inputs, start: options.StartOptions) {
  return {
    program,
    input: inputsJson(inputs),
    runId: start.runId ?? randomUUID(),
    timeout: duration(start.timeoutMs),
    linger: duration(start.lingerMs ?? LINGER_MS),
    revision: start.revision ?? "",
    interfaceRevision: start.interfaceRevision ?? "",
    labels: start.labels ?? {},
  };
}

/** Batches are always accepted: the stream takes them apart again. */
export function streamOptions(read: options.ReadOptions): StreamOptions {
  const kinds = read.accept ?? (Object.keys(EVENT_KINDS) as options.EventKind[]);

  return {
    fields: read.fields ?? [],
    tokenDetail: chosen("tokenDetail", TOKEN_DETAILS, read.tokenDetail ?? "all"),
    statusDetail: chosen("statusDetail", STATUS_DETAILS, read.statusDetail ?? "all"),
    includeData: read.includeData ?? false,
    mergeInterval: duration(read.mergeIntervalMs),
    heartbeatInterval: duration(HEARTBEAT_MS),
    outputForm: outputForm(read),
    accept: [...kinds.map((kind) => chosen("accept", EVENT_KINDS, kind)), EventKind.EVENT_KIND_BATCH],
  };
}

export function outputForm({ outputForm = "json" }: options.OutputOptions): OutputForm {
  return chosen("outputForm", OUTPUT_FORMS, outputForm);
}

export function recordRequest(runId: string, record: options.RecordOptions): GetRunRequest {
  return { runId, view: chosen("view", VIEWS, record.view ?? "basic"), outputForm: outputForm(record) };
}

/** The filters of a list, without its page. */
export function listRequest(filters: options.RunFilters): Omit<ListRunsRequest, "pageSize" | "pageToken"> {
  return {
    program: filters.program ?? "",
    states: (filters.states ?? []).map((state) => chosen("states", STATES, state)),
    labels: filters.labels ?? {},
    createdAfter: filters.createdAfter,
    createdBefore: filters.createdBefore,
  };
}

export function answerRequest(runId: string, inputId: string, value: unknown, reason: string): SendInputRequest {
  const text = JSON.stringify(value) as string | undefined;

  if (text === undefined) {
    throw new TypeError("answer must be a value with a JSON form; give null for none, or decline");
  }

  return { runId, inputId, input: { $case: "answerJson", value: text }, reason };
}

export function declineRequest(runId: string, inputId: string, reason: string): SendInputRequest {
  return { runId, inputId, input: { $case: "decline", value: true }, reason };
}

export function duration(milliseconds: number | undefined): Duration | undefined {
  if (milliseconds === undefined) {
    return undefined;
  }

  const seconds = Math.floor(milliseconds / 1000);

  return { seconds, nanos: Math.round((milliseconds - seconds * 1000) * 1e6) };
}

function inputsJson(inputs: options.Inputs): { $case: "inputsJson"; value: string } {
  if (typeof inputs !== "object" || inputs === null || Array.isArray(inputs)) {
    throw new TypeError("inputs must be an object");
  }

  return { $case: "inputsJson", value: JSON.stringify(inputs) };
}

function chosen<Name extends string, Value>(option: string, values: Record<Name, Value>, name: Name): Value {
  if (!Object.hasOwn(values, name)) {
    throw new TypeError(`${option} must be one of ${Object.keys(values).join(", ")}; not ${String(name)}`);
  }

  return values[name];
}
