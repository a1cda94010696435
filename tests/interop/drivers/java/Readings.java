import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.headrace.client.HeadraceException;
import dev.headrace.client.RunStream;
import dev.headrace.v1.StatusUpdate;
import dev.headrace.v1.StreamEvent;
import dev.headrace.v1.Token;
import java.time.Duration;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** What readers of a run were given, as JSON. */
final class Readings {
  private static final Gson GSON = new Gson();

  private Readings() {}

  /** Reads a run to its end, behind the events that were read before. */
  static JsonObject read(RunStream run, Iterator<StreamEvent> left, List<StreamEvent> events) {
    JsonObject reading = new JsonObject();
    reading.addProperty("run_id", run.id());
    reading.add("outputs", JsonNull.INSTANCE);
    reading.add("error", JsonNull.INSTANCE);

    try {
      left.forEachRemaining(events::add);
      String exact = run.prediction().getOutputsJson();
      reading.addProperty("outputs", exact.isEmpty() ? GSON.toJson(run.outputs()) : exact);
    } catch (HeadraceException error) {
      reading.add("error", told(error));
    }

    JsonArray messages = new JsonArray();
    Set<List<String>> names = new LinkedHashSet<>();

    for (StreamEvent event : events) {
      messages.add(message(event));

      if (event.hasToken()) {
        names.add(List.of(event.getToken().getPredictor(), event.getToken().getField()));
      }
    }

    List<List<String>> texts =
        names.stream().map(name -> List.of(name.get(0), name.get(1), run.text(name.get(0), name.get(1)))).toList();
    reading.add("messages", messages);
    reading.add("texts", GSON.toJsonTree(texts));
    reading.addProperty("cursor", run.cursor());

    return reading;
  }

  /** Of a run that did not begin. */
  static JsonObject refused(HeadraceException error) {
    JsonObject reading = new JsonObject();
    reading.addProperty("run_id", "");
    reading.add("outputs", JsonNull.INSTANCE);
    reading.add("error", told(error));
    reading.add("messages", new JsonArray());
    reading.add("texts", new JsonArray());
    reading.addProperty("cursor", 0);

    return reading;
  }

  private static JsonObject message(StreamEvent event) {
    JsonObject message = new JsonObject();
    message.addProperty("sequence", event.getSequence());
    message.addProperty("count", event.getEventCount());

    switch (event.getEventCase()) {
      case TOKEN -> {
        message.addProperty("kind", "token");
        message.add("body", token(event.getToken()));
      }
      case STATUS -> {
        message.addProperty("kind", "status");
        message.add("body", status(event.getStatus()));
      }
      case PREDICTION -> {
        JsonObject body = new JsonObject();
        body.add("outputs", JsonParser.parseString(event.getPrediction().getOutputsJson()));
        message.addProperty("kind", "prediction");
        message.add("body", body);
      }
      default -> {
        message.addProperty("kind", "None");
        message.add("body", new JsonObject());
      }
    }

    return message;
  }

  private static JsonObject token(Token token) {
    JsonObject body = new JsonObject();
    body.addProperty("call", token.getCallId());
    body.addProperty("predictor", token.getPredictor());
    body.addProperty("field", token.getField());
    body.addProperty("chunk", token.getChunk());
    body.addProperty("offset", token.getOffset());
    body.addProperty("is_last", token.getIsLast());

    return body;
  }

  private static JsonObject status(StatusUpdate status) {
    JsonObject body = new JsonObject();
    body.addProperty("call", status.getCallId());
    body.addProperty("parent", status.getParentCallId());
    body.addProperty("kind", status.getKind().name().replace("KIND_", ""));
    body.addProperty("phase", status.getPhase().name().replace("PHASE_", ""));
    body.addProperty("outcome", status.getOutcome().name().replace("OUTCOME_", ""));
    body.addProperty("name", status.getName());
    body.addProperty("message", status.getMessage());
    body.addProperty("attempt", status.getLm().getAttempt());
    body.addProperty("cached", status.getLm().getCached());

    return body;
  }

  private static JsonObject told(HeadraceException error) {
    JsonObject told = new JsonObject();
    told.addProperty("kind", error.getClass().getSimpleName().replace("Exception", ""));
    told.addProperty("code", error.code().name());
    told.addProperty("reason", error.reason());
    told.addProperty("message", error.getMessage());
    told.addProperty("run_id", error.runId());
    told.addProperty("retry_delay", error.retryDelay().map(Duration::toMillis).orElse(0L) / 1000.0);
    told.add(
        "violations",
        GSON.toJsonTree(error.violations().stream().map(HeadraceException.Violation::field).toList()));
    told.add("metadata", GSON.toJsonTree(error.metadata()));

    return told;
  }
}
