// Controls for values, by their schemas: text, numbers, boxes, choices, lines. What has none of its own is
// written as JSON. Each is {element, focusable, isGroup, read() -> value or undefined, write(value)}.

import { element } from "./dom.js";

const SHORT_CHOICE = 4;

/** The control for a schema; `written` is what will be in it at first. */
export function controlFor(schema, id, written, isRequired) {
  if (schema.enum) return choice(schema.enum, id, isRequired || (written ?? null) !== null);

  switch (schema.type) {
    case "string":
      return text(id, 2, (written) => (written === "" ? undefined : written), String);
    case "integer":
    case "number":
      return number(schema, id);
    case "boolean":
      return checkbox(id);
    case "array":
      if (schema.items?.type === "string" && fitsLines(written)) return lines(id);
  }

  return json(id);
}

function text(id, rows, parse, format) {
  const area = element("textarea", { id, rows, spellcheck: false });

  return {
    element: area,
    focusable: area,
    read: () => parse(area.value),
    write: (value) => (area.value = format(value)),
  };
}

function lines(id) {
  const control = text(
    id,
    3,
    (written) => (written.trim() ? written.split("\n").filter((line) => line.trim()) : undefined),
    (value) => value.join("\n"),
  );
  control.element.placeholder = "one per line";

  return control;
}

/** Whether each item has a line of its own, and each line an item. */
function fitsLines(items) {
  return (items ?? []).every((item) => typeof item === "string" && item.trim() && !/[\r\n]/.test(item));
}

function json(id) {
  const control = text(id, 4, parseJson, (value) => JSON.stringify(value, null, 2));
  control.element.classList.add("json");
  control.element.placeholder = "JSON";

  return control;
}

function parseJson(written) {
  if (!written.trim()) return undefined;

  try {
    return JSON.parse(written);
  } catch {
    throw new Error("is no JSON");
  }
}

function number(schema, id) {
  const input = element("input", { id, type: "number", step: schema.type === "integer" ? "1" : "any" });

  if (schema.minimum !== undefined) input.min = schema.minimum;
  if (schema.maximum !== undefined) input.max = schema.maximum;

  const read = () => {
    if (input.validity.badInput) throw new Error("is no number");

    return input.value === "" ? undefined : input.valueAsNumber;
  };

  return { element: input, focusable: input, read, write: (value) => (input.value = value) };
}

function checkbox(id) {
  const input = element("input", { id, type: "checkbox" });

  return {
    element: input,
    focusable: input,
    read: () => input.checked,
    write: (value) => (input.checked = value),
  };
}

/** A few choices stand side by side, unless none may be chosen, which only a list can go back to. */
function choice(values, id, isChosen) {
  return isChosen && values.length <= SHORT_CHOICE ? radios(values, id) : select(values, id);
}

function select(values, id) {
  const list = element("select", { id });
  list.append(element("option", { value: "", textContent: "" }));
  list.append(...values.map((value, at) => element("option", { value: at, textContent: choiceText(value) })));

  return {
    element: list,
    focusable: list,
    read: () => (list.value === "" ? undefined : values[Number(list.value)]),
    write: (value) => (list.value = String(values.indexOf(value))),
  };
}

function radios(values, id) {
  const group = element("div", { className: "choices" });
  const inputs = values.map((value, at) => {
    const input = element("input", { id: `${id}-${at}`, type: "radio", name: id });
    const label = element("label", { htmlFor: input.id });
    label.append(input, ` ${choiceText(value)}`);
    group.append(label);

    return input;
  });

  return {
    element: group,
    focusable: inputs[0],
    isGroup: true,
    read: () => values[inputs.findIndex((input) => input.checked)],
    write: (value) => {
      const input = inputs[values.indexOf(value)];

      if (input) input.checked = true;
    },
  };
}

function choiceText(value) {
  if (typeof value === "boolean") return value ? "yes" : "no";

  return typeof value === "string" ? value : JSON.stringify(value);
}
