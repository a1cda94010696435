/** Events, in short. */

import {
  CustomEvent,
  InputRequest,
  InputRequest_Kind,
  InputResolved,
  InputResolved_Outcome,
  Prediction,
  type StreamEvent,
  Token,
} from "../src/gen/headrace/v1/headrace.js";

type Arm = StreamEvent["event"];

export const WHOLE = "Größe → 長さ";

/** A run that says WHOLE in tokens. */
export function composed(): StreamEvent[] {
  return numbered(
    token("answer", "Grö", 0),
    token("answer", "ße ", 3),
    token("answer", "→ ", 6),
    token("answer", "長さ", 8),
    prediction(JSON.stringify({ answer: WHOLE })),
  );
}

/** A run that tells of itself, asks, is answered, and ends. */
export function asking(): StreamEvent[] {
  return numbered(custom("progress", { done: 1 }), question("q1"), resolved("q1", "b"), prediction('{"answer":"b"}'));
}

export function numbered(...arms: Arm[]): StreamEvent[] {
  return arms.map((event, i) => envelope(event, i + 1));
}

export function envelope(event: Arm, sequence: number): StreamEvent {
  return { runId: "", sequence, eventCount: 1, attempt: 1, createTime: undefined, event };
}

/** Several events in one message, which has no position of its own. */
export function batch(...events: StreamEvent[]): StreamEvent {
  return { ...envelope({ $case: "batch", value: { events } }, 0), eventCount: 0 };
}

export function token(field: string, chunk: string, offset: number, callId = 2, predictor = "compose"): Arm {
  return { $case: "token", value: Token.fromPartial({ predictor, field, chunk, offset, callId }) };
}

export function prediction(outputsJson: string): Arm {
  return { $case: "prediction", value: Prediction.fromPartial({ outputsJson }) };
}

export function custom(name: string, data: unknown): Arm {
  return { $case: "custom", value: CustomEvent.fromPartial({ name, callId: 3, dataJson: JSON.stringify(data) }) };
}

export function question(inputId: string): Arm {
  const value = InputRequest.fromPartial({
    inputId,
    callId: 3,
    kind: InputRequest_Kind.KIND_QUESTION,
    message: "Which of these?",
    answerSchemaJson: '{"enum": ["a", "b"]}',
  });

  return { $case: "inputRequest", value };
}

export function resolved(inputId: string, answer: unknown): Arm {
  const value = InputResolved.fromPartial({
    inputId,
    callId: 3,
    outcome: InputResolved_Outcome.OUTCOME_ANSWERED,
    answerJson: JSON.stringify(answer),
  });

  return { $case: "inputResolved", value };
}

export const heartbeat: Arm = { $case: "heartbeat", value: {} };
