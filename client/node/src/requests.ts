/** The requests of the contract, from plain values. */

import type { Duration } from "./gen/google/protobuf/duration.js";
import { StatusDetail, StreamOptions } from "./gen/headrace/v1/headrace.js";

/** A program's inputs: an object with a JSON form. Integers beyond 2^53 may be decimal strings. */
export type Inputs = object;

/** Options of a start. */
export interface StartOptions {
  /** Names the run; a run that has this name already is joined. A fresh UUID unless given. */
  runId?: string;
  /** Bounds the whole run, on the server; it then fails with RUN_TIMEOUT. `signal` bounds only the reader. */
  timeoutMs?: number;
  /** Life of the run without a reader; 30 s unless given, so that a broken connection can be mended. */
  lingerMs?: number;
  /** Refuse any other revision of the program. */
  revision?: string;
  /** Kept on the run's record. */
  labels?: Record<string, string>;
  /** Ends the reading when it is aborted, and stops the run. */
  signal?: AbortSignal;
}

/** Options of one reader of a run. */
export interface ReadOptions {
  /** Fields whose text is sent, such as `compose.answer`, or `*`. Every field of text unless given. */
  fields?: string[];
  /** Leave out the text of all fields. */
  noTokens?: boolean;
  /** Statuses that are sent; all unless given. */
  statusDetail?: StatusDetail;
  /** Add the inputs and outputs of calls to statuses, where the server allows it. */
  includeData?: boolean;
  /** Let the server gather tokens for this long: fewer messages, however fast the model is. */
  mergeIntervalMs?: number;
}

export interface AttachOptions extends ReadOptions {
  /** The last position already read; 0 reads the run from its start. */
  afterSequence?: number;
  /** Ends the reading when it is aborted. */
  signal?: AbortSignal;
}

export const LINGER_MS = 30_000;

/** Asked of the server, so that a much longer silence means that the stream is dead. */
export const HEARTBEAT_MS = 15_000;

export function streamOptions(options: ReadOptions): StreamOptions {
  return {
    fields: options.fields ?? [],
    noTokens: options.noTokens ?? false,
    statusDetail: options.statusDetail ?? StatusDetail.STATUS_DETAIL_ALL,
    includeData: options.includeData ?? false,
    mergeInterval: duration(options.mergeIntervalMs),
    heartbeatInterval: duration(HEARTBEAT_MS),
    outputsJson: true,
  };
}

export function inputsJson(inputs: Inputs): { $case: "inputsJson"; value: string } {
  if (typeof inputs !== "object" || inputs === null || Array.isArray(inputs)) {
    throw new TypeError("inputs must be an object");
  }

  return { $case: "inputsJson", value: JSON.stringify(inputs) };
}

export function duration(milliseconds: number | undefined): Duration | undefined {
  if (milliseconds === undefined) {
    return undefined;
  }

  const seconds = Math.floor(milliseconds / 1000);

  return { seconds, nanos: Math.round((milliseconds - seconds * 1000) * 1e6) };
}
