/** One gRPC channel to one server: how it is opened, who the caller is, and calls with one answer. */

import { isIP } from "node:net";

import {
  type CallOptions,
  type ChannelCredentials,
  type ChannelOptions,
  type ClientUnaryCall,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";

import { HeadraceServiceClient } from "./gen/headrace/v1/headrace.js";
import { diagnose } from "./diagnosis.js";
import { type CallStatus, errorOf, isCut, statusOf } from "./status.js";

const SERVICE = "headrace.v1.HeadraceService";

/** Repeated by the channel itself. Run, Attach and Predict are repeated by the client loop. */
const REPEATABLE = [
  "ListPrograms",
  "GetProgram",
  "GetRun",
  "ListRuns",
  "CancelRun",
  "DeleteRun",
  "SendInput",
  "GetServerInfo",
];

const SERVICE_CONFIG = {
  methodConfig: [
    {
      name: REPEATABLE.map((method) => ({ service: SERVICE, method })),
      retryPolicy: {
        maxAttempts: 4,
        initialBackoff: "0.1s",
        maxBackoff: "2s",
        backoffMultiplier: 2,
        retryableStatusCodes: ["UNAVAILABLE"],
      },
    },
  ],
};

/** Streams keep Node's window of 64 KiB, so that the server merges early for a reader that is slow. */
const CHANNEL_OPTIONS: ChannelOptions = {
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 2_000, // else a restarted server is found minutes later
  "grpc.max_receive_message_length": 16 * 1024 * 1024, // a Struct takes several times the bytes of its JSON
  "grpc.service_config": JSON.stringify(SERVICE_CONFIG),
  "grpc.primary_user_agent": "headrace-node",
};

export interface ConnectionOptions {
  /** Bearer token, or a function that gives the current one; over the network it needs `credentials`. */
  token?: string | (() => string);
  /** `credentials.createSsl()`, with certificates for mutual TLS. Clear text unless given. */
  credentials?: ChannelCredentials;
  /** Bounds every call with one answer except `predict`; 10 s unless given. */
  callTimeoutMs?: number;
  /** Options of grpc-js; they win over those of this package. */
  channelOptions?: ChannelOptions;
}

type Unary<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => ClientUnaryCall;

export class Connection {
  readonly stub: HeadraceServiceClient;
  private readonly token: () => string | undefined;
  private readonly callTimeoutMs: number;
  private readonly isSecure: boolean;

  constructor(
    readonly address: string,
    options: ConnectionOptions,
  ) {
    if (options.token !== undefined && !options.credentials && !isLoopback(address)) {
      throw new TypeError(
        `a token would cross the network in clear text to ${address}: give credentials too`,
      );
    }

    const token = options.token;
    this.token = typeof token === "function" ? token : () => token;
    this.callTimeoutMs = options.callTimeoutMs ?? 10_000;
    this.isSecure = options.credentials !== undefined;
    this.stub = new HeadraceServiceClient(
      address,
      options.credentials ?? credentials.createInsecure(),
      { ...CHANNEL_OPTIONS, ...options.channelOptions },
    );
  }

  /** The caller's token, to be sent with every call. */
  metadata(): Metadata {
    const metadata = new Metadata();
    const token = this.token();

    if (token !== undefined) {
      metadata.set("authorization", `Bearer ${token}`);
    }

    return metadata;
  }

  /** One call with one answer, made on the stub. */
  async ask<Request, Response>(
    method: Unary<Request, Response>,
    request: Request,
    { runId = "", timeoutMs = this.callTimeoutMs } = {},
  ): Promise<Response> {
    const deadline = Date.now() + timeoutMs;
    let isAccepted = false;

    return new Promise((resolve, reject) => {
      const call = method.call(this.stub, request, this.metadata(), { deadline }, (error, response) => {
        if (error) {
          const explained = this.explained(statusOf(error, this.address, runId));
          void explained.then((ended) => reject(errorOf(ended, isAccepted)));
        } else {
          resolve(response);
        }
      });
      call.on("metadata", () => (isAccepted = true));
    });
  }

  /** The status of a call that did not reach the server, with what listens there instead. */
  async explained(ended: CallStatus): Promise<CallStatus> {
    const place = placeOf(this.address);

    if (!place || !isCut(ended) || ended.reason) {
      return ended;
    }

    const found = await diagnose(place.host, place.port, this.isSecure);
    const message = `no server answers at ${this.address}: ${found?.text}`;

    return found ? { ...ended, code: status.UNAVAILABLE, message, reason: found.reason } : ended;
  }

  close(): void {
    this.stub.close();
  }
}

/** Host and port of an address; undefined where it names none. */
function placeOf(address: string): { host: string; port: number } | undefined {
  const [, host, port] = /^(?:dns:\/\/\/|dns:)?\[?([^/]+?)\]?:(\d+)$/.exec(address) ?? [];

  return host ? { host, port: Number(port) } : undefined;
}

/** True for an address that cannot leave this machine. */
export function isLoopback(address: string): boolean {
  if (/^unix(-abstract)?:/.test(address)) {
    return true;
  }

  const target = address.replace(/^(dns:\/\/\/|dns:|ipv4:|ipv6:)/, "");
  const host = target.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");

  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
