// The timeline: what was said and done, and when, counted from the run's start.

import { openable } from "./content.js";
import { count, element, seconds } from "./dom.js";

export class Timeline {
  #start = null;
  #taken = new Map(); // call -> what went into it

  constructor(place) {
    this.place = place;
    place.replaceChildren();
  }

  /** Adds what a status tells, and gives the message in it, if any, for who listens. */
  status(status) {
    const time = Date.parse(status.create_time);
    this.#start ??= time;
    const at = (time - this.#start) / 1000;

    if (status.phase === "start" && status.data) this.#taken.set(status.call_id, status.data);
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
      this.#add(at, "tool", toolLine(status), taken, status.data);
  }

  /** Adds a line of the page's own, at this moment. */
  note(kind, text) {
    const at = this.#start === null ? 0 : Math.max(0, (Date.now() - this.#start) / 1000);
    this.#add(at, kind, text);
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

function toolLine({ name, outcome }) {
  return outcome === "ok" ? name : `${name}, ${outcome}`;
}
