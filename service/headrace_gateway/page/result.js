// The prediction: what the program is there for, its last output, large; then the others; what it took.

import { count, element, seconds } from "./dom.js";

/** The outputs as elements. Text is shown as text, lists of text as lists, the rest as JSON. */
export function resultOf(prediction, program) {
  const names = program?.outputs.map((output) => output.name).filter((name) => name in prediction.data) ?? [];
  const rest = Object.keys(prediction.data).filter((name) => !names.includes(name));
  const lead = names.pop() ?? rest.pop();

  return [lead, ...names, ...rest]
    .filter(Boolean)
    .map((name) =>
      element(
        "div",
        { className: name === lead ? "output lead" : "output" },
        element("h3", { textContent: name }),
        valueElement(prediction.data[name]),
      ),
    );
}

/** What a run took, in one line. */
export function usageLine(usage, elapsed) {
  return [
    elapsed === undefined ? "" : seconds(elapsed),
    usage.lm_call_count ? count(usage.lm_call_count, "model call") : "",
    usage.input_token_count ? `${usage.input_token_count.toLocaleString("en")} tokens in` : "",
    usage.output_token_count ? `${usage.output_token_count.toLocaleString("en")} out` : "",
    usage.reasoning_token_count
      ? `${usage.reasoning_token_count.toLocaleString("en")} of them reasoning`
      : "",
    usage.cost_usd === undefined ? "" : dollars(usage.cost_usd),
  ]
    .filter(Boolean)
    .join(" · ");
}

function valueElement(value) {
  if (typeof value === "string") return element("div", { className: "prose", textContent: value });

  if (Array.isArray(value) && value.length && value.every((one) => typeof one === "string")) {
    return element("ul", { className: "prose" }, ...value.map((one) => element("li", { textContent: one })));
  }

  if (value === null || typeof value !== "object") {
    return element("div", { className: "prose", textContent: String(value) });
  }

  return element("pre", { textContent: JSON.stringify(value, null, 2), tabIndex: 0 });
}

function dollars(cost) {
  return `$${cost < 0.01 ? cost.toPrecision(2) : cost.toFixed(2)}`;
}
