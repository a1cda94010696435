// A form for a JSON Schema: one control per property, the example's values in them.

import { controlFor } from "./controls.js";
import { element } from "./dom.js";
import { plain } from "./schema.js";

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
    this.isRequired = isRequired && !schema.nullable;
    this.empty = isRequired && schema.nullable ? null : undefined;
    this.given = given;
    const written = given === undefined ? schema.default : given;
    this.control = controlFor(schema, `input-${this.id}`, written, this.isRequired);
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

      return value === undefined ? this.empty : value;
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

/** Choices speak for themselves. */
function typeText(schema, type, isRequired) {
  return [schema.enum ? "" : type, isRequired ? "" : "optional"].filter(Boolean).join(", ");
}
