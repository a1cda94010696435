// An order, in the words of the client.

import { readFileSync } from "node:fs";

import { credentials } from "../../../../client/node/dist/index.js";

export function options({ tls, token }) {
  const named = token ? { token } : {};

  if (!tls) {
    return named;
  }

  const [authority, key, certificate] = [tls.authority, tls.key, tls.certificate].map((file) => readFileSync(file));

  return { ...named, credentials: credentials.createSsl(authority, key, certificate) };
}

export function begin(client, asked) {
  const { program, inputs, run_id: runId, timeout, labels, interface_revision: interfaceRevision } = asked;
  const start = { runId, labels, interfaceRevision, ...(timeout && { timeoutMs: timeout * 1000 }) };

  return client.run(program, inputs, { ...reader(asked), ...start });
}

export function attach(client, asked, options = {}) {
  return client.attach(asked.run_id, { ...reader(asked), ...options });
}

function reader({ fields, include_data, accept, token_detail, output_form }) {
  return { fields, includeData: include_data, accept, tokenDetail: token_detail, outputForm: output_form };
}

/** Answers a question by the client, or declines. */
export function send(client, runId, inputId, { value, decline, reason }) {
  return decline ? client.decline(runId, inputId, reason) : client.answer(runId, inputId, value, reason);
}

export function wanted({ program, states, labels, created_after: after, created_before: before }) {
  return {
    program,
    labels,
    states: states?.map((name) => name.replace("STATE_", "").toLowerCase()),
    createdAfter: after && new Date(after * 1000),
    createdBefore: before && new Date(before * 1000),
  };
}
