// A form for a JSON Schema: one control per property, the example's values in them. What has no control
// of its own is written as JSON.

import { element } from "./dom.js";

const SHORT_CHOICE = 4;

/**
 * Builds the controls into `place`; `read()` gives the values, or throws an Error that names a field.
 * `described` holds what else is known of the properties, `prefix` tells the forms of a page apart.
 */
export class InputForm {
  #fields = [];

  constructor(place, schema, { described = [], example = {}, prefix = "" } = {}) {
    const { properties = {}, required = [], $defs = {} } = schema;
    const known = new Map(described.map((field) => [field.name, field]));

    for (const [name, property] of Object.entries(properties)) {
      const schema = plain(property, $defs);
      const isRequired = required.includes(name);
      this.#fields.push(new FormField(name, schema, known.get(name), { isRequired, prefix, given: example[name] }));
    }

    place.replaceChildren(...this.#fields.map((field) => field.element));
  }

  /** The values; throws, and points at the field, where one cannot be read. */
  read() {
    const values = {};

    for (const field of this.#fields) {
      field.complain("");
      const value = field.read();

      if (value !== undefined) values[field.name] = value;
    }

    return values;
  }

  /** Shows what the server has against a field; false where there is no such field. */
  complain(path, description) {
    const [, inside] = /^(?:inputs|answer)\.?(.*)/.exec(path) ?? [, path];
    const [, name] = /^([^.[]+)/.exec(inside) ?? [];
    const field = this.#fields.find((one) => one.name === (name ?? path));
    field?.complain(description);

    return Boolean(field);
  }
}

class FormField {
  #isTouched = false;

  constructor(name, schema, described, { isRequired, prefix, given }) {
    this.name = name;
    this.id = `${prefix}${name}`;
    this.isRequired = isRequired;
    this.given = given;
    const written = given === undefined ? schema.default : given;
    this.control = controlFor(schema, `input-${this.id}`, written);
    this.complaint = element("p", { className: "complaint", id: `complaint-${this.id}` });
    this.element = this.#assemble(schema, described);
    this.element.addEventListener("input", () => (this.#isTouched = true));

    if (written !== undefined && written !== null) this.control.write(written);
  }

  /** What nobody has touched is what was given: a control may show null, or no text, as nothing at all. */
  read() {
    if (!this.#isTouched && this.given !== undefined) return this.given;

    try {
      const value = this.control.read();

      if (value === undefined && this.isRequired) throw new Error("is required");

      return value;
    } catch (error) {
      this.complain(error.message);
      throw new Error(`${this.name}: ${error.message}`, { cause: error });
    }
  }

  complain(text) {
    this.complaint.textContent = text;
    this.control.focusable.setAttribute("aria-invalid", String(Boolean(text)));

    if (text) this.control.focusable.focus();
  }

  #assemble(schema, described) {
    const { focusable, isGroup } = this.control;
    const hint = described?.description || schema.description || "";
    const type = element("span", {
      className: "type",
      textContent: typeText(schema, described?.type, this.isRequired),
    });
    const label = element(isGroup ? "legend" : "label", { textContent: this.name });
    const note = element("p", { className: "hint", id: `hint-${this.id}`, textContent: hint });
    label.append(" ", type);
    focusable.setAttribute("aria-describedby", `${note.id} ${this.complaint.id}`);

    if (!isGroup) label.htmlFor = focusable.id;

    const field = element(isGroup ? "fieldset" : "div", { className: `field ${focusable.type}` });
    field.append(label, ...(hint ? [note] : []), this.control.element, this.complaint);

    return field;
  }
}

// Controls: {element, focusable, isGroup, read() -> value or undefined, write(value)}

function controlFor(schema, id, written) {
  if (schema.enum) return choice(schema.enum, id);

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

function choice(values, id) {
  return values.length <= SHORT_CHOICE ? radios(values, id) : select(values, id);
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

// Schemas

/** A schema with what it points to. `T | null` is T that may be left out, one value a choice of one. */
export function plain(schema, definitions = {}) {
  const { $ref, anyOf, ...own } = schema;
  const pointed = definitions[$ref?.replace("#/$defs/", "")];

  if (pointed) return plain({ ...pointed, ...own }, definitions);

  const choices = (anyOf ?? []).filter((one) => one.type !== "null");

  if (choices.length === 1) return plain({ ...choices[0], ...own }, definitions);

  return "const" in schema ? { ...schema, enum: [schema.const] } : schema;
}

/** Choices speak for themselves. */
function typeText(schema, type, isRequired) {
  return [schema.enum ? "" : type, isRequired ? "" : "optional"].filter(Boolean).join(", ");
}
