// Runs a program, prints what it tells, and asks you what it asks.
//
//   node example/answers.mjs 127.0.0.1:50051 trip '{"city": "Lisbon"}'
//
// Answers are JSON, or plain text. An empty line declines; to let a tool be called as proposed, say true.

import { createInterface } from "node:readline/promises";

import { Client, InputResolved_Outcome, RequestRefused, status } from "headrace-client";

const [address, program, inputs = "{}"] = process.argv.slice(2);
const terminal = createInterface({ input: process.stdin, output: process.stdout });
const interrupted = new AbortController();
terminal.once("SIGINT", () => interrupted.abort()); // Ctrl-C stops the run, too

const client = new Client(address);
const run = await client.run(program, JSON.parse(inputs), { signal: interrupted.signal });

for await (const { event } of run) {
  switch (event?.$case) {
    case "custom":
      console.log(`${event.value.name}: ${event.value.dataJson}`);
      break;
    case "inputRequest":
      await ask(event.value);
      break;
    case "inputResolved":
      console.log(`${event.value.inputId}: ${InputResolved_Outcome[event.value.outcome]}`);
  }
}

console.log((await run.prediction()).outputsJson);
terminal.close();
client.close();

async function ask(question) {
  const { inputId, message, tool, proposalJson, answerSchemaJson } = question;
  const asked = tool ? `${message}\n${tool}(${proposalJson})` : `${message}\n${answerSchemaJson}`;
  const answer = await terminal.question(`${asked}\n> `, { signal: interrupted.signal });

  try {
    await (answer ? run.answer(inputId, valueOf(answer)) : run.decline(inputId));
  } catch (error) {
    if (!(error instanceof RequestRefused)) {
      throw error;
    }

    console.log(error.message);

    if (error.code === status.INVALID_ARGUMENT) {
      await ask(question); // it does not fit, and the question is still open
    }
  }
}

function valueOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
