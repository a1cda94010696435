// Plays an interop order with the Node client: reads it from stdin, prints what was read as JSON.

import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

import {
  Client,
  credentials,
  HeadraceError,
  outputs,
  Run_State,
  status,
  StatusUpdate_Kind,
  StatusUpdate_Outcome,
  StatusUpdate_Phase,
} from "../../../../client/node/dist/index.js";

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
};

function begin(client, { program, inputs, run_id: runId, fields, timeout }) {
  return client.run(program, inputs, { runId, fields, ...(timeout && { timeoutMs: timeout * 1000 }) });
}

function attach(client, { run_id: runId, fields }, options = {}) {
  return client.attach(runId, { fields, ...options });
}

/** Reads a run to its end, behind the events that were read before. */
async function read(opened, left = undefined, events = []) {
  const reading = { run_id: "", messages: [], texts: [], outputs: null, error: null, cursor: 0 };
  let run;

  try {
    run = await opened;
    reading.run_id = run.id;

    for await (const event of left ?? run) {
      events.push(event);
    }

    const prediction = await run.prediction();
    reading.outputs = prediction.outputsJson || JSON.stringify(outputs(prediction));
  } catch (error) {
    reading.error = told(error, run);
  }

  return run ? { ...reading, ...whatWasRead(run, events) } : reading;
}

function whatWasRead(run, events) {
  const names = new Set();

  for (const { event } of events) {
    if (event?.$case === "token") {
      names.add(JSON.stringify([event.value.predictor, event.value.field]));
    }
  }

  return {
    messages: events.map(message),
    texts: [...names].map((one) => JSON.parse(one)).map(([name, field]) => [name, field, run.text(name, field)]),
    cursor: run.cursor,
  };
}

function message({ sequence, eventCount, event }) {
  return { sequence, count: eventCount, kind: event?.$case ?? "None", body: body(event) };
}

function body(event) {
  switch (event?.$case) {
    case "token": {
      const { callId, predictor, field, chunk, offset, isLast } = event.value;
      return { call: callId, predictor, field, chunk, offset, is_last: isLast };
    }
    case "status": {
      const { callId, parentCallId, kind, phase, outcome, name, message, lm } = event.value;
      return {
        call: callId,
        parent: parentCallId,
        kind: StatusUpdate_Kind[kind].replace("KIND_", ""),
        phase: StatusUpdate_Phase[phase].replace("PHASE_", ""),
        outcome: StatusUpdate_Outcome[outcome].replace("OUTCOME_", ""),
        name,
        message,
        attempt: lm?.attempt ?? 0,
        cached: lm?.cached ?? false,
      };
    }
    case "prediction":
      return { outputs: outputs(event.value) };
    default:
      return {};
  }
}

function told(error, run) {
  if (error.name === "TimeoutError") {
    // Node's own way to say that the time of a signal is over
    return { kind: "ServerUnreachable", code: "DEADLINE_EXCEEDED", reason: "", run_id: run.id };
  }

  if (!(error instanceof HeadraceError)) {
    throw error;
  }

  return {
    kind: error.name,
    code: status[error.code],
    reason: error.reason,
    message: error.message,
    run_id: error.runId,
    retry_delay: (error.retryDelayMs ?? 0) / 1000,
    violations: error.violations.map(({ field }) => field),
    metadata: error.metadata,
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

process.stdout.write(JSON.stringify(readings));
client.close();
