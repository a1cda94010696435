/** The outputs of a prediction, whatever form they came in. */

import type { Prediction } from "./gen/headrace/v1/headrace.js";

/**
 * The outputs as plain values, by field name. Throws TypeError for those of form `none`.
 *
 * JSON.parse rounds integers beyond 2^53, without a word. `prediction.outputsJson` is the text in which
 * they are exact; in form `struct` they are decimal strings.
 */
export function outputs(prediction: Prediction): Record<string, any> {
  const values = prediction.outputsJson ? JSON.parse(prediction.outputsJson) : prediction.outputs;

  if (!values) {
    throw new TypeError('the prediction carries no outputs: ask for another outputForm than "none"');
  }

  return values;
}
