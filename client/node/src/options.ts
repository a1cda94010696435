/** The options of calls, in plain values. */

/** A program's inputs: an object with a JSON form. Integers beyond 2^53 may be decimal strings. */
export type Inputs = object;

/** A kind of event that a server sends only to readers that accept it. */
export type EventKind = "custom" | "input";

/** Tokens that are sent: text as it comes, each field once when it is complete, or none. */
export type TokenDetail = "all" | "whole" | "none";

/** Statuses that are sent: all, those with a message for people, or none. */
export type StatusDetail = "all" | "messages" | "none";

/** Form of a prediction's outputs. */
export type OutputForm = "struct" | "json" | "both" | "none";

/** How much of a run is shown: all but its inputs, or all there is. */
export type RunView = "basic" | "full";

/** Life cycle of a run. */
export type RunState = "queued" | "running" | "waiting" | "succeeded" | "failed" | "cancelled";

export interface OutputOptions {
  /** Form of the outputs; `json` unless given, in which integers are exact. `outputs` reads any. */
  outputForm?: OutputForm;
}

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
  /** Refuse any other interface revision: one with other names, types or schemas. */
  interfaceRevision?: string;
  /** Kept on the run's record. */
  labels?: Record<string, string>;
  /** Ends the reading when it is aborted, and stops the run. */
  signal?: AbortSignal;
}

/** Options of one reader of a run. */
export interface ReadOptions extends OutputOptions {
  /** Fields whose text is sent, such as `compose.answer`, or `*`. Every field of text unless given. */
  fields?: string[];
  /** Tokens that are sent; all unless given. */
  tokenDetail?: TokenDetail;
  /** Statuses that are sent; all unless given. */
  statusDetail?: StatusDetail;
  /** Add the content of calls to statuses, and answers to the end of questions, where the server allows it. */
  includeData?: boolean;
  /** Let the server gather tokens for this long: fewer messages, however fast the model is. */
  mergeIntervalMs?: number;
  /** Kinds of event wanted beyond statuses, tokens and the prediction; all that this client knows unless given. */
  accept?: EventKind[];
}

export interface AttachOptions extends ReadOptions {
  /** The last position already read; 0 reads the run from its start. */
  afterSequence?: number;
  /** Ends the reading when it is aborted. */
  signal?: AbortSignal;
}

export interface RecordOptions extends OutputOptions {
  /** `full` shows the inputs too, where the server allows it; `basic` unless given. */
  view?: RunView;
}

/** Which runs are listed: those to which every filter given applies. */
export interface RunFilters {
  /** Only runs of this program. */
  program?: string;
  /** Only runs in one of these states. */
  states?: RunState[];
  /** Only runs that carry all of these labels, with these values. */
  labels?: Record<string, string>;
  /** Only runs accepted after this moment. */
  createdAfter?: Date;
  /** Only runs accepted before this moment. */
  createdBefore?: Date;
  /** Most runs to give, the newest; 100 unless given. `Infinity` gives all. */
  limit?: number;
}
