// The timeline: what was said and done, and when, counted from the run's start.

import { openable } from "./content.js";
import { count, element, seconds } from "./dom.js";

export class Timeline {
  #start = null;
  #taken = new Map(); // call -> what went into it
  #told = new Map(); // call and name -> its line

  constructor(place) {
    this.place = place;
    place.replaceChildren();
  }

  /** Adds what a status tells, and gives the message in it, if any, for who listens. */
  status(status) {
    const at = this.#at(status);
    const content = status.tool?.arguments ?? status.data;

    if (status.phase === "start" && content) this.#taken.set(status.call_id, content);
    if (status.message) this.#add(at, "said", status.message);
    if (status.failure && status.kind !== "run")
      this.#add(at, "failed", `${status.name}: ${status.failure.message}`);
    if (status.phase === "end") this.#end(at, status);

    return status.message;
  }

  /** A call has ended: what it was, and what is to be seen of it. */
  #end(at, status) {
    const taken = this.#taken.get(status.call_id);
    this.#taken.delete(status.call_id);

    if (status.kind === "lm" && (status.usage || taken))
      this.#add(at, "lm", modelLine(status), taken, status.data);
    if (status.kind === "tool" && (!status.message || taken))
      this.#add(at, "tool", toolLine(status), taken, resultOf(status.tool));
  }

  /** What the program tells of itself: the newest of a name and call takes the place of the one before. */
  told(custom) {
    const { name, call_id: call, data } = custom;
    const key = `${call} ${name}`;
    const text = `${name}: ${typeof data === "string" ? data : JSON.stringify(data)}`;
    const line = this.#told.get(key);

    if (line) {
      line.querySelector(".what").textContent = text;
    } else {
      this.#add(this.#at(custom), "told", text);
      this.#told.set(key, this.place.lastElementChild);
    }
  }

  /** How a question ended. An approval says with which arguments the tool is called. */
  resolved(resolved, request) {
    const { outcome, reason, call_id: call, answer } = resolved;
    const ended = reason ? `${outcome}: ${reason}` : outcome;
    this.#add(this.#at(resolved), "said", `${request?.message ?? ""} ${ended}`.trim());

    if (request?.kind === "approval" && answer) this.#taken.set(call, answer);
  }

  /** Adds a line of the page's own, at this moment. */
  note(kind, text) {
    const at = this.#start === null ? 0 : Math.max(0, (Date.now() - this.#start) / 1000);
    this.#add(at, kind, text);
  }

  /** Seconds from the run's start. */
  #at({ create_time: when }) {
    const time = Date.parse(when);
    this.#start ??= time;

    return (time - this.#start) / 1000;
  }

  #add(at, kind, text, taken, given) {
    this.place.append(
      element(
        "li",
        { className: kind },
        element("span", { className: "clock", textContent: at < 60 ? `${at.toFixed(1)} s` : seconds(at) }),
        openable(text, taken, given),
      ),
    );
  }
}

function modelLine({ name, usage }) {
  if (!usage) return name;

  return `${name}, ${usage.cache_hit_count ? "from the cache" : count(usage.output_token_count, "token")}`;
}

function resultOf(tool) {
  return tool && "result" in tool ? { result: tool.result } : undefined;
}

function toolLine({ name, outcome }) {
  return outcome === "ok" ? name : `${name}, ${outcome}`;
}
