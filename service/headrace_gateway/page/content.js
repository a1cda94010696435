// The content of calls: prompts, completions, arguments, results, as a server shows it to whom it may.

import { element } from "./dom.js";

const LONGEST = 20_000; // characters of one text; the server cuts at about as many

/** A line of text, to be opened where there is more to see: what went into a call and came out of it. */
export function openable(text, takes, gives) {
  const parts = [part("takes", takes), part("gives", gives)].filter(Boolean);

  if (!parts.length) return element("span", { className: "what", textContent: text });

  return element("details", { className: "what" }, element("summary", { textContent: text }), ...parts);
}

function part(title, values) {
  if (!values) return null;

  const texts = Object.entries(values).flatMap(([name, value]) => textsOf(name, value));

  return element("section", { className: title, ariaLabel: title }, ...texts.flatMap(named));
}

function named([name, text]) {
  const shown = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;

  return [element("h3", { textContent: name }), element("pre", { textContent: shown, tabIndex: 0 })];
}

/** Names and texts of a value; messages each by their role. */
function textsOf(name, value) {
  if (typeof value === "string") return [[name, value]];
  if (!isMessages(value)) return [[name, json(value)]];

  return value.map((one) => [one.role, typeof one.content === "string" ? one.content : json(one.content)]);
}

function isMessages(value) {
  return Array.isArray(value) && value.length > 0 && value.every((one) => one?.role && "content" in one);
}

function json(value) {
  return JSON.stringify(value, null, 2) ?? "";
}
