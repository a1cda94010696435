import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createSecureServer, createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";

import { Client, credentials, RequestRefused, RunFailed, ServerUnreachable, status } from "../src/index.js";
import { isLoopback } from "../src/connection.js";
import { delays, Backoff } from "../src/backoff.js";
import { OutputForm } from "../src/gen/headrace/v1/headrace.js";
import { composed, WHOLE } from "./events.js";
import { Scripted } from "./scripted.js";

delays.first = 1;
delays.longest = 5;

test("predict is made again with the same run id", async () => {
  const service = new Scripted(composed(), [{ code: status.UNAVAILABLE }, { code: status.INTERNAL }]);
  await using served = await service.serve();
  const answer = await served.client.predict("composer", { question: "why?" });

  assert.deepEqual(JSON.parse(answer.outputsJson), { answer: WHOLE });
  assert.equal(service.predicts.length, 3);
  assert.equal(new Set(service.predicts.map((request) => request.runId)).size, 1);
  assert.equal(service.predicts[0]!.outputForm, OutputForm.OUTPUT_FORM_JSON);
});

test("leaving a predict stops its run", async () => {
  const service = new Scripted(composed(), [], true);
  await using served = await service.serve();
  const controller = new AbortController();
  const reason = new Error("enough");
  service.asked = () => controller.abort(reason);

  await assert.rejects(served.client.predict("composer", {}, { signal: controller.signal }), reason);
  assert.deepEqual(service.cancelled, [service.predicts[0]!.runId]);
});

test("a refusal names the fields", async () => {
  const refusal = { code: status.INVALID_ARGUMENT, reason: "INPUT_INVALID", violation: "inputs.qestion" };
  await using served = await new Scripted([], [refusal]).serve();

  await assert.rejects(served.client.predict("composer", { qestion: "?" }), (error) => {
    assert(error instanceof RequestRefused);
    assert.equal(error.reason, "INPUT_INVALID");
    assert.deepEqual(error.violations, [{ field: "inputs.qestion", description: "unknown" }]);
    return true;
  });
});

test("plain trailers do where details are missing", async () => {
  const failed = { code: status.RESOURCE_EXHAUSTED, reason: "LM_RATE_LIMITED", runState: "FAILED", isPlain: true };
  await using served = await new Scripted([], [failed]).serve();

  await assert.rejects(served.client.predict("composer", {}), { name: "RunFailed", reason: "LM_RATE_LIMITED" });
});

test("calls with one answer are repeated by the channel", async () => {
  await using served = await new Scripted(composed(), Array(2).fill({ code: status.UNAVAILABLE })).serve();

  assert.equal((await served.client.getRun("r")).runId, "r");
});

test("all pages of programs are read", async () => {
  await using served = await new Scripted().serve();
  const programs = await served.client.programs();

  assert.deepEqual(programs.map(({ name }) => name), ["composer", "qa"]);
});

test("nobody listening is told within seconds", async () => {
  const client = new Client("127.0.0.1:1");

  await assert.rejects(client.run("composer", {}), (error) => {
    assert(error instanceof ServerUnreachable);
    assert.match(error.message, /^no server answers at 127.0.0.1:1: /);
    return true;
  });
  client.close();
});

test("who answers instead is said, with what to do", async () => {
  const certificates = "../../tests/client/certificates"; // of the repository
  const [key, cert] = ["key", "pem"].map((kind) => readFileSync(`${certificates}/server.${kind}`));
  const encrypted = createSecureServer({ key: key!, cert: cert! });
  const plain = createHttp2Server();
  const web = createHttpServer();
  const secure = { credentials: credentials.createSsl() };
  const cases = [
    { server: encrypted, options: {}, reason: "TLS_WANTED", words: /TLS is spoken there, not plain text/ },
    { server: plain, options: secure, reason: "TLS_UNWANTED", words: /plain text is spoken there, not TLS/ },
    { server: web, options: {}, reason: "NOT_GRPC", words: /HTTP\/1 is spoken there, not gRPC/ },
  ];

  for (const { server, options, reason, words } of cases) {
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const { port } = server.address() as AddressInfo;
    const client = new Client(`127.0.0.1:${port}`, options);

    const ways = [() => client.predict("composer", {}), () => client.run("composer", {}), () => client.programs()];

    for (const ask of ways) {
      await assert.rejects(ask, (error) => {
        assert(error instanceof ServerUnreachable);
        assert.equal(error.reason, reason);
        assert.match(error.message, words);
        return true;
      });
    }

    client.close();
    server.close();
  }
});

test("a token does not cross the network in clear text", () => {
  assert.throws(() => new Client("example.org:443", { token: "secret" }), /give credentials too/);
  new Client("example.org:443", { token: "secret", credentials: credentials.createSsl() }).close();

  const near = ["localhost:1", "127.0.0.1:1", "[::1]:1", "unix:/tmp/s", "dns:///localhost:1"];
  assert.deepEqual(near.map(isLoopback), near.map(() => true));
  assert.deepEqual(["example.org:443", "10.0.0.1:1", "127.example.org:1"].map(isLoopback), [false, false, false]);
});

test("inputs must be an object", async () => {
  await using served = await new Scripted().serve();

  for (const inputs of [null, "text", [1], { deep: 1n }]) {
    await assert.rejects(served.client.run("composer", inputs as object), TypeError);
  }
});

test("delays double up to the longest, and then they end", () => {
  Object.assign(delays, { first: 100, longest: 5_000 });
  const backoff = new Backoff(8);
  backoff.answered();

  for (const most of [100, 200, 400, 800, 1600, 3200, 5000, 5000]) {
    const delay = backoff.nextDelay()!;
    assert(most / 2 <= delay && delay <= most);
  }

  assert.equal(backoff.nextDelay(), undefined);
});
