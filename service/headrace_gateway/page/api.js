// The gateway's calls. Addresses are relative, so that the page works under any prefix.

const TOKEN = "headrace-token";
const MERGE_SECONDS = 0.04; // a frame or two: no eye sees more

/** What the gateway refused: its `reason`, `message` and `violations`. */
export class Refused extends Error {
  constructor(status, body) {
    super(body.message ?? `the gateway answered ${status}`);
    this.status = status;
    this.reason = body.reason ?? "";
    this.violations = body.violations ?? [];
  }

  /** Whether the same request may do better soon. */
  get isTemporary() {
    return this.status >= 502;
  }
}

/** An error in words for people. */
export function wordsFor(error) {
  return error instanceof TypeError ? "The gateway cannot be reached." : error.message;
}

export async function programs() {
  return (await answer("v1/programs")).programs;
}

/** Finds out whether this server shows the content of calls to whoever looks on, and asks for it then. */
export async function askForContent() {
  const { features } = await answer("v1/server");

  options.include_data = features.includes("include-data");

  return options.include_data;
}

export function cancel(runId) {
  return answer(`v1/runs/${encodeURIComponent(runId)}/cancel`, post({ reason: "stopped on the page" }));
}

/** Answers a question of a run, or declines to. */
export function answerQuestion(runId, inputId, reply) {
  return answer(
    `v1/runs/${encodeURIComponent(runId)}/inputs/${encodeURIComponent(inputId)}`,
    post(reply),
  );
}

/** Starts a run, or joins it where it exists: asking twice does no more than asking once. */
export function stream(program, inputs, runId, signal) {
  const asked = query({ ...options, run_id: runId });

  return ask(`v1/programs/${encodeURIComponent(program)}/stream?${asked}`, {
    ...post(inputs),
    signal,
  });
}

/** The events of a run after the last one seen; 204 when there are no more. */
export function events(runId, lastEventId, signal) {
  const headers = lastEventId ? { "last-event-id": lastEventId } : {};

  return ask(`v1/runs/${encodeURIComponent(runId)}/events?${query(options)}`, { headers, signal });
}

export function setToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

const options = {
  accept: "custom,input",
  status_detail: "all",
  merge_interval: MERGE_SECONDS,
  include_data: false,
};

function query(asked) {
  return new URLSearchParams(asked).toString();
}

function post(body) {
  return { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

async function answer(path, request) {
  return (await ask(path, request)).json();
}

async function ask(path, request = {}) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = { ...request.headers, ...(token ? { authorization: `Bearer ${token}` } : {}) };
  const response = await fetch(path, { ...request, headers, cache: "no-store" });

  if (!response.ok) {
    throw new Refused(response.status, await response.json().catch(() => ({})));
  }

  return response;
}
