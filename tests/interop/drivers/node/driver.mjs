// Plays an interop order with the Node client: reads it from stdin, prints what was read as JSON.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

import { Client, credentials, InputResolved_Outcome, Run_State } from "../../../../client/node/dist/index.js";
import { empty, read, refused, written } from "./reading.mjs";

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

    yield await read(run, answered(run, ({ inputId }) => send(client, run, inputId, answers.shift())));
  },

  async *answer_again(client, { runs }) {
    const run = await begin(client, runs[0]);
    const [first, other] = runs[0].answers;
    let refusal;

    const reading = await read(run, answered(run, async ({ inputId }) => {
      for (const again of [first, first]) {
        const { outcome } = await send(client, run, inputId, again);
        assert.equal(outcome, InputResolved_Outcome.OUTCOME_ANSWERED);
      }

      refusal = await refused(send(client, run, inputId, other));
    }));

    yield reading;
    yield refusal;
  },

  async *list_runs(client, { runs, filters }) {
    for (const asked of runs) {
      await read(begin(client, asked));
    }

    for (const filter of filters) {
      const listed = await client.runs(wanted(filter));
      yield { ...empty(), listed: listed.map(({ runId }) => runId) };
    }
  },

  async *delete_after_end(client, { runs }) {
    yield await read(begin(client, runs[0]));
    await client.delete(runs[0].run_id);
    yield await read(attach(client, runs[0]));
  },

  async *cancel_before_begin(client, { runs }) {
    const { run, refusedUntil } = await client.cancel(runs[0].run_id);
    const reading = await read(begin(client, runs[0]));
    yield { ...reading, state: refusedUntil && !run ? "REFUSED" : "" };
  },

  async *get_full(client, { runs }) {
    yield await read(begin(client, runs[0]));
    const record = await client.getRun(runs[0].run_id, { view: "full", outputForm: "json" });

    yield {
      ...empty(),
      run_id: record.runId,
      outputs: record.prediction?.outputsJson ?? null,
      inputs: record.inputsJson,
      state: Run_State[record.state],
    };
  },
};

function begin(client, asked) {
  const { program, inputs, run_id: runId, timeout, labels, interface_revision: interfaceRevision } = asked;
  const start = { runId, labels, interfaceRevision, ...(timeout && { timeoutMs: timeout * 1000 }) };

  return client.run(program, inputs, { ...reader(asked), ...start });
}

function attach(client, asked, options = {}) {
  return client.attach(asked.run_id, { ...reader(asked), ...options });
}

function reader({ fields, include_data, accept, token_detail, output_form }) {
  return { fields, includeData: include_data, accept, tokenDetail: token_detail, outputForm: output_form };
}

function send(client, run, inputId, { value, decline, reason }) {
  return decline ? client.decline(run.id, inputId, reason) : client.answer(run.id, inputId, value, reason);
}

/** The events of a run, each question answered before the next one is read. */
async function* answered(events, answer) {
  for await (const event of events) {
    if (event.event?.$case === "inputRequest") {
      await answer(event.event.value);
    }

    yield event;
  }
}

function wanted({ program, states, labels, created_after: after, created_before: before }) {
  return {
    program,
    labels,
    states: states?.map((name) => name.replace("STATE_", "").toLowerCase()),
    createdAfter: after && new Date(after * 1000),
    createdBefore: before && new Date(before * 1000),
  };
}

function options({ tls, token }) {
  if (!tls) {
    return {};
  }

  const [authority, key, certificate] = [tls.authority, tls.key, tls.certificate].map((file) => readFileSync(file));

  return { token, credentials: credentials.createSsl(authority, key, certificate) };
}

const order = JSON.parse(await text(process.stdin));
const client = new Client(order.address, options(order));
const readings = [];

for await (const reading of PLAYS[order.play](client, order)) {
  readings.push(reading);
}

process.stdout.write(written(readings));
client.close();
