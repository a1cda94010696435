// Plays an interop order with the Node client: reads it from stdin, prints what was read as JSON.

import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

import { Client, InputResolved_Outcome, Run_State } from "../../../../client/node/dist/index.js";
import { CALLS } from "./calls.mjs";
import { attach, begin, options, send } from "./order.mjs";
import { read, refused, written } from "./reading.mjs";

const PLAYS = {
  async *read_each(client, { runs }) {
    for (const asked of runs) {
      yield await read(begin(client, asked));
    }
  },

  async *cancel_after_begin(client, { runs }) {
    const run = await begin(client, runs[0]);
    await run.cancel("enough");
    yield await read(run);
  },

  async *leave_after_first_event(client, { runs }) {
    const run = await begin(client, runs[0]);

    for await (const _ of run) {
      break;
    }

    yield await read(attach(client, runs[0]));
  },

  async *detach_and_attach_for_a_while(client, { runs }) {
    const run = await begin(client, runs[0]);
    run.detach();
    await run.close();
    const reading = await read(attach(client, runs[0], { signal: AbortSignal.timeout(500) }));
    reading.state = Run_State[(await client.getRun(run.id)).state];
    await client.cancel(run.id);
    yield reading;
  },

  async *attach_each(client, { runs }) {
    for (const asked of runs) {
      yield await read(attach(client, asked));
    }
  },

  async *attach_and_join_again(client, { runs }) {
    yield await read(begin(client, runs[0]));
    yield await read(attach(client, runs[0]));
    yield await read(begin(client, runs[0]));
  },

  async *attach_behind_the_end(client, { runs }) {
    const whole = await read(begin(client, runs[0]));
    yield whole;
    yield await read(client.attach(runs[0].run_id, { afterSequence: whole.cursor }));
  },

  async *stall_until_over(client, { runs }) {
    const run = await begin(client, runs[0]);
    const events = run[Symbol.asyncIterator]();
    const { value: first } = await events.next();

    while ((await client.getRun(run.id)).state === Run_State.STATE_RUNNING) {
      await sleep(50);
    }

    yield await read(run, events, [first]);
  },

  async *answer_each(client, { runs }) {
    const run = await begin(client, runs[0]);
    const answers = [...runs[0].answers];

    yield await read(run, answered(run, async ({ inputId }) => {
      const { value, decline, reason } = answers.shift();
      await (decline ? run.decline(inputId, reason) : run.answer(inputId, value, reason));
    }));
  },

  async *answer_by_client(client, { runs }) {
    const run = await begin(client, runs[0]);
    const answers = [...runs[0].answers];

    yield await read(run, answered(run, ({ inputId }) => send(client, run.id, inputId, answers.shift())));
  },

  async *answer_again(client, { runs }) {
    const run = await begin(client, runs[0]);
    const [first, other] = runs[0].answers;
    let refusal;

    const reading = await read(run, answered(run, async ({ inputId }) => {
      for (const again of [first, first]) {
        const { outcome } = await send(client, run.id, inputId, again);
        assert.equal(outcome, InputResolved_Outcome.OUTCOME_ANSWERED);
      }

      refusal = await refused(send(client, run.id, inputId, other));
    }));

    yield reading;
    yield refusal;
  },

  ...CALLS,
};

/** The events of a run, each question answered before the next one is read. */
async function* answered(events, answer) {
  for await (const event of events) {
    if (event.event?.$case === "inputRequest") {
      await answer(event.event.value);
    }

    yield event;
  }
}

const order = JSON.parse(await text(process.stdin));
const client = new Client(order.address, options(order));
const readings = [];

for await (const reading of PLAYS[order.play](client, order)) {
  readings.push(reading);
}

process.stdout.write(written(readings));
client.close();
