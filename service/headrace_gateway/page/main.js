// The page: which program, its form, one run at a time. The address names both, so that a reload, or a
// friend with the link, goes on with the same run.

import * as api from "./api.js";
import { Board } from "./board.js";
import { element, seconds } from "./dom.js";
import { follow } from "./follow.js";
import { InputForm } from "./form.js";
import { Questions } from "./questions.js";
import { resultOf, usageLine } from "./result.js";
import { Timeline } from "./timeline.js";

const at = (id) => document.getElementById(id);
let programs = [];
let form = null;
let run = null;

class Run {
  #controller = new AbortController();
  #began = performance.now();
  #isLost = false;

  constructor(runId, program) {
    this.runId = runId;
    this.program = program;
    this.board = new Board(at("board"), program);
    this.timeline = new Timeline(at("timeline"));
    this.questions = new Questions(at("questions"), runId);
    at("answer").hidden = true;
    at("cause").hidden = true;
    at("run").hidden = false;
    at("run").dataset.link = "open";
    at("run-id").textContent = runId;
  }

  /** Reads the run to its end. */
  async read(order) {
    this.#show("running", order ? "Starting" : "Catching up");
    this.board.begin();
    const ticking = setInterval(() => this.#tick(), 100);

    try {
      for await (const payload of follow(this.runId, order, this.#controller.signal)) this.#take(payload);
    } catch (error) {
      this.#fail(error);
    } finally {
      clearInterval(ticking);
      this.board.end();
      this.questions.end();
    }
  }

  /** Stops reading; the run itself goes on for its linger. */
  leave() {
    this.#controller.abort();
  }

  async stop() {
    this.#show("running", "Stopping");

    try {
      await api.cancel(this.runId);
    } catch (error) {
      say(api.wordsFor(error));
    }
  }

  #take(payload) {
    switch (payload.type) {
      case "run":
        return this.#show("running", this.#words());
      case "status":
        return this.#status(payload);
      case "token":
        return this.board.token(payload);
      case "custom":
        return this.timeline.told(payload);
      case "input_request":
        return this.#asked(payload);
      case "input_resolved":
        return this.#resolved(payload);
      case "prediction":
        return this.#predicted(payload);
      case "error":
        return this.#failed(payload);
      case "link":
        return this.#linked(payload);
    }
  }

  #status(status) {
    if (status.kind === "run" && status.phase === "start") {
      this.#began = performance.now() - Math.max(0, Date.now() - Date.parse(status.create_time));
    }

    this.board.status(status);
    const message = this.timeline.status(status);

    if (message) say(message);
  }

  #asked(request) {
    this.questions.ask(request);
    this.#show("running", this.#words());
    say(`The run asks: ${request.message}`);
  }

  #resolved(resolved) {
    const request = this.questions.resolve(resolved);
    this.#show("running", this.#words());
    this.timeline.resolved(resolved, request);
  }

  /** How a run stands that is read and goes on. */
  #words() {
    return this.questions.open ? "Waiting for an answer" : "Running";
  }

  #predicted(prediction) {
    this.#show("done", "Done");
    at("elapsed").textContent = seconds(prediction.elapsed);
    at("outputs").replaceChildren(...resultOf(prediction, this.program));
    at("usage").textContent = usageLine(prediction.usage, prediction.elapsed);
    at("answer").hidden = false;
    this.board.place.append(this.board.mouth.element);
    this.board.resized();
    say("The answer is there.");
  }

  #failed(error) {
    const isStopped = error.reason === "RUN_CANCELLED";
    this.#show(
      isStopped ? "stopped" : "failed",
      isStopped ? "Stopped" : "Failed",
      isStopped ? "" : error.message,
    );
    at("cause").textContent = error.cause ?? "";
    at("cause").hidden = !error.cause;
    this.timeline.note("failed", isStopped ? "Stopped" : `${error.reason}: ${error.message}`);
    say(isStopped ? "Stopped." : `Failed: ${error.message}`);
  }

  #linked({ is, delay }) {
    if (is === "lost" && !this.#isLost) {
      this.timeline.note("lost", "Connection lost");
      say("Connection lost. Trying again.");
    }

    if (is === "open" && this.#isLost) {
      this.timeline.note("mended", "Connected again, nothing missed");
      say("Connected again.");
    }

    this.#isLost = is === "lost";
    this.#show("running", this.#isLost ? "Reconnecting" : this.#words());
    at("run").dataset.link = is;
    at("state").title = delay ? `next try in ${seconds(delay / 1000)}` : "";
  }

  /** What was refused never ran: what is wrong with an input is said at its field, the rest here. */
  #fail(error) {
    const shown = (error.violations ?? []).filter((one) => form?.complain(one.field, one.description));
    this.#show("failed", "Refused", api.wordsFor(error));
    at("run").hidden = shown.length > 0;
    history.replaceState(null, "", addressOf(this.program.name));
    say(api.wordsFor(error));

    if (error.status === 401) askForToken();
  }

  #show(state, words, complaint = "") {
    at("state").dataset.state = state;
    at("state").textContent = words;
    at("complaint").textContent = complaint;
    const isRunning = state === "running";
    at("stop").hidden = !isRunning;
    document.title = `${isRunning ? "● " : ""}${this.program?.name ?? "run"} · headrace`;
  }

  #tick() {
    at("elapsed").textContent = seconds((performance.now() - this.#began) / 1000);
  }
}

