/**
 * Diagnosis of an address where no server answered, made once, after the failure.
 *
 * The rule: nothing hangs on how gRPC words an error. A handshake is begun and nothing of the caller's
 * is sent; only what was seen is claimed.
 */

import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** Milliseconds for one connection; there are two at most. */
const PROBE_MS = 1_000;

/** The preface of HTTP/2 and an empty SETTINGS frame. */
const HTTP2_PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1");
const SETTINGS = 4;

/** Why no server could answer: a stable name, and the cause with what to do about it. */
export interface Diagnosis {
  reason: string;
  text: string;
}

/** The reason why a client with or without TLS gets no answer; undefined where none can be seen. */
export async function diagnose(host: string, port: number, isSecure: boolean): Promise<Diagnosis | undefined> {
  if (await speaksTls(host, port)) {
    const text = "TLS is spoken there, not plain text; give credentials: credentials.createSsl()";

    return isSecure ? undefined : { reason: "TLS_WANTED", text };
  }

  const reply = await replyOf(host, port);

  if (reply.toString("latin1").startsWith("HTTP/1")) {
    return { reason: "NOT_GRPC", text: "HTTP/1 is spoken there, not gRPC; give the address of a server" };
  }

  if (isSecure && reply[0] === 0 && reply[3] === SETTINGS) {
    return { reason: "TLS_UNWANTED", text: "plain text is spoken there, not TLS; leave the credentials out" };
  }

  return undefined;
}

async function speaksTls(host: string, port: number): Promise<boolean> {
  const socket = connectTls({ host, port, rejectUnauthorized: false });

  return (await first(socket, "secureConnect")) !== undefined;
}

/** The first bytes that answer a hello of HTTP/2; none from who is silent or hangs up. */
async function replyOf(host: string, port: number): Promise<Buffer> {
  const socket = connectPlain({ host, port });
  socket.write(HTTP2_PREFACE);

  return (await first<Buffer>(socket, "data")) ?? Buffer.alloc(0);
}

/** The value that comes with an event of a socket; undefined if it ends or takes too long. */
async function first<T = true>(socket: Socket, name: string): Promise<T | undefined> {
  return new Promise<T | undefined>((resolve) => {
    const timer = setTimeout(resolve, PROBE_MS, undefined);
    socket.once(name, (what: T) => resolve(what ?? (true as T)));

    for (const end of ["error", "close"]) {
      socket.on(end, () => resolve(undefined));
    }

    socket.on("close", () => clearTimeout(timer));
  }).finally(() => socket.destroy());
}
