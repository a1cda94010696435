// What one reader was given, as the driver prints it.

import assert from "node:assert/strict";

import {
  HeadraceError,
  InputRequest_Kind,
  InputResolved_Outcome,
  outputs,
  RunSuspended,
  status,
  StatusUpdate_Kind,
  StatusUpdate_Outcome,
  StatusUpdate_Phase,
} from "../../../../client/node/dist/index.js";

export function empty() {
  return { run_id: "", messages: [], texts: [], outputs: null, error: null, cursor: 0 };
}

/** Reads a run to its end, behind the events that were read before. */
export async function read(opened, left = undefined, events = []) {
  const reading = empty();
  let run;

  try {
    run = await opened;
    reading.run_id = run.id;

    for await (const event of left ?? run) {
      events.push(event);
    }

    reading.outputs = textOf(await run.prediction());
  } catch (error) {
    reading.error = told(error, run);
  }

  return run ? { ...reading, ...whatWasRead(run, events) } : reading;
}

/** What a call that must be refused was told. */
export async function refused(call) {
  const error = await call.then((answer) => assert.fail(`it was not refused: ${JSON.stringify(answer)}`), told);

  return { ...empty(), error };
}

export function textOf(prediction) {
  return prediction.outputsJson || (prediction.outputs ? JSON.stringify(outputs(prediction)) : null);
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
    texts: [...names].map((one) => JSON.parse(one)).map(([name, field]) => [name, field, run.text(`${name}.${field}`)]),
    cursor: run.cursor,
  };
}

function message({ sequence, eventCount, event }) {
  const kind = event ? event.$case.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) : "None";

  return { sequence, count: eventCount, kind, body: BODIES[kind]?.(event.value) ?? {} };
}

export const BODIES = {
  token: ({ callId, predictor, field, chunk, offset, isLast }) => ({
    call: callId,
    predictor,
    field,
    chunk,
    offset,
    is_last: isLast,
  }),

  status: ({ callId, parentCallId, kind, phase, outcome, name, message, lm, tool }) => ({
    call: callId,
    parent: parentCallId,
    kind: StatusUpdate_Kind[kind].replace("KIND_", ""),
    phase: StatusUpdate_Phase[phase].replace("PHASE_", ""),
    outcome: StatusUpdate_Outcome[outcome].replace("OUTCOME_", ""),
    name,
    message,
    attempt: lm?.attempt ?? 0,
    cached: lm?.cached ?? false,
    ...(tool && { tool: content(tool) }),
  }),

  prediction: ({ outputsJson }) => ({ outputs: exact(outputsJson) ?? {} }),

  custom: ({ callId, name, dataJson }) => ({ call: callId, name, data: exact(dataJson) }),

  input_request: ({ callId, inputId, kind, message, answerSchemaJson, proposalJson, tool }) => ({
    call: callId,
    input_id: inputId,
    kind: InputRequest_Kind[kind].replace("KIND_", ""),
    message,
    answer_schema: exact(answerSchemaJson),
    proposal: exact(proposalJson),
    tool,
  }),

  input_resolved: ({ callId, inputId, outcome, answerJson, reason }) => ({
    call: callId,
    input_id: inputId,
    outcome: InputResolved_Outcome[outcome].replace("OUTCOME_", ""),
    answer: exact(answerJson),
    reason,
  }),
};

function content({ providerCallId, argumentsJson, resultJson }) {
  return { provider_call_id: providerCallId, arguments: exact(argumentsJson), result: exact(resultJson) };
}

/** A value as the JSON text that came for it: JSON.parse would round its integers. */
class Exact {
  constructor(text) {
    this.text = text;
  }
}

/** JSON text as such; null where there is none. */
export function exact(text) {
  return text ? new Exact(text) : null;
}

/** Readings as JSON text, with what came as such inside. */
export function written(value) {
  if (value instanceof Exact) {
    return value.text;
  }

  if (Array.isArray(value)) {
    return `[${value.map(written).join(",")}]`;
  }

  if (value !== null && typeof value === "object") {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);

    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${written(member)}`).join(",")}}`;
  }

  return JSON.stringify(value);
}

/** An error, as the driver prints it. */
export function told(error, run) {
  if (error.name === "TimeoutError") {
    // Node's own way to say that the time of a signal is over
    const facts = { reason: "", run_id: run.id, state: "", run_state: "", lm_calls: null };

    return { kind: "ServerUnreachable", code: "DEADLINE_EXCEEDED", ...facts };
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
    state: error instanceof RunSuspended ? error.runState : "",
    run_state: error.runState,
    lm_calls: error.usage?.lmCallCount ?? null,
  };
}
