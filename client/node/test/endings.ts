/** How a scripted call ends other than OK. */

import { Metadata, type ServiceError, type status } from "@grpc/grpc-js";

import type { Any } from "../src/gen/google/protobuf/any.js";
import { BadRequest, ErrorInfo, RetryInfo } from "../src/gen/google/rpc/error_details.js";
import { Status } from "../src/gen/google/rpc/status.js";
import { Usage } from "../src/gen/headrace/v1/headrace.js";
import { duration } from "../src/requests.js";

export interface Ending {
  code: status;
  reason?: string;
  runState?: string;
  retryDelayMs?: number;
  /** Path of a field. */
  violation?: string;
  metadata?: Record<string, string>;
  usage?: Partial<Usage>;
  /** No rich details, only trailers. */
  isPlain?: boolean;
  /** Trailers by name, as they are. */
  raw?: Record<string, Buffer>;
  /** For streams: how many messages are sent before it. */
  after?: number;
}

export function errorOf(ending: Ending): Partial<ServiceError> {
  const metadata = new Metadata();
  const texts = { "headrace-error-reason": ending.reason, "headrace-run-state": ending.runState };

  for (const [name, text] of Object.entries(texts)) {
    if (text) {
      metadata.set(name, text);
    }
  }

  if (ending.reason && !ending.isPlain) {
    metadata.set("grpc-status-details-bin", Buffer.from(detailsOf(ending)));
  }

  if (ending.usage) {
    metadata.set("headrace-usage-bin", Buffer.from(Usage.encode(Usage.fromPartial(ending.usage)).finish()));
  }

  for (const [name, bytes] of Object.entries(ending.raw ?? {})) {
    metadata.set(name, bytes);
  }

  return { code: ending.code, details: "scripted", metadata };
}

function detailsOf({ code, reason = "", retryDelayMs, violation, metadata = { model: "m" } }: Ending): Uint8Array {
  const info = { domain: "headrace.dev", reason, metadata };
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
