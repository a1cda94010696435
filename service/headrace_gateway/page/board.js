// The live board: a stage after the other, a lane beside the other, in each lane a row per predictor,
// field and call. Between stages the water parts and meets.

import { Confluence } from "./confluence.js";
import { Course } from "./course.js";
import { element, seconds } from "./dom.js";
import { Transcript } from "./transcript.js";

const ROOT = ["self", "predict"]; // addresses of a program that is one predictor
const NEAR_THE_END = 24; // pixels: a reader this close to the end of a text wants to follow it

export class Board {
  #course = new Course();
  #transcript = new Transcript();
  #stages = [];
  #lanes = new Map();
  #rows = new Map();
  #dirty = new Set();
  #products; // per predictor, the field that it is there for: the last one

  constructor(place, program) {
    this.place = place;
    this.title = program?.name ?? "";
    this.#products = new Map((program?.predictors ?? []).map((one) => [one.name, one.outputs.at(-1)?.name]));
    this.mouth = new Confluence();
    place.replaceChildren();
  }

  status(status) {
    const call = this.#course.apply(status);

    if (!call?.lane) return;

    const lane = this.#laneFor(call.lane);

    if (call.kind === "tool") lane.tool(call);

    this.#later(lane);
  }

  token(token) {
    const lane = this.#laneFor(this.#course.laneOf(token.call_id));
    const key = `${token.call_id} ${token.field}`;
    let row = this.#rows.get(key);

    if (!row) {
      row = new Row(this.#labelOf(token, lane), this.#products.get(token.predictor) === token.field);
      this.#rows.set(key, row);
      lane.add(row, token.predictor, token.call_id);
    }

    row.text = this.#transcript.apply(token);
    this.#later(row);
    this.#later(lane);
  }

  /** Shows how the run stands: what still ran when it ended has stopped. */
  end() {
    this.place.classList.remove("running");
    this.#flush();

    for (const lane of this.#lanes.values()) lane.end();

    for (const row of this.#rows.values()) row.end();

    this.#redraw();
  }

  begin() {
    this.place.classList.add("running");
  }

  #laneFor(lane) {
    let shown = this.#lanes.get(lane);

    if (!shown) {
      shown = new Lane(lane, lane.name === "self" ? this.title : lane.name);
      this.#lanes.set(lane, shown);
      this.#stageFor(lane).add(shown);
      this.#redraw();
    }

    return shown;
  }

  #stageFor(lane) {
    const at = this.#course.stages.findIndex((stage) => stage.lanes.includes(lane));

    if (!this.#stages[at]) {
      const stage = new Stage(this.#stages.at(-1) ?? null);
      this.#stages[at] = stage;
      this.place.append(stage.confluence.element, stage.element);
    }

    return this.#stages[at];
  }

  /** `ideas.brainstorm.reasoning` is `brainstorm.reasoning` in the lane `ideas`. */
  #labelOf({ predictor, field }, lane) {
    const isWhole = ROOT.includes(predictor) || predictor === lane.name;

    return isWhole ? field : `${predictor.replace(`${lane.name}.`, "")}.${field}`;
  }

  #later(part) {
    if (!this.#dirty.size) requestAnimationFrame(() => this.#flush());

    this.#dirty.add(part);
  }

  #flush() {
    for (const part of this.#dirty) part.draw();

    this.#dirty.clear();
  }

  #redraw() {
    for (const stage of this.#stages) stage.draw();

    this.mouth.draw(this.#stages.at(-1)?.lanes ?? [], []);
  }

  resized() {
    this.#redraw();
  }
}

class Stage {
  lanes = [];
  confluence = new Confluence();

  constructor(before) {
    this.before = before;
    this.element = element("div", { className: "stage" });
  }

  add(lane) {
    this.lanes.push(lane);
    this.element.append(lane.element);
    this.element.style.setProperty("--lanes", this.lanes.length);
  }

  draw() {
    this.confluence.draw(this.before?.lanes ?? [], this.lanes);
  }
}

class Lane {
  #calls = new Map(); // predictor -> its calls, to number them
  #tools = new Map();

  constructor(lane, title) {
    this.lane = lane;
    this.name = lane.name;
    this.clock = element("span", { className: "clock" });
    this.mark = element("span", { className: "mark" });
    this.rows = element("div", { className: "rows" });
    const heading = element("h3", { textContent: title });
    this.element = element(
      "section",
      { className: "lane", ariaLabel: title },
      element("header", {}, heading, this.mark, this.clock),
      this.rows,
    );
  }

  add(row, predictor, callId) {
    const calls = this.#calls.get(predictor) ?? [];

    if (!calls.includes(callId)) calls.push(callId);

    this.#calls.set(predictor, calls);
    row.number(calls.indexOf(callId) + 1);
    this.rows.append(row.element);
  }

  tool(call) {
    let line = this.#tools.get(call.id);

    if (!line) {
      line = element(
        "p",
        { className: "tool" },
        element("span", { textContent: call.name }),
        element("span", { className: "clock" }),
      );
      this.#tools.set(call.id, line);
      this.rows.append(line);
    }

    line.dataset.outcome = call.isRunning ? "running" : call.outcome;
    line.lastChild.textContent = call.isRunning ? "…" : seconds(call.elapsed ?? 0);
  }

  draw() {
    const { running, outcome, elapsed } = this.lane;
    this.element.dataset.outcome = running ? "running" : outcome;
    this.mark.textContent = running ? "" : (MARKS[outcome] ?? "");
    this.clock.textContent = elapsed ? seconds(elapsed) : "";
  }

  end() {
    if (this.lane.running) {
      this.lane.running = 0;
      this.lane.outcome = "cancelled";
    }

    this.draw();
  }
}

const MARKS = { error: "failed", cancelled: "stopped", abandoned: "lost" };

class Row {
  text = null;
  #shown = new Text();

  constructor(label, isProduct) {
    this.label = element("h4", { textContent: label });
    this.body = element("div", { className: "text", role: "group", ariaLabel: label }, this.#shown);
    this.element = element("div", { className: isProduct ? "row product" : "row" }, this.label, this.body);
    this.body.addEventListener("scroll", () =>
      this.body.classList.toggle("scrolled", this.body.scrollTop > 2),
    );
  }

  /** Tells the calls of one predictor apart, from the second on. */
  number(turn) {
    if (turn > 1) this.label.append(element("span", { className: "turn", textContent: ` ${turn}` }));
  }

  draw() {
    const { body } = this;
    const follows = body.scrollHeight - body.scrollTop - body.clientHeight < NEAR_THE_END;
    const { text, isComplete } = this.text;

    if (text.startsWith(this.#shown.data)) {
      this.#shown.appendData(text.slice(this.#shown.length));
    } else {
      this.#shown.data = text;
    }

    this.element.classList.toggle("live", !isComplete);
    body.tabIndex = body.scrollHeight > body.clientHeight ? 0 : -1; // to be scrolled by keyboard too

    if (follows) body.scrollTop = body.scrollHeight;
  }

  end() {
    this.element.classList.remove("live");
  }
}
