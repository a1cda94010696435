import assert from "node:assert/strict";
import { test } from "node:test";

import { status } from "../src/index.js";
import { delays } from "../src/backoff.js";
import { batch, composed, envelope, heartbeat, numbered, prediction, token, WHOLE } from "./events.js";
import { Scripted } from "./scripted.js";

delays.first = 1;
delays.longest = 5;

const INPUTS = { question: "why?" };

test("a batch comes as the single events it holds", async () => {
  const service = new Scripted();
  service.batchSize = 3;
  await using served = await service.serve();
  const run = await served.client.run("composer", INPUTS);
  const read = [];

  for await (const event of run) {
    read.push(event);
    assert.equal(run.cursor, event.sequence);
  }

  assert.deepEqual(read, composed());
  assert.equal(run.text("answer"), WHOLE);
  assert.deepEqual(service.cancelled, []);
});

test("wherever a stream of batches is cut nothing is lost nor comes twice", async () => {
  const service = new Scripted();
  await using served = await service.serve();

  for (const size of [2, 3, 4, 5]) {
    for (const [first, second] of [[0, 1], [1, 0], [1, 1], [2, 0]] as const) {
      service.batchSize = size;
      service.endings = [{ code: status.UNAVAILABLE, after: first }, { code: status.UNAVAILABLE, after: second }];
      service.cursors = [];
      const read: number[] = [];

      for await (const { sequence } of await served.client.run("composer", INPUTS)) {
        read.push(sequence);
      }

      const cursors = [0, first * size, (first + second) * size].filter((cursor) => cursor < 5);
      assert.deepEqual(read, [1, 2, 3, 4, 5]);
      assert.deepEqual(service.cursors, cursors.slice(0, service.cursors.length));
    }
  }
});

test("a reader that leaves in the middle of a batch goes on from there", async () => {
  const service = new Scripted();
  service.batchSize = 5;
  await using served = await service.serve();

  for (const left of [1, 2, 3, 4]) {
    const run = await served.client.attach("r");
    const read: number[] = [];

    for await (const { sequence } of run) {
      read.push(sequence);

      if (sequence === left) {
        break;
      }
    }

    for await (const { sequence } of await served.client.attach("r", { afterSequence: run.cursor })) {
      read.push(sequence);
    }

    assert.deepEqual(read, [1, 2, 3, 4, 5]);
    assert.equal(service.cursors.at(-1), left);
  }
});

test("a cut inside a merged group of a batch leaves texts whole", async () => {
  const events = [
    envelope(token("answer", "one ", 0), 1),
    envelope(token("answer", "two ", 4), 0),
    envelope(token("other", "uno", 0), 0),
    envelope(token("answer", "three", 8), 5),
    envelope(prediction("{}"), 6),
  ];
  const service = new Scripted(events, [{ code: status.UNAVAILABLE, after: 1 }]);
  service.batchSize = 3;
  await using served = await service.serve();
  const run = await served.client.run("composer", INPUTS);
  await run.prediction();

  assert.deepEqual(service.cursors, [0, 1]);
  assert.equal(run.text("answer"), "one two three");
  assert.equal(run.text("other"), "uno");
});

test("batches of nothing and heartbeats inside of batches do not show", async () => {
  const [first, ...others] = numbered(token("answer", "a", 0), prediction("{}"));
  const service = new Scripted([batch(), batch(first!, envelope(heartbeat, 1)), batch(), ...others]);
  await using served = await service.serve();
  const read: number[] = [];

  for await (const { sequence } of await served.client.run("composer", INPUTS)) {
    read.push(sequence);
  }

  assert.deepEqual(read, [1, 2]);
});

test("a run that came in one batch is over: leaving it stops nothing", async () => {
  const service = new Scripted();
  service.batchSize = 5;
  await using served = await service.serve();

  for await (const _ of await served.client.run("composer", INPUTS)) {
    break;
  }

  assert.deepEqual(service.cancelled, []);
});