function start(event) {
  event.preventDefault();
  const program = current();
  let inputs;

  try {
    inputs = form.read();
  } catch (error) {
    return say(error.message);
  }

  open(newId(), program, { program: program.name, inputs });
}

/** Shows a run; `order` starts it, without one it is there. */
function open(runId, program, order = null) {
  run?.leave();
  run = new Run(runId, program);
  history.replaceState(null, "", `${addressOf(program.name)}/${runId}`);
  run.read(order);
}

function route() {
  const [name, runId] = location.hash.slice(1).split("/").map(decodeURIComponent);
  const program = programs.find((one) => one.name === name) ?? programs[0];

  if (!program) return;
  if (!form || shownName() !== program.name) show(program);
  if (runId && runId !== run?.runId) open(runId, program);
}

function show(program) {
  run?.leave();
  run = null;
  at("run").hidden = true;
  at("program").textContent = program.name;
  at("description").textContent = program.description;
  at("program").dataset.name = program.name;
  form = new InputForm(at("fields"), program.input_schema, {
    described: program.inputs,
    example: program.example_inputs,
  });
  at("parts").replaceChildren(...partsOf(program));
  document.title = `${program.name} · headrace`;

  for (const link of at("programs").querySelectorAll("a")) {
    const isCurrent = link.dataset.name === program.name;
    link.setAttribute("aria-current", isCurrent ? "page" : "false");
  }
}

function partsOf(program) {
  const predictors = program.predictors.map((one) =>
    part(program.predictors.length > 1 ? one.name : program.name, one.signature),
  );
  const tools = program.tools.map((one) => part(one.name, one.description));

  return [...predictors, ...tools, part("revision", program.revision)].flat();
}

function part(name, text) {
  return [element("dt", { textContent: name }), element("dd", { textContent: text })];
}

async function load() {
  at("trouble").hidden = true;

  try {
    programs = await api.programs();
    at("content-hint").hidden = await api.askForContent();
  } catch (error) {
    at("trouble-words").textContent = api.wordsFor(error);
    at("trouble").hidden = false;

    return error.status === 401 ? askForToken() : undefined;
  }

  at("programs").replaceChildren(...programs.map(programLink));
  at("ask").hidden = !programs.length;
  at("trouble").hidden = programs.length > 0;
  at("trouble-words").textContent = "There are no programs here that you may run.";
  route();
}

function programLink(program) {
  const link = element("a", { href: addressOf(program.name), textContent: program.name });
  link.dataset.name = program.name;

  return element("li", {}, link);
}

function addressOf(name) {
  return `#${encodeURIComponent(name)}`;
}

function askForToken() {
  at("token-dialog").showModal();
}

function current() {
  return programs.find((program) => program.name === shownName());
}

function shownName() {
  return at("program").dataset.name;
}

/** Tells who listens rather than looks. */
function say(text) {
  at("said").textContent = text;
}

/** A run's name; `crypto.randomUUID` exists only where the page came over TLS or from this machine. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));

  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

at("form").addEventListener("submit", start);
at("stop").addEventListener("click", () => run?.stop());
at("again").addEventListener("click", load);
at("token-form").addEventListener("submit", () => {
  api.setToken(at("token").value.trim());
  load();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.defaultPrevented) return;

  const form = event.target.closest("form") ?? at("form");
  form.requestSubmit();
});
addEventListener("hashchange", route);
new ResizeObserver(() => run?.board.resized()).observe(at("board"));
load();
