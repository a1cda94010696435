/**
 * The client of headrace for Node: runs programs of a server and streams what happens inside them.
 *
 * Events are the messages of the wire. What cannot be mended is a `HeadraceError`.
 */

export { credentials, status } from "@grpc/grpc-js";

export { Client, type ClientOptions } from "./client.js";
export {
  HeadraceError,
  RequestRefused,
  RunFailed,
  RunSuspended,
  ServerFault,
  ServerUnreachable,
  type Violation,
} from "./errors.js";
export {
  type CancelRunResponse,
  type CustomEvent,
  type Failure,
  type GetServerInfoResponse as ServerInfo,
  type InputRequest,
  InputRequest_Kind,
  type InputResolved,
  InputResolved_Outcome,
  type Limits,
  type LmCall,
  type ModelUsage,
  type Prediction,
  type Program,
  type Run as RunRecord,
  Run_State,
  type StatusUpdate,
  StatusUpdate_Kind,
  StatusUpdate_Outcome,
  StatusUpdate_Phase,
  type StreamEvent,
  type Token,
  type Tool,
  type ToolCall,
  type Usage,
} from "./gen/headrace/v1/headrace.js";
export type {
  AttachOptions,
  EventKind,
  Inputs,
  OutputForm,
  OutputOptions,
  ReadOptions,
  RecordOptions,
  RunFilters,
  RunState,
  RunView,
  StartOptions,
  StatusDetail,
  TokenDetail,
} from "./options.js";
export { outputs } from "./outputs.js";
export { Run } from "./run.js";
