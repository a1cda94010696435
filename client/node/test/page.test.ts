// The blocks of docs/node.md and the example that ask for what no demo program does, against a script.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { test } from "node:test";

import { asking, numbered, prediction, token } from "./events.js";
import { Scripted } from "./scripted.js";

const ADDRESS = "127.0.0.1:50051";
const FOLDER = "build/page";
const SECONDS = 30;

/** Saves a program so that it runs with the client as it was built for tests; gives its path. */
function saved(name: string, source: string, address: string): string {
  const path = `${FOLDER}/${name}`;
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(path, source.replaceAll(ADDRESS, address).replace('"headrace-client"', '"../src/index.js"'));

  return path;
}

function block(name: string): string {
  const page = readFileSync("../../docs/node.md", "utf8");
  const found = page.split("```").find((one) => one.startsWith(`js\n// ${name}\n`));
  assert(found, `docs/node.md has no block ${name}`);

  return found.slice("js\n".length);
}

/** Runs a program to its end; gives what it printed. `answers` are typed one by one, each at its prompt. */
async function printed(path: string, args: string[] = [], answers: string[] = []): Promise<string[]> {
  const signal = AbortSignal.timeout(SECONDS * 1000);
  const program = spawn(process.execPath, [path, ...args], { stdio: ["pipe", "pipe", "inherit"], signal });
  program.stdout.on("data", (data: Buffer) => {
    if (data.toString().endsWith("> ")) {
      program.stdin.write(`${answers.shift()}\n`);
    }
  });
  const [whole, [code]] = await Promise.all([text(program.stdout), once(program, "close")]);
  assert.equal(code, 0, whole);

  return whole.trimEnd().split("\n");
}

test("the page's reader of fields prints them as they come", async () => {
  const events = numbered(
    token("brainstorm", "floods", 0, 2, "ideas.brainstorm"),
    token("evidence", "maps", 0, 3, "evidence.probe"),
    token("brainstorm", ", sand", 6, 2, "ideas.brainstorm"),
    prediction('{"answer":"both"}'),
  );
  await using served = await new Scripted(events).serve();

  assert.deepEqual(await printed(saved("fields.mjs", block("fields.mjs"), served.address)), [
    'ideas: "floods"',
    'evidence: "maps"',
    'ideas: ", sand"',
    "both",
  ]);
});

test("the page's reader answers what it is asked", async () => {
  const service = new Scripted(asking());
  await using served = await service.serve();

  assert.deepEqual(await printed(saved("answer.mjs", block("answer.mjs"), served.address)), [
    "progress { done: 1 }",
    'Which of these? {"enum": ["a", "b"]}',
    "q1: OUTCOME_ANSWERED",
    "{ answer: 'b' }",
  ]);
  assert.deepEqual(service.inputs.map(({ input }) => input?.value), ['"a"']);
});

test("the example asks in the terminal, and again where an answer does not fit", async () => {
  const service = new Scripted(asking(), [undefined, { code: 3, reason: "INPUT_INVALID", violation: "answer" }]);
  await using served = await service.serve();
  const path = saved("answers.mjs", readFileSync("example/answers.mjs", "utf8"), served.address);
  const lines = await printed(path, [served.address, "chooser"], ["c", '"b"']);

  assert.deepEqual(lines, [
    'progress: {"done":1}',
    "Which of these?",
    '{"enum": ["a", "b"]}',
    "> scripted",
    "Which of these?",
    '{"enum": ["a", "b"]}',
    "> q1: OUTCOME_ANSWERED",
    '{"answer":"b"}',
  ]);
  assert.deepEqual(service.inputs.map(({ input }) => input?.value), ['"c"', '"b"']);
});
