// The course of a run, as its calls tell it: stages follow each other, lanes run side by side in one.
//
// A lane is a call that the program's root makes. It joins the stage that is under way if another lane
// of it still runs, or if its own lane is there already (an agent that goes round); else a stage begins.
// Tools of an agent belong to the lane that called last. Everything deeper belongs to its lane.

const RUN = 1; // the call of the run itself

export class Course {
  stages = [];
  #calls = new Map();
  #last = null;

  /** Takes a status in and gives its call, with the lane it belongs to; null for the run itself. */
  apply(status) {
    return status.phase === "start" ? this.#begin(status) : this.#end(status);
  }

  /** The lane of a predictor's call. A program that is one predictor is a lane itself. */
  laneOf(callId) {
    const call = this.#calls.get(callId) ?? { id: callId, name: "self", kind: "module", isRunning: true };
    this.#calls.set(callId, call);

    if (!call.lane) {
      call.isLane = true;
      this.#enter(call);
    }

    return call.lane;
  }

  #begin(status) {
    const known = this.#calls.get(status.call_id);

    if (known) return known; // told twice, around a reconnect

    const parent = this.#calls.get(status.parent_call_id);
    const call = { id: status.call_id, name: status.name, kind: status.kind, isRunning: true, parent };
    this.#calls.set(call.id, call);
    call.isLane = this.#isRoot(parent) && call.kind !== "lm";
    call.lane = parent?.lane ?? null;

    if (call.isLane) this.#enter(call);

    return call.kind === "run" ? null : call;
  }

  #end(status) {
    const call = this.#calls.get(status.call_id);

    if (!call || status.phase !== "end") return call ?? null;

    if (call.isLane && call.isRunning) {
      call.lane.running -= 1;
      call.lane.outcome = status.outcome;
      call.lane.elapsed += status.elapsed ?? 0;
    }

    call.isRunning = false;
    call.outcome = status.outcome;
    call.elapsed = status.elapsed;

    return call.kind === "run" ? null : call;
  }

  #isRoot(call) {
    return call?.kind === "module" && call.parent?.id === RUN;
  }

  #enter(call) {
    call.lane = this.#laneFor(call);
    call.lane.running += call.isRunning ? 1 : 0;
    call.lane.outcome = "";
    this.#last = call.lane;
  }

  #laneFor(call) {
    const lanes = this.stages.at(-1)?.lanes ?? [];
    const isOfLast = call.kind === "tool" && lanes.includes(this.#last);

    return isOfLast
      ? this.#last
      : (lanes.find((lane) => lane.name === call.name && !lane.running) ?? this.#open(call));
  }

  #open(call) {
    const lane = { name: call.name, running: 0, outcome: "", elapsed: 0 };
    const stage = this.stages.at(-1);

    if (stage?.lanes.some((other) => other.running)) {
      stage.lanes.push(lane);
    } else {
      this.stages.push({ lanes: [lane] });
    }

    return lane;
  }
}
