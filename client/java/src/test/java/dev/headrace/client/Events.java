package dev.headrace.client;

import dev.headrace.v1.CustomEvent;
import dev.headrace.v1.EventBatch;
import dev.headrace.v1.Heartbeat;
import dev.headrace.v1.InputRequest;
import dev.headrace.v1.InputResolved;
import dev.headrace.v1.Prediction;
import dev.headrace.v1.StatusUpdate;
import dev.headrace.v1.StreamEvent;
import dev.headrace.v1.Token;
import dev.headrace.v1.ToolCall;
import java.util.List;

/** Events of a run, in short. */
final class Events {
  static final String WHOLE = "Größe → 長さ";

  private Events() {}

  static StreamEvent token(int sequence, String field, String chunk, int offset) {
    Token token =
        Token.newBuilder()
            .setPredictor("compose")
            .setField(field)
            .setChunk(chunk)
            .setOffset(offset)
            .setCallId(2)
            .build();

    return StreamEvent.newBuilder().setSequence(sequence).setToken(token).build();
  }

  static StreamEvent custom(int sequence, String name, String data) {
    CustomEvent custom = CustomEvent.newBuilder().setName(name).setCallId(2).setDataJson(data).build();

    return StreamEvent.newBuilder().setSequence(sequence).setCustom(custom).build();
  }

  static StreamEvent asked(int sequence, String inputId, String message) {
    InputRequest request =
        InputRequest.newBuilder()
            .setInputId(inputId)
            .setCallId(2)
            .setKind(InputRequest.Kind.KIND_QUESTION)
            .setMessage(message)
            .setAnswerSchemaJson("{\"type\": \"string\"}")
            .build();

    return StreamEvent.newBuilder().setSequence(sequence).setInputRequest(request).build();
  }

  static StreamEvent resolved(int sequence, String inputId, InputResolved.Outcome outcome) {
    InputResolved resolved = InputResolved.newBuilder().setInputId(inputId).setOutcome(outcome).build();

    return StreamEvent.newBuilder().setSequence(sequence).setInputResolved(resolved).build();
  }

  static StreamEvent tool(int sequence, String arguments, String result) {
    StatusUpdate.Builder status =
        StatusUpdate.newBuilder()
            .setKind(StatusUpdate.Kind.KIND_TOOL)
            .setTool(ToolCall.newBuilder().setArgumentsJson(arguments).setResultJson(result));

    return StreamEvent.newBuilder().setSequence(sequence).setStatus(status).build();
  }

  /** Several in one message. */
  static StreamEvent batch(StreamEvent... events) {
    return StreamEvent.newBuilder().setBatch(EventBatch.newBuilder().addAllEvents(List.of(events))).build();
  }

  /** The events of a message. */
  static List<StreamEvent> parts(StreamEvent message) {
    return message.hasBatch() ? message.getBatch().getEventsList() : List.of(message);
  }

  static StreamEvent prediction(int sequence, String outputs) {
    return StreamEvent.newBuilder()
        .setSequence(sequence)
        .setPrediction(Prediction.newBuilder().setOutputsJson(outputs))
        .build();
  }

  static StreamEvent of(int sequence, Prediction prediction) {
    return StreamEvent.newBuilder().setSequence(sequence).setPrediction(prediction).build();
  }

  static StreamEvent heartbeat(int sequence) {
    return StreamEvent.newBuilder()
        .setSequence(sequence)
        .setHeartbeat(Heartbeat.getDefaultInstance())
        .build();
  }

  /** A run that says WHOLE in tokens. */
  static List<StreamEvent> composed() {
    return List.of(
        token(1, "answer", "Grö", 0),
        token(2, "answer", "ße ", 3),
        token(3, "answer", "→ ", 6),
        token(4, "answer", "長さ", 8),
        prediction(5, "{\"answer\": \"" + WHOLE + "\", \"count\": 9007199254740993}"));
  }
}
