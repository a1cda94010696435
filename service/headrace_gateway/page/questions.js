// What the run asks: a card for each open question, with a form made from its schema; for an approval the
// tool's arguments, which may be changed before they are allowed.

import * as api from "./api.js";
import { element } from "./dom.js";
import { InputForm } from "./form.js";
import { plain } from "./schema.js";

export class Questions {
  #cards = new Map();

  constructor(place, runId) {
    this.place = place;
    this.runId = runId;
    this.#show();
  }

  /** How many nobody has answered yet. */
  get open() {
    return this.#cards.size;
  }

  /** Adds a question; told twice, around a reconnect, it stays as it is. */
  ask(request) {
    if (this.#cards.has(request.input_id)) return;

    this.#cards.set(request.input_id, new Card(request, this.runId));
    this.#show();
  }

  /** Takes back a question that is over, whoever answered it, and gives it. */
  resolve({ input_id: id }) {
    const request = this.#cards.get(id)?.request;
    this.#cards.delete(id);
    this.#show();

    return request;
  }

  /** The run is over, and so is what it asked. */
  end() {
    this.#cards.clear();
    this.#show();
  }

  #show() {
    const shown = [...this.#cards.values()].map((card) => card.element);
    const kept = new Set(shown);

    for (const one of [...this.place.children]) if (!kept.has(one)) one.remove();

    for (const one of shown) if (!one.parentNode) this.place.append(one);

    this.place.hidden = !shown.length;
  }
}

class Card {
  #isTouched = false;

  constructor(request, runId) {
    this.request = request;
    this.runId = runId;
    this.isApproval = request.kind === "approval";
    this.complaint = element("p", { className: "complaint", role: "alert" });
    this.reason = element("input", { type: "text", autocomplete: "off", ariaLabel: "Reason" });
    this.reason.placeholder = "reason, if you decline";
    this.element = this.#assemble();
  }

  #assemble() {
    const { input_id: id, message, tool, expire_time: end } = this.request;
    const heading = element("h3", { id: `question-${id}`, textContent: message });
    const fields = element("div", { className: "fields" });
    const decline = element("button", { type: "button", className: "stop", textContent: "Decline" });
    const answer = element("button", {
      type: "submit",
      className: "go",
      textContent: this.isApproval ? "Allow" : "Answer",
    });
    const form = element("form", { noValidate: true });
    this.form = this.#formIn(fields);
    form.append(fields, this.complaint, element("div", { className: "actions" }, answer, decline, this.reason));
    form.addEventListener("input", ({ target }) => (this.#isTouched ||= target !== this.reason));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#answer();
    });
    decline.addEventListener("click", () => this.#decline());
    this.reason.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;

      event.preventDefault(); // the form would be submitted: the tool allowed, for the reason not to
      this.#decline();
    });
    const card = element("article", { className: "question" }, heading);
    card.setAttribute("aria-labelledby", heading.id);

    if (tool) card.append(element("p", { className: "hint" }, "tool ", element("code", { textContent: tool })));
    if (end) card.append(element("p", { className: "hint", textContent: `until ${clockTime(end)}` }));

    card.append(form);

    return card;
  }

  /** An object is asked for member by member, anything else as one value. */
  #formIn(place) {
    const { input_id: id, answer_schema, proposal } = this.request;
    const schema = plain(answer_schema, answer_schema.$defs);
    const isObject = schema.type === "object" && schema.properties && Object.keys(schema.properties).length;
    this.isWhole = !isObject;

    return new InputForm(place, isObject ? schema : wrapped(schema), {
      example: isObject ? proposal : { answer: proposal },
      prefix: `${id}-`,
    });
  }

  #answer() {
    // What nobody has touched is allowed as it was proposed: a form may not hold all of it.
    if (this.isApproval && !this.#isTouched) return this.#send({ answer: true });

    try {
      const values = this.form.read();
      this.#send({ answer: this.isWhole ? values.answer : values });
    } catch (error) {
      this.complaint.textContent = error.message;
    }
  }

  #decline() {
    return this.#send({ decline: true, reason: this.reason.value });
  }

  /** The card goes once the run says that the question is resolved. */
  async #send(reply) {
    this.complaint.textContent = "";

    try {
      await api.answerQuestion(this.runId, this.request.input_id, reply);
    } catch (error) {
      const left = (error.violations ?? []).filter((one) => !this.form.complain(one.field, one.description));
      this.complaint.textContent = error.violations?.length && !left.length ? "" : api.wordsFor(error);
    }
  }
}

/** A value by itself as the one member of an object. Yes or no is a choice: a box is not left empty by intent. */
function wrapped({ $defs, ...schema }) {
  const answer = schema.type === "boolean" ? { ...schema, enum: [true, false] } : schema;

  return { $defs, properties: { answer }, required: ["answer"] };
}

function clockTime(moment) {
  return new Date(moment).toLocaleTimeString("en", { hourCycle: "h23" });
}
