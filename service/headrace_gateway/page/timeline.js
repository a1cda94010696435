// The timeline: what was said and done, and when, counted from the run's start.

import { count, element, seconds } from "./dom.js";

export class Timeline {
  #start = null;

  constructor(place) {
    this.place = place;
    place.replaceChildren();
  }

  /** Adds what a status tells, and gives the message in it, if any, for who listens. */
  status(status) {
    const time = Date.parse(status.create_time);
    this.#start ??= time;
    const at = (time - this.#start) / 1000;

    if (status.message) this.#add(at, "said", status.message);
    if (status.failure && status.kind !== "run")
      this.#add(at, "failed", `${status.name}: ${status.failure.message}`);
    if (status.kind === "lm" && status.phase === "end" && status.usage)
      this.#add(at, "lm", modelLine(status));
    if (status.kind === "tool" && status.phase === "end" && !status.message)
      this.#add(at, "tool", toolLine(status));

    return status.message;
  }

  /** Adds a line of the page's own, at this moment. */
  note(kind, text) {
    const at = this.#start === null ? 0 : Math.max(0, (Date.now() - this.#start) / 1000);
    this.#add(at, kind, text);
  }

  #add(at, kind, text) {
    this.place.append(
      element(
        "li",
        { className: kind },
        element("span", { className: "clock", textContent: at < 60 ? `${at.toFixed(1)} s` : seconds(at) }),
        element("span", { className: "what", textContent: text }),
      ),
    );
  }
}

function modelLine({ name, usage }) {
  return `${name}, ${usage.cache_hit_count ? "from the cache" : count(usage.output_token_count, "token")}`;
}

function toolLine({ name, outcome }) {
  return outcome === "ok" ? name : `${name}, ${outcome}`;
}
