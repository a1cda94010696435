import assert from "node:assert/strict";
import { test } from "node:test";

import { Client, InputResolved_Outcome, RequestRefused, type StreamEvent, status } from "../src/index.js";
import { EventKind } from "../src/gen/headrace/v1/headrace.js";
import type { ReadOptions } from "../src/options.js";
import { asking, composed } from "./events.js";
import { Scripted } from "./scripted.js";

const INPUTS = { question: "why?" };
const { EVENT_KIND_BATCH, EVENT_KIND_CUSTOM, EVENT_KIND_INPUT } = EventKind;

test("what a run tells and asks comes as events", async () => {
  await using served = await new Scripted(asking()).serve();
  const read: StreamEvent["event"][] = [];

  for await (const { event } of await served.client.run("chooser", INPUTS)) {
    read.push(event);
  }

  assert.deepEqual(read, asking().map(({ event }) => event));
});

test("a question is answered while its run is read", async () => {
  const service = new Scripted(asking());
  await using served = await service.serve();
  const run = await served.client.run("chooser", INPUTS);

  for await (const { event } of run) {
    if (event?.$case === "inputRequest") {
      const { inputId, answerSchemaJson } = event.value;
      const resolved = await run.answer(inputId, JSON.parse(answerSchemaJson).enum[1], "the better one");

      assert.deepEqual([resolved.outcome, resolved.answerJson], [InputResolved_Outcome.OUTCOME_ANSWERED, '"b"']);
    }
  }

  const input = { $case: "answerJson", value: '"b"' };
  assert.deepEqual(service.inputs, [{ runId: run.id, inputId: "q1", input, reason: "the better one" }]);
  assert.deepEqual(await run.result(), { answer: "b" });
});

test("answers have any JSON form, and no answer is said as such", async () => {
  const service = new Scripted();
  await using served = await service.serve();
  const { client } = served;

  for (const value of [true, null, "", 0, ["a"], { path: "/tmp", depth: 2 }]) {
    await client.answer("r", "q1", value);
  }

  const declined = await client.decline("r", "q1", "too dangerous");
  assert.deepEqual(
    service.inputs.map(({ input }) => input?.value),
    ["true", "null", '""', "0", '["a"]', '{"path":"/tmp","depth":2}', true],
  );
  assert.equal(service.inputs.at(-1)?.input?.$case, "decline");
  assert.deepEqual([declined.outcome, declined.reason], [InputResolved_Outcome.OUTCOME_DECLINED, "too dangerous"]);
});

test("an open run declines too", async () => {
  const service = new Scripted();
  await using served = await service.serve();
  const run = await served.client.attach("r");
  await run.decline("q1");

  assert.deepEqual(service.inputs, [
    { runId: "r", inputId: "q1", input: { $case: "decline", value: true }, reason: "" },
  ]);
});

test("a value without a JSON form is no answer", async () => {
  const service = new Scripted();
  await using served = await service.serve();

  for (const value of [undefined, () => 1, 1n]) {
    await assert.rejects(served.client.answer("r", "q1", value), TypeError);
  }

  assert.deepEqual(service.inputs, []);
});

test("a question that was answered otherwise refuses, and says how it ended", async () => {
  const ending = { code: status.ALREADY_EXISTS, reason: "INPUT_RESOLVED", metadata: { outcome: "ANSWERED" } };
  await using served = await new Scripted([], [ending]).serve();

  await assert.rejects(served.client.answer("r", "q1", "a"), (error) => {
    assert(error instanceof RequestRefused);
    assert.deepEqual([error.reason, error.runId, error.metadata], ["INPUT_RESOLVED", "r", { outcome: "ANSWERED" }]);
    return true;
  });
});

test("an answer whose connection breaks is sent again", async () => {
  const service = new Scripted([], [{ code: status.UNAVAILABLE }]);
  await using served = await service.serve();
  await served.client.answer("r", "q1", "a");

  assert.equal(service.inputs.length, 2);
});

test("a reader says which kinds of event it accepts; batches it always does", async () => {
  const service = new Scripted(composed());
  await using served = await service.serve();
  const cases: [ReadOptions, EventKind[]][] = [
    [{}, [EVENT_KIND_CUSTOM, EVENT_KIND_INPUT, EVENT_KIND_BATCH]],
    [{ accept: ["input"] }, [EVENT_KIND_INPUT, EVENT_KIND_BATCH]],
    [{ accept: [] }, [EVENT_KIND_BATCH]],
  ];

  for (const [options, accepted] of cases) {
    await (await served.client.run("composer", INPUTS, options)).prediction();
    assert.deepEqual(service.runs.at(-1)?.options?.accept, accepted);
  }
});

test("an option that is none of the known ones is named, with those there are", async () => {
  const client = new Client("127.0.0.1:1");
  const cases: [object, RegExp][] = [
    [{ accept: ["questions"] }, /^accept must be one of custom, input; not questions$/],
    [{ tokenDetail: "some" }, /^tokenDetail must be one of all, whole, none; not some$/],
    [{ statusDetail: "toString" }, /^statusDetail must be one of all, messages, none; not toString$/],
    [{ outputForm: "JSON" }, /^outputForm must be one of struct, json, both, none; not JSON$/],
  ];

  for (const [options, message] of cases) {
    await assert.rejects(client.run("composer", INPUTS, options), { name: "TypeError", message });
  }

  client.close();
});
