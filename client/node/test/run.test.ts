import assert from "node:assert/strict";
import { test } from "node:test";

import { RequestRefused, type Run, RunFailed, ServerUnreachable, status } from "../src/index.js";
import { delays } from "../src/backoff.js";
import { silences } from "../src/stream.js";
import { EventKind, OutputForm, StatusDetail, TokenDetail } from "../src/gen/headrace/v1/headrace.js";
import type { Ending } from "./endings.js";
import { composed, envelope, heartbeat, prediction, token, WHOLE } from "./events.js";
import { Scripted } from "./scripted.js";

delays.first = 1;
delays.longest = 5;

const INPUTS = { question: "why?" };
const CUT: Ending = { code: status.UNAVAILABLE };

async function sequences(opened: Promise<Run> | Run): Promise<number[]> {
  const read: number[] = [];

  for await (const event of await opened) {
    read.push(event.sequence);
  }

  return read;
}

test("a run gives its events, text and result", async () => {
  const service = new Scripted();
  await using served = await service.serve();
  const run = await served.client.run("composer", INPUTS);

  assert.deepEqual(await sequences(run), [1, 2, 3, 4, 5]);
  assert.equal(run.text("compose.answer"), WHOLE);
  assert.equal(run.cursor, 5);
  assert.deepEqual(await run.result(), { answer: WHOLE });
  assert.deepEqual(service.cancelled, []);
});

test("a run asks for a linger, heartbeats and exact outputs under a fresh name", async () => {
  const service = new Scripted();
  await using served = await service.serve({ token: () => "secret" });
  await sequences(served.client.run("composer", INPUTS, { timeoutMs: 1500, fields: ["compose.answer"] }));
  await sequences(served.client.run("composer", INPUTS, { runId: "mine", lingerMs: 0 }));

  const [first, second] = service.runs;
  assert.match(first!.runId, /^[0-9a-f-]{36}$/);
  assert.deepEqual(first!.input, { $case: "inputsJson", value: '{"question":"why?"}' });
  assert.deepEqual(first!.linger, { seconds: 30, nanos: 0 });
  assert.deepEqual(first!.timeout, { seconds: 1, nanos: 500_000_000 });
  assert.deepEqual(first!.options, {
    fields: ["compose.answer"],
    tokenDetail: TokenDetail.TOKEN_DETAIL_ALL,
    statusDetail: StatusDetail.STATUS_DETAIL_ALL,
    includeData: false,
    mergeInterval: undefined,
    heartbeatInterval: { seconds: 15, nanos: 0 },
    outputForm: OutputForm.OUTPUT_FORM_JSON,
    accept: [EventKind.EVENT_KIND_CUSTOM, EventKind.EVENT_KIND_INPUT, EventKind.EVENT_KIND_BATCH],
  });
  assert.equal(second!.runId, "mine");
  assert.deepEqual(second!.linger, { seconds: 0, nanos: 0 });
  assert.deepEqual(service.authorization, ["Bearer secret"]);
});

for (const code of [status.UNAVAILABLE, status.UNKNOWN, status.INTERNAL, status.CANCELLED]) {
  test(`wherever a stream is cut with ${status[code]} nothing is lost nor comes twice`, async () => {
    const service = new Scripted();
    await using served = await service.serve();

    for (const first of [0, 1, 2, 3, 4]) {
      for (const second of [0, 1]) {
        service.endings = [{ code, after: first }, { code, after: second }];
        service.cursors = [];
        const run = await served.client.run("composer", INPUTS);

        assert.deepEqual(await sequences(run), [1, 2, 3, 4, 5]);
        assert.equal(run.text("compose.answer"), WHOLE);
        assert.deepEqual(service.cursors, [0, first, first + second].slice(0, service.cursors.length));
      }
    }
  });
}

test("a cut inside a merged group leaves texts whole", async () => {
  const events = [
    envelope(token("answer", "one ", 0), 1),
    envelope(token("answer", "two ", 4), 0),
    envelope(token("other", "uno", 0), 0),
    envelope(token("answer", "three", 8), 5),
    envelope(prediction("{}"), 6),
  ];
  const service = new Scripted(events, [{ ...CUT, after: 3 }]);
  await using served = await service.serve();
  const run = await served.client.run("composer", INPUTS);

  assert.deepEqual(await sequences(run), [1, 0, 0, 0, 0, 5, 6]);
  assert.deepEqual(service.cursors, [0, 1]);
  assert.equal(run.text("compose.answer"), "one two three");
  assert.equal(run.text("other"), "uno");
});

test("silence counts as a cut", async (context) => {
  const usual = silences.stream;
  silences.stream = 200;
  context.after(() => (silences.stream = usual));
  const service = new Scripted(composed().slice(0, 3), [], true);
  await using served = await service.serve();
  const read: number[] = [];

  for await (const { sequence } of await served.client.run("composer", INPUTS)) {
    read.push(sequence);

    if (sequence === 3) {
      service.events = composed();
      service.holds = false;
    }
  }

  assert.deepEqual(read, [1, 2, 3, 4, 5]);
  assert.deepEqual(service.cursors, [0, 3]);
});

test("progress renews the backoff", async () => {
  const service = new Scripted(composed(), Array(4).fill({ ...CUT, after: 1 }));
  await using served = await service.serve({ retries: 1 });

  assert.deepEqual(await sequences(served.client.run("composer", INPUTS)), [1, 2, 3, 4, 5]);
});

