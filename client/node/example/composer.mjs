// Runs the composer and prints what its branches write, as it comes.
//
//   node example/composer.mjs 127.0.0.1:50051 "Why do parallel branches feel faster?"

import { Client } from "headrace-client";

const [address, question] = process.argv.slice(2);
const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort()); // Ctrl-C stops the run, too

const client = new Client(address);
const run = await client.run("composer", { question }, { signal: interrupted.signal });

for await (const { event } of run) {
  switch (event?.$case) {
    case "token": {
      const { predictor, field, chunk } = event.value;
      console.log(`${predictor}.${field}: ${JSON.stringify(chunk)}`);
      break;
    }
    case "status":
      if (event.value.message) {
        console.log(event.value.message);
      }
  }
}

console.log(`\n${(await run.result()).answer}`);
client.close();
