// Plays around calls with one answer: records, answers, programs.

import { Run_State } from "../../../../client/node/dist/index.js";
import { attach, begin, send, wanted } from "./order.mjs";
import { BODIES, empty, exact, read, textOf, told } from "./reading.mjs";

export const CALLS = {
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
  async *send_inputs(client, { replies }) {
    for (const reply of replies) {
      yield await answered(async () => {
        const resolved = await send(client, reply.run_id, reply.input_id, reply);

        return { resolved: BODIES.input_resolved(resolved) };
      });
    }
  },

  async *cancel_each(client, { runs }) {
    for (const { run_id } of runs) {
      yield await answered(async () => {
        const { run } = await client.cancel(run_id, "enough");

        return { state: Run_State[run.state] };
      });
    }
  },

  async *get_each(client, { runs }) {
    for (const { run_id, output_form: outputForm } of runs) {
      yield await answered(async () => {
        const { state, prediction, failure, inputRequests } = await client.getRun(run_id, { outputForm });
        const { reason = "", metadata = {} } = failure ?? {};
        const record = { reason, metadata, questions: inputRequests.map(BODIES.input_request) };

        return { state: Run_State[state], outputs: prediction ? textOf(prediction) : null, record };
      });
    }
  },

  async *predict_each(client, { runs }) {
    for (const { program, inputs, run_id: runId, output_form: outputForm } of runs) {
      yield await answered(async () => {
        const prediction = await client.predict(program, inputs, { runId, outputForm });

        return { outputs: textOf(prediction) };
      });
    }
  },

  async *describe_each(client, { runs }) {
    for (const { program } of runs) {
      yield await answered(async () => {
        const { inputSchemaJson, outputSchemaJson, tools } = await client.describe(program);
        const parameters = tools.map(({ name, parametersSchemaJson }) => [name, exact(parametersSchemaJson)]);

        return {
          described: {
            inputs: exact(inputSchemaJson),
            outputs: exact(outputSchemaJson),
            tools: Object.fromEntries(parameters),
          },
        };
      });
    }
  },
};

/** What a call with one answer gave, or its error. */
async function answered(call) {
  return call().then(
    (given) => ({ ...empty(), ...given }),
    (error) => ({ ...empty(), error: told(error) }),
  );
}