test("without progress the reader gives up and says where", async () => {
  const events = composed().toSpliced(2, 0, envelope(heartbeat, 2)); // alive, but nothing new
  const service = new Scripted(events, [{ ...CUT, after: 3 }, ...Array(9).fill(CUT)]);
  await using served = await service.serve({ retries: 5 });
  const run = await served.client.run("composer", INPUTS);

  await assert.rejects(run.prediction(), (error) => {
    assert(error instanceof ServerUnreachable);
    assert.equal(error.runId, run.id);
    assert.match(error.message, /was read up to event 2/);
    return true;
  });
  await run.close();
  assert.deepEqual(service.cursors, [0, 2, 2, 2, 2, 2]);
  assert.deepEqual(service.cancelled, [], "it may be attached to again");
});

test("a server that never answered is given up sooner", async () => {
  const service = new Scripted(composed(), Array(20).fill(CUT));
  await using served = await service.serve();

  await assert.rejects(served.client.run("composer", INPUTS), ServerUnreachable);
  assert.equal(service.cursors.length, 5);
});

test("a busy server is asked again no sooner than it said", async () => {
  const busy = { ...CUT, reason: "SERVER_BUSY", retryDelayMs: 150 };
  await using served = await new Scripted(composed(), [busy]).serve();
  const before = Date.now();
  await sequences(served.client.run("composer", INPUTS));

  assert(Date.now() - before >= 149);
});

test("a server that stays busy has refused", async () => {
  const busy = { ...CUT, reason: "SERVER_BUSY", retryDelayMs: 1 };
  await using served = await new Scripted(composed(), Array(9).fill(busy)).serve({ retries: 2 });

  await assert.rejects(served.client.run("composer", INPUTS), RequestRefused);
});

test("a failed run is not asked for again", async () => {
  const failed = { code: status.ABORTED, reason: "LM_UNAVAILABLE", runState: "FAILED", after: 2 };
  const service = new Scripted(composed(), [failed]);
  await using served = await service.serve();
  const run = await served.client.run("composer", INPUTS);

  for (let i = 0; i < 2; i++) {
    await assert.rejects(run.prediction(), (error) => {
      assert(error instanceof RunFailed);
      assert.deepEqual([error.code, error.reason, error.runId], [status.ABORTED, "LM_UNAVAILABLE", run.id]);
      assert.deepEqual(error.metadata, { model: "m" });
      return true;
    });
  }

  await run.close();
  assert.deepEqual([service.cursors, service.cancelled], [[0], []]);
});

test("a refused run does not begin", async () => {
  const service = new Scripted([], [{ code: status.NOT_FOUND, reason: "PROGRAM_NOT_FOUND" }]);
  await using served = await service.serve();

  await assert.rejects(served.client.run("compozer", INPUTS), RequestRefused);
  assert.deepEqual(service.cancelled, []);
});

test("the cursor is what the reader has read", async () => {
  await using served = await new Scripted().serve();
  const run = await served.client.run("composer", INPUTS);
  assert.equal(run.cursor, 0, "though the first event came with the acceptance");
  await run[Symbol.asyncIterator]().next();
  assert.equal(run.cursor, 1);
});

test("a run that the server forgot has failed", async () => {
  const gone = { code: status.NOT_FOUND, reason: "RUN_NOT_FOUND" };
  await using served = await new Scripted(composed(), [{ ...CUT, after: 2 }, gone]).serve();

  await assert.rejects(sequences(served.client.run("composer", INPUTS)), RunFailed);
});

test("leaving the loop stops the run; detaching and attaching do not", async () => {
  const service = new Scripted(composed().slice(0, 3), [], true);
  await using served = await service.serve();
  const left = await served.client.run("composer", INPUTS);

  for await (const _ of left) {
    break;
  }

  await left.close();
  const detached = await served.client.run("composer", INPUTS);
  detached.detach();
  await detached.close();
  await (await served.client.attach("r")).close();

  assert.deepEqual(service.cancelled, [left.id]);
});

test("aborting its signal ends the reading and the run", async () => {
  const service = new Scripted(composed().slice(0, 1), [], true);
  await using served = await service.serve();
  const controller = new AbortController();
  const run = await served.client.run("composer", INPUTS, { signal: controller.signal });
  const reason = new Error("enough");

  await assert.rejects(async () => {
    for await (const _ of run) {
      setImmediate(() => controller.abort(reason));
    }
  }, reason);
  assert.deepEqual(service.cancelled, [run.id]);
});

test("aborting while attached leaves the run alone", async () => {
  const service = new Scripted(composed().slice(0, 1), [], true);
  await using served = await service.serve();
  const run = await served.client.attach("r", { signal: AbortSignal.timeout(500) });

  await assert.rejects(run.prediction(), { name: "TimeoutError" });
  assert.deepEqual(service.cancelled, []);
});

test("closing a run ends whoever reads it", async () => {
  const service = new Scripted(composed().slice(0, 1), [], true);
  await using served = await service.serve();
  const run = await served.client.attach("r");
  const reading = assert.rejects(run.prediction(), /run r is closed/);
  await run.close();
  await reading;
});

test("waiting to try again does not pass the deadline", async () => {
  const busy = { ...CUT, reason: "SERVER_BUSY", retryDelayMs: 60_000 };
  await using served = await new Scripted(composed(), [busy]).serve();
  const opened = served.client.run("composer", INPUTS, { timeoutMs: 1_000 });

  await assert.rejects(opened, { name: "ServerUnreachable", code: status.DEADLINE_EXCEEDED });
});
