import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import dev.headrace.client.HeadraceException;
import dev.headrace.client.Outputs;
import dev.headrace.client.RunStream;
import dev.headrace.client.RunSuspendedException;
import dev.headrace.v1.InputResolved;
import dev.headrace.v1.Prediction;
import dev.headrace.v1.Program;
import dev.headrace.v1.Run;
import dev.headrace.v1.StreamEvent;
import dev.headrace.v1.Usage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/** What readers of a run were given, as JSON. */
final class Readings {
  private static final Gson GSON = new GsonBuilder().serializeNulls().disableHtmlEscaping().create();

  private Readings() {}

  /** Reads a run to its end; shows each of its questions, by its id. */
  static JsonObject read(RunStream run, Consumer<String> asks) {
    Iterator<StreamEvent> events = run.iterator();
    Iterator<StreamEvent> shown =
        new Iterator<>() {
          @Override
          public boolean hasNext() {
            return events.hasNext();
          }

          @Override
          public StreamEvent next() {
            StreamEvent event = events.next();

            if (event.hasInputRequest()) {
              asks.accept(event.getInputRequest().getInputId());
            }

            return event;
          }
        };

    return read(run, shown, new ArrayList<>());
  }

  /** Reads a run to its end, behind the events that were read before. */
  static JsonObject read(RunStream run, Iterator<StreamEvent> left, List<StreamEvent> events) {
    JsonObject reading = empty(run.id());

    try {
      left.forEachRemaining(events::add);
      reading.addProperty("outputs", text(run.prediction()));
    } catch (HeadraceException error) {
      reading.add("error", told(error));
    }

    JsonArray messages = new JsonArray();
    Set<List<String>> names = new LinkedHashSet<>();

    for (StreamEvent event : events) {
      messages.add(Messages.of(event));

      if (event.hasToken()) {
        names.add(List.of(event.getToken().getPredictor(), event.getToken().getField()));
      }
    }

    List<List<String>> texts =
        names.stream()
            .map(name -> List.of(name.get(0), name.get(1), run.text(String.join(".", name))))
            .toList();
    reading.add("messages", messages);
    reading.add("texts", GSON.toJsonTree(texts));
    reading.addProperty("cursor", run.cursor());

    return reading;
  }

  /** Of a run that did not begin. */
  static JsonObject refused(HeadraceException error) {
    JsonObject reading = empty("");
    reading.add("error", told(error));

    return reading;
  }

  /** Of runs that were chosen. */
  static JsonObject listed(List<String> names) {
    JsonObject reading = empty("");
    reading.add("listed", GSON.toJsonTree(names));

    return reading;
  }

  /** Of a record in full. */
  static JsonObject recorded(Run run) {
    JsonObject reading = empty(run.getRunId());
    reading.addProperty("outputs", text(run.getPrediction()));
    reading.addProperty("inputs", run.getInputsJson());
    reading.addProperty("state", run.getState().name());

    return reading;
  }

  /** Of a question that is over. */
  static JsonObject resolved(InputResolved resolved) {
    JsonObject reading = empty("");
    reading.add("resolved", Messages.resolved(resolved));

    return reading;
  }

  /** Of a run that was asked to stop. */
  static JsonObject stopped(Run run) {
    JsonObject reading = empty(run.getRunId());
    reading.addProperty("state", run.getState().name());

    return reading;
  }

  /** Of a record: how the run stands, and what it asks. */
  static JsonObject record(Run run) {
    JsonArray questions = new JsonArray();
    run.getInputRequestsList().forEach(one -> questions.add(Messages.asked(one)));
    JsonObject record = new JsonObject();
    record.addProperty("reason", run.getFailure().getReason());
    record.add("metadata", GSON.toJsonTree(run.getFailure().getMetadataMap()));
    record.add("questions", questions);
    JsonObject reading = run.hasPrediction() ? predicted(run.getPrediction()) : empty("");
    reading.addProperty("state", run.getState().name());
    reading.add("record", record);

    return reading;
  }

  static JsonObject predicted(Prediction prediction) {
    JsonObject reading = empty("");
    reading.addProperty("outputs", text(prediction));

    return reading;
  }

  static JsonObject described(Program program) {
    JsonObject tools = new JsonObject();
    program
        .getToolsList()
        .forEach(tool -> tools.add(tool.getName(), Messages.value(tool.getParametersSchemaJson())));
    JsonObject described = new JsonObject();
    described.add("inputs", Messages.value(program.getInputSchemaJson()));
    described.add("outputs", Messages.value(program.getOutputSchemaJson()));
    described.add("tools", tools);
    JsonObject reading = empty("");
    reading.add("described", described);

    return reading;
  }

  private static JsonObject empty(String runId) {
    JsonObject reading = new JsonObject();
    reading.addProperty("run_id", runId);
    reading.add("outputs", JsonNull.INSTANCE);
    reading.add("error", JsonNull.INSTANCE);
    reading.add("messages", new JsonArray());
    reading.add("texts", new JsonArray());
    reading.addProperty("cursor", 0);

    return reading;
  }

  private static String text(Prediction prediction) {
    String exact = prediction.getOutputsJson();

    return exact.isEmpty() ? GSON.toJson(Outputs.of(prediction)) : exact;
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
    told.addProperty("state", error instanceof RunSuspendedException ? error.runState() : "");
    told.addProperty("run_state", error.runState());
    told.addProperty("lm_calls", error.usage().map(Usage::getLmCallCount).orElse(null));
    told.add("metadata", GSON.toJsonTree(error.metadata()));

    return told;
  }
}
