import assert from "node:assert/strict";
import { test } from "node:test";

import { RunFailed, status } from "../src/index.js";
import { delays } from "../src/backoff.js";
import type { Token } from "../src/gen/headrace/v1/headrace.js";
import { FieldText, Transcript } from "../src/transcript.js";
import { composed, numbered, prediction, token, WHOLE } from "./events.js";
import { Scripted } from "./scripted.js";

delays.first = 1;
delays.longest = 5;

const INPUTS = { question: "why?" };

/** Two predictors whose fields come in turns; one of them is called twice. */
const BRANCHES = numbered(
  token("idea", "one ", 0, 2, "left"),
  token("idea", "uno ", 0, 3, "right"),
  token("idea", "two", 4, 2, "left"),
  token("note", "aside", 0, 2, "left"),
  token("idea", "🌊", 4, 3, "right"),
  token("idea", "again", 0, 4, "left"),
  prediction("{}"),
);

async function pieces(text: AsyncIterable<string>): Promise<string[]> {
  const read: string[] = [];

  for await (const piece of text) {
    read.push(piece);
  }

  return read;
}

test("text goes on from its offset in code points", () => {
  const cases: [string, ...[number, string][]][] = [
    ["Größe", [0, "Grö"], [3, "ße"]],
    ["Größer", [0, "Grö"], [3, "ße"], [3, "ßer"]], // again, after a resume
    ["短い", [0, "長さ"], [2, "!"], [0, "短い"]], // taken back
    ["🌊→", [0, "🌊🌊"], [1, "→"]],
    ["late", [7, "la"], [9, "te"]], // a reader that came late
  ];

  for (const [want, ...tokens] of cases) {
    const text = new FieldText();
    tokens.forEach(([offset, chunk]) => text.apply(offset, chunk));
    const points = [...want];

    assert.equal(text.text, want);
    assert.deepEqual(
      [0, 1, points.length, 99].map((position) => text.since(position)),
      [want, points.slice(1).join(""), "", ""],
    );
  }
});

test("what is behind a position is the same, however the text was cut and whether it was asked for", () => {
  const whole = "a🌊bc長d".repeat(3);
  const points = [...whole];

  for (let size = 1; size <= points.length; size++) {
    for (const isAsked of [false, true]) {
      const text = new FieldText();

      for (let first = 0; first < points.length; first += size) {
        text.apply(first, points.slice(first, first + size).join(""));
        assert(!isAsked || whole.startsWith(text.text));
      }

      const behind = points.map((_, position) => text.since(position));
      assert.deepEqual(behind, points.map((_, position) => points.slice(position).join("")));
    }
  }
});

test("the text of a field is that of its latest call, or of the call named", () => {
  const texts = new Transcript();

  for (const { event } of BRANCHES.slice(0, -1)) {
    texts.apply(event!.value as Token);
  }

  assert.deepEqual(
    ["idea", "left.idea", "right.idea", "right.predict.idea", "left.note", "note", "left", "none"].map((selector) =>
      texts.text(selector),
    ),
    ["again", "again", "uno 🌊", "uno 🌊", "aside", "aside", "", ""],
  );
  assert.deepEqual([2, 3, 4, 5].map((call) => texts.text("idea", call)), ["one two", "uno 🌊", "again", ""]);
});

test("a field is read as its text comes, and ends with the run", async () => {
  await using served = await new Scripted().serve();
  const run = await served.client.run("composer", INPUTS);

  assert.deepEqual(await pieces(run.field("answer")), ["Grö", "ße ", "→ ", "長さ"]);
  assert.deepEqual(await run.result(), { answer: WHOLE });
});

test("fields are read side by side, and each reader gets all of its text", async () => {
  for (const batchSize of [1, 2, 3, 7]) {
    const service = new Scripted(BRANCHES);
    service.batchSize = batchSize;
    await using served = await service.serve();
    const run = await served.client.run("composer", INPUTS);
    const selectors = ["left.idea", "right.idea", "idea", "note", "none"];
    const read = await Promise.all(selectors.map((selector) => pieces(run.field(selector))));

    assert.deepEqual(read, [
      ["one ", "two", "again"],
      ["uno ", "🌊"],
      ["one ", "uno ", "two", "🌊", "again"],
      ["aside"],
      [],
    ]);
  }
});

test("a reader of a field that begins late or is slow gets all of it too", async () => {
  await using served = await new Scripted(BRANCHES).serve();
  const run = await served.client.run("composer", INPUTS);
  const late = run.field("left.idea");
  await pieces(run.field("note"));

  assert.deepEqual(await pieces(late), ["one two", "again"]);
});

test("a cut does not show in the text of a field", async () => {
  const endings = [2, 1, 0].map((after) => ({ code: status.UNAVAILABLE, after }));
  await using served = await new Scripted(composed(), endings).serve();
  const run = await served.client.run("composer", INPUTS);

  assert.equal((await pieces(run.field("answer"))).join(""), WHOLE);
});

test("every reader of a field is told how the run failed", async () => {
  const failed = { code: status.ABORTED, reason: "LM_UNAVAILABLE", runState: "FAILED", after: 2 };
  await using served = await new Scripted(composed(), [failed]).serve();
  const run = await served.client.run("composer", INPUTS);
  const endings = await Promise.allSettled([run.field("answer"), run.field("answer")].map(pieces));

  assert.deepEqual(
    endings.map((one) => one.status === "rejected" && one.reason instanceof RunFailed && one.reason.reason),
    ["LM_UNAVAILABLE", "LM_UNAVAILABLE"],
  );
  assert.equal(run.text("answer"), "Größe ");
});

test("leaving a field does not stop the run; closing does", async () => {
  const service = new Scripted(composed().slice(0, 2), [], true);
  await using served = await service.serve();
  const run = await served.client.run("composer", INPUTS);

  for await (const _ of run.field("answer")) {
    break;
  }

  assert.deepEqual(service.cancelled, []);
  await run.close();
  assert.deepEqual(service.cancelled, [run.id]);
});

test("a run is iterated over once, by its events or by its fields", async () => {
  await using served = await new Scripted().serve();
  const byEvents = await served.client.attach("r");
  const byFields = await served.client.attach("r");
  byEvents[Symbol.asyncIterator]();
  byFields.field("answer");

  for (const again of [
    () => byEvents[Symbol.asyncIterator](),
    () => byEvents.field("answer"),
    () => byFields[Symbol.asyncIterator](),
  ]) {
    assert.throws(again, { name: "TypeError", message: /iterated over once.*client\.attach reads it again/ });
  }

  assert.deepEqual(await byEvents.result(), { answer: WHOLE });
});
