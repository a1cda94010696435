import assert from "node:assert/strict";
import { test } from "node:test";

import { RequestRefused, Run_State, status } from "../src/index.js";
import { OutputForm, RunView } from "../src/gen/headrace/v1/headrace.js";
import { Scripted } from "./scripted.js";

const { OUTPUT_FORM_JSON, OUTPUT_FORM_NONE } = OutputForm;
const { RUN_VIEW_BASIC, RUN_VIEW_FULL } = RunView;

test("a record is asked for in the view and form wanted", async () => {
  const service = new Scripted();
  await using served = await service.serve();
  const record = await served.client.getRun("r");
  await served.client.getRun("r", { view: "full", outputForm: "none" });

  assert.equal(record.prediction?.outputsJson, '{"answer":"as recorded"}');
  assert.deepEqual(service.records, [
    { runId: "r", view: RUN_VIEW_BASIC, outputForm: OUTPUT_FORM_JSON },
    { runId: "r", view: RUN_VIEW_FULL, outputForm: OUTPUT_FORM_NONE },
  ]);
});

test("runs are listed by every filter there is", async () => {
  const service = new Scripted();
  await using served = await service.serve();
  const [createdAfter, createdBefore] = [new Date(1_000), new Date(2_500)];
  const given = { program: "qa", labels: { team: "a" }, createdAfter, createdBefore };
  await served.client.runs();
  await served.client.runs({ ...given, states: ["waiting", "failed"], limit: 7 });

  const none = { program: "", states: [], labels: {}, createdAfter: undefined, createdBefore: undefined };
  const states = [Run_State.STATE_WAITING, Run_State.STATE_FAILED];
  assert.deepEqual(service.lists, [
    { ...none, pageSize: 100, pageToken: "" },
    { ...given, states, pageSize: 7, pageToken: "" },
  ]);
});

test("pages of runs are read up to the limit", async () => {
  const service = new Scripted();
  service.kept = ["r5", "r4", "r3", "r2", "r1"];
  await using served = await service.serve();
  const cases: [number, string[], number[]][] = [
    [1, ["r5"], [1]],
    [2, ["r5", "r4"], [2]],
    [3, ["r5", "r4", "r3"], [3, 1]],
    [Infinity, ["r5", "r4", "r3", "r2", "r1"], [1000, 1000, 1000]],
  ];

  for (const [limit, names, sizes] of cases) {
    service.lists = [];
    const runs = await served.client.runs({ limit });

    assert.deepEqual(runs.map(({ runId }) => runId), names);
    assert.deepEqual(service.lists.map(({ pageSize }) => pageSize), sizes);
  }

  for (const limit of [0, -1, NaN]) {
    await assert.rejects(served.client.runs({ limit }), { name: "RangeError", message: /^limit must be at least 1/ });
  }
});

test("cancelling gives the record, or until when the run is refused", async () => {
  const service = new Scripted();
  await using served = await service.serve();
  const known = await served.client.cancel("r", "enough");
  const unknown = await served.client.cancel("unborn");

  assert.deepEqual([known.run?.state, known.refusedUntil], [Run_State.STATE_CANCELLED, undefined]);
  assert.deepEqual(unknown, { run: undefined, refusedUntil: new Date(60_000) });
  assert.deepEqual(service.cancelled, ["r", "unborn"]);
});

test("a run that was cancelled before it began has failed, and is not asked for again", async () => {
  const ending = { code: status.CANCELLED, reason: "RUN_CANCELLED", runState: "CANCELLED" };
  const service = new Scripted([], [ending]);
  await using served = await service.serve();

  await assert.rejects(served.client.run("composer", {}), { name: "RunFailed", reason: "RUN_CANCELLED" });
  assert.deepEqual([service.cursors, service.cancelled], [[0], []]);
});

test("deleting forgets a run, and tells where there is none", async () => {
  const service = new Scripted();
  await using served = await service.serve();

  assert.equal(await served.client.delete("r"), undefined);
  service.endings = [{ code: status.NOT_FOUND, reason: "RUN_NOT_FOUND" }];
  await assert.rejects(served.client.delete("r"), RequestRefused);
  assert.deepEqual(service.deleted, ["r", "r"]);
});

test("one program is described, its schema in the author's order", async () => {
  await using served = await new Scripted().serve();
  const program = await served.client.describe("composer");

  assert.equal(program.name, "composer");
  assert.deepEqual(Object.keys(JSON.parse(program.inputSchemaJson).properties), ["zeal", "age"]);
});

test("the server tells of itself", async () => {
  await using served = await new Scripted().serve();

  assert.equal((await served.client.serverInfo()).version, "0.1.0");
});

test("a start pins the program's revision, its interface's, or both", async () => {
  const service = new Scripted();
  await using served = await service.serve();
  const pins = { revision: "0123456789ab", interfaceRevision: "ba9876543210" };
  await (await served.client.run("composer", {}, pins)).close();
  await served.client.predict("composer", {}, { interfaceRevision: "ba9876543210" });

  const [run, predict] = [service.runs[0]!, service.predicts[0]!];
  assert.deepEqual([run.revision, run.interfaceRevision], [pins.revision, pins.interfaceRevision]);
  assert.deepEqual([predict.revision, predict.interfaceRevision], ["", pins.interfaceRevision]);
});
