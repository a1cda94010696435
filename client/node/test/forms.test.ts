import assert from "node:assert/strict";
import { test } from "node:test";

import { type OutputForm, outputs, RunFailed, status } from "../src/index.js";
import { OutputForm as WireForm, Prediction } from "../src/gen/headrace/v1/headrace.js";
import { numbered } from "./events.js";
import { Scripted } from "./scripted.js";

const MILLION = Array(1_000_000).fill(7);
const MIB = 1024 * 1024;
const NARROW = { channelOptions: { "grpc.max_receive_message_length": 4 * MIB } };

/** A run that ends with outputs in a form, and nothing before. */
function ending(form: OutputForm, values: Record<string, unknown>): Scripted {
  const hasStruct = form === "struct" || form === "both";
  const hasJson = form === "json" || form === "both";
  const value = Prediction.fromPartial({
    ...(hasStruct && { outputs: values }),
    outputsJson: hasJson ? JSON.stringify(values) : "",
  });

  return new Scripted(numbered({ $case: "prediction", value }));
}

const FORMS: [OutputForm, WireForm][] = [
  ["struct", WireForm.OUTPUT_FORM_STRUCT],
  ["json", WireForm.OUTPUT_FORM_JSON],
  ["both", WireForm.OUTPUT_FORM_BOTH],
];

for (const [outputForm, wireForm] of FORMS) {
  test(`outputs are asked for and read in form ${outputForm}`, async () => {
    const values = { answer: "b", numbers: [1, 2.5], none: null };
    const service = ending(outputForm, values);
    await using served = await service.serve();
    const run = await served.client.run("numbers", {}, { outputForm });
    const predicted = await served.client.predict("numbers", {}, { outputForm });

    assert.deepEqual([await run.result(), outputs(predicted)], [values, values]);
    assert.deepEqual([service.runs[0]!.options?.outputForm, service.predicts[0]!.outputForm], [wireForm, wireForm]);
  });

  test(`a million ints in form ${outputForm} fit the limits of a client that sets none`, async () => {
    await using served = await ending(outputForm, { numbers: MILLION }).serve();
    const run = await served.client.run("numbers", {}, { outputForm });
    const predicted = await served.client.predict("numbers", {}, { outputForm });

    for (const { numbers } of [await run.result(), outputs(predicted)]) {
      assert.equal(numbers.length, 1_000_000);
      assert(numbers.every((number: number) => number === 7));
    }
  });
}

test("a million ints as JSON fit gRPC's own limit of 4 MiB", async () => {
  await using served = await ending("json", { numbers: MILLION }).serve(NARROW);

  assert.equal((await (await served.client.run("numbers", {})).result()).numbers.length, 1_000_000);
});

test("an answer larger than the client takes fails by name, and is not asked for again", async () => {
  const service = ending("struct", { numbers: MILLION });
  await using served = await service.serve(NARROW);
  const named = { name: "RunFailed", reason: "PREDICTION_TOO_LARGE", message: /ask for outputForm "json"/ };

  await assert.rejects(served.client.run("numbers", {}, { outputForm: "struct" }), named);
  await assert.rejects(served.client.predict("numbers", {}, { outputForm: "struct" }), named);
  assert.deepEqual([service.runs.length, service.predicts.length, service.cancelled], [1, 1, []]);
});

test("a request larger than the server takes is refused", async () => {
  await using served = await new Scripted().serve();
  const inputs = { text: "x".repeat(5 * MIB) }; // the scripted server takes 4 MiB

  for (const start of [() => served.client.run("echo", inputs), () => served.client.predict("echo", inputs)]) {
    await assert.rejects(start, { name: "RequestRefused", code: status.RESOURCE_EXHAUSTED, reason: "" });
  }
});

test("outputs too large in the form asked for leave a run that succeeded, and name the form that fits", async () => {
  const tooLarge = {
    code: status.RESOURCE_EXHAUSTED,
    reason: "PREDICTION_TOO_LARGE",
    runState: "SUCCEEDED",
    metadata: { fits: "JSON" },
  };
  const service = new Scripted([], [tooLarge]);
  await using served = await service.serve();

  await assert.rejects(served.client.run("numbers", {}, { runId: "r", outputForm: "struct" }), (error) => {
    assert(error instanceof RunFailed);
    assert.deepEqual([error.reason, error.runState], ["PREDICTION_TOO_LARGE", "SUCCEEDED"]);
    assert.deepEqual(error.metadata, { fits: "JSON" });
    return true;
  });

  const { prediction } = await served.client.getRun("r", { outputForm: "json" });
  assert.deepEqual([outputs(prediction!), service.cursors], [{ answer: "as recorded" }, [0]]);
});

test("a prediction read from behind it is asked for in the form of its reader", async () => {
  const service = new Scripted();
  await using served = await service.serve();

  for (const outputForm of ["json", "struct"] as const) {
    const run = await served.client.attach("r", { afterSequence: 5, outputForm });
    assert.deepEqual(await run.result(), { answer: "as recorded" });
  }

  assert.deepEqual(
    service.records.map((record) => record.outputForm),
    [WireForm.OUTPUT_FORM_JSON, WireForm.OUTPUT_FORM_STRUCT],
  );
});

test("integers beyond 2^53 are exact in the text, and rounded where JSON.parse reads it", () => {
  const exact = Prediction.fromPartial({ outputsJson: '{"count":9007199254740993}' });
  const asText = Prediction.fromPartial({ outputs: { count: "9007199254740993" } });

  assert.equal(outputs(exact).count, 9007199254740992);
  assert.equal(exact.outputsJson, '{"count":9007199254740993}');
  assert.equal(BigInt(outputs(asText).count), 9007199254740993n);
});

test("outputs that were not asked for are not read as none", async () => {
  await using served = await ending("none", {}).serve();
  const run = await served.client.run("numbers", {}, { outputForm: "none" });

  await assert.rejects(run.result(), { name: "TypeError", message: /carries no outputs: ask for another outputForm/ });
  assert.deepEqual(outputs(Prediction.fromPartial({ outputs: {} })), {});
});
