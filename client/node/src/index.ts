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
  ServerFault,
  ServerUnreachable,
  type Violation,
} from "./errors.js";
export {
  type Failure,
  type LmCall,
  type Prediction,
  type Program,
  type Run as RunRecord,
  Run_State,
  StatusDetail,
  type StatusUpdate,
  StatusUpdate_Kind,
  StatusUpdate_Outcome,
  StatusUpdate_Phase,
  type StreamEvent,
  type Token,
  type Usage,
} from "./gen/headrace/v1/headrace.js";
export { type AttachOptions, type Inputs, type ReadOptions, type StartOptions } from "./requests.js";
export { outputs, Run } from "./run.js";
