import assert from "node:assert/strict";
import { test } from "node:test";

import { HeadraceError, RunSuspended, status } from "../src/index.js";
import { delays } from "../src/backoff.js";
import { composed, envelope, heartbeat } from "./events.js";
import { Scripted } from "./scripted.js";

delays.first = 1;
delays.longest = 5;

const INPUTS = { question: "why?" };
const CUT = { code: status.UNAVAILABLE };

async function errorIn(step: Promise<unknown>): Promise<HeadraceError> {
  const error = await step.then(() => undefined, (error: unknown) => error);
  assert(error instanceof HeadraceError);

  return error;
}

for (const code of [status.UNAVAILABLE, status.ABORTED, status.FAILED_PRECONDITION, status.DEADLINE_EXCEEDED]) {
  test(`a run that is suspended with ${status[code]} is neither asked for again nor stopped`, async () => {
    for (const reason of ["", "RUN_MOVED", "STREAM_AGED"]) {
      const service = new Scripted(composed(), [{ code, reason, runState: "SUSPENDED", after: 2 }]);
      await using served = await service.serve();
      const run = await served.client.run("composer", INPUTS);
      const error = await errorIn(run.prediction());
      await run.close();

      assert(error instanceof RunSuspended);
      assert.deepEqual([error.code, error.runState, error.runId], [code, "SUSPENDED", run.id]);
      assert.match(error.message, /^run \S+ is SUSPENDED \(scripted\): it is not over, .*; ask getRun$/);
      assert.equal(await errorIn(run.prediction()), error);
      assert.deepEqual([service.cursors, service.cancelled], [[0], []]);
    }
  });
}

test("a stream that ends well while its run is not over is told as suspended", async () => {
  const service = new Scripted(composed(), [{ code: status.OK, runState: "PARKED", after: 2 }]);
  await using served = await service.serve();
  const run = await served.client.run("composer", INPUTS);
  const error = await errorIn(run.prediction());

  assert(error instanceof RunSuspended);
  assert.deepEqual([error.code, error.runState, service.cursors], [status.UNAVAILABLE, "PARKED", [0]]);
});

test("a run that is suspended before its first event, and in predict, is told as such", async () => {
  const suspended = { ...CUT, runState: "WAITING" };
  const service = new Scripted(composed(), [suspended, suspended]);
  await using served = await service.serve();

  for (const start of [served.client.run("composer", INPUTS), served.client.predict("composer", INPUTS)]) {
    assert.deepEqual([(await errorIn(start)).name, service.cancelled], ["RunSuspended", []]);
  }

  assert.deepEqual([service.runs.length, service.predicts.length], [1, 1]);
});

test("an error says what was used, without another question", async () => {
  const usage = { inputTokenCount: 12, lmCallCount: 2, costUsd: 0.5, models: [{ model: "m", lmCallCount: 2 }] };
  const failed = { code: status.ABORTED, reason: "LM_UNAVAILABLE", runState: "FAILED", usage } as const;
  const service = new Scripted([], Array(3).fill(failed));
  await using served = await service.serve();
  const { client } = served;

  for (const step of [client.run("composer", INPUTS), client.predict("composer", INPUTS), client.getRun("r")]) {
    const told = (await errorIn(step)).usage;

    assert.deepEqual([told?.inputTokenCount, told?.lmCallCount, told?.costUsd], [12, 2, 0.5]);
    assert.deepEqual(told?.models.map(({ model, lmCallCount }) => [model, lmCallCount]), [["m", 2]]);
  }

  assert.equal(service.records.length, 1);
});

test("a run that failed and used nothing says so", async () => {
  const failed = { code: status.INTERNAL, reason: "PROGRAM_ERROR", runState: "FAILED", usage: {} };
  await using served = await new Scripted([], [failed]).serve();

  assert.equal((await errorIn(served.client.predict("composer", INPUTS))).usage?.lmCallCount, 0);
});

test("an error without usage says nothing of it", async () => {
  await using served = await new Scripted([], [{ code: status.NOT_FOUND, reason: "PROGRAM_NOT_FOUND" }]).serve();

  assert.equal((await errorIn(served.client.describe("compozer"))).usage, undefined);
});

test("trailers that are no messages leave what is readable", async () => {
  const bytes = Buffer.from([0xff, 0xff, 0xff]);
  const raw = { "headrace-usage-bin": bytes, "grpc-status-details-bin": bytes };
  const failed = { code: status.ABORTED, reason: "LM_UNAVAILABLE", runState: "FAILED", isPlain: true, raw };
  await using served = await new Scripted([], [failed]).serve();
  const error = await errorIn(served.client.predict("composer", INPUTS));

  assert.deepEqual([error.name, error.reason, error.usage], ["RunFailed", "LM_UNAVAILABLE", undefined]);
});

test("a stream that lasts is worth opening again, though a waiting run brings nothing new", async (context) => {
  const usual = delays.lasting;
  context.after(() => (delays.lasting = usual));
  const waiting = [composed()[0]!, envelope(heartbeat, 1), ...composed().slice(1)];
  const alive = { ...CUT, after: 2 };

  for (const [lasting, cuts] of [[0, 9], [60_000, 3]] as const) {
    delays.lasting = lasting;
    const service = new Scripted(waiting, [alive, ...Array(cuts).fill({ ...CUT, after: 1 })]);
    await using served = await service.serve({ retries: 2 });
    const run = await served.client.run("composer", INPUTS);
    const ended = run.prediction().then(() => "read", (error: HeadraceError) => error.name);

    assert.equal(await ended, lasting ? "ServerUnreachable" : "read");
  }
});
