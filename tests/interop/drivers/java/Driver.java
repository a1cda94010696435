import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import dev.headrace.client.HeadraceClient;
import dev.headrace.client.HeadraceException;
import dev.headrace.client.ReadOptions;
import dev.headrace.client.RunStream;
import dev.headrace.v1.CancelRunResponse;
import dev.headrace.v1.InputResolved.Outcome;
import dev.headrace.v1.OutputForm;
import dev.headrace.v1.Run;
import dev.headrace.v1.RunView;
import dev.headrace.v1.StreamEvent;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.Supplier;

/** Plays an interop order with the Java client: reads it from stdin, prints what was read as JSON. */
public final class Driver {
  private static final Gson GSON = new GsonBuilder().serializeNulls().disableHtmlEscaping().create();

  private final HeadraceClient client;
  private final Order order;
  private final Order.Asked first;

  private Driver(HeadraceClient client, Order order) {
    this.client = client;
    this.order = order;
    this.first = order.runs().isEmpty() ? null : order.runs().get(0);
  }

  public static void main(String[] arguments) throws Exception {
    Order order = GSON.fromJson(new InputStreamReader(System.in, StandardCharsets.UTF_8), Order.class);

    try (HeadraceClient client = order.client()) {
      List<JsonObject> readings = new Driver(client, order).play();
      PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
      out.print(GSON.toJson(readings));
      out.flush();
    }
  }

  private List<JsonObject> play() throws InterruptedException {
    return switch (order.play()) {
      case "read_each" -> order.runs().stream().map(asked -> read(() -> begin(asked))).toList();
      case "cancel_after_begin" -> cancelAfterBegin();
      case "cancel_before_begin" -> cancelBeforeBegin();
      case "leave_after_first_event" -> leaveAfterFirstEvent();
      case "detach_and_attach_for_a_while" -> detachAndAttachForAWhile();
      case "attach_each" -> order.runs().stream().map(asked -> read(() -> attach(asked))).toList();
      case "attach_and_join_again" ->
          List.of(read(() -> begin(first)), read(() -> attach(first)), read(() -> begin(first)));
      case "attach_behind_the_end" -> attachBehindTheEnd();
      case "stall_until_over" -> stallUntilOver();
      case "answer_each" -> answered(Driver::answerByRun);
      case "answer_by_client" -> answered(this::answerByClient);
      case "answer_again" -> answerAgain();
      case "list_runs" -> listRuns();
      case "delete_after_end" -> deleteAfterEnd();
      case "get_full" -> getFull();
      case "send_inputs" -> Calls.sendInputs(client, order);
      case "cancel_each" -> Calls.cancelEach(client, order);
      case "get_each" -> Calls.getEach(client, order);
      case "predict_each" -> Calls.predictEach(client, order);
      case "describe_each" -> Calls.describeEach(client, order);
      default -> throw new IllegalArgumentException(order.play());
    };
  }

  private List<JsonObject> cancelAfterBegin() {
    RunStream run = begin(first);
    run.cancel("enough");

    return List.of(read(() -> run));
  }

  private List<JsonObject> cancelBeforeBegin() {
    CancelRunResponse answer = client.cancel(first.run_id());
    JsonObject reading = read(() -> begin(first));
    reading.addProperty("state", answer.hasRefusedUntil() && !answer.hasRun() ? "REFUSED" : "");

    return List.of(reading);
  }

  private List<JsonObject> leaveAfterFirstEvent() {
    try (RunStream run = begin(first)) {
      run.iterator().next();
    }

    return List.of(read(() -> attach(first)));
  }

  private List<JsonObject> detachAndAttachForAWhile() {
    RunStream run = begin(first);
    run.detach();
    run.close();
    ReadOptions briefly = new ReadOptions().deadline(Duration.ofMillis(500));
    JsonObject reading = read(() -> client.attach(run.id(), 0, briefly));
    reading.addProperty("state", client.getRun(run.id()).getState().name());
    client.cancel(run.id());

    return List.of(reading);
  }

  private List<JsonObject> attachBehindTheEnd() {
    JsonObject whole = read(() -> begin(first));
    int cursor = whole.get("cursor").getAsInt();

    return List.of(whole, read(() -> client.attach(first.run_id(), cursor, new ReadOptions())));
  }

  private List<JsonObject> stallUntilOver() throws InterruptedException {
    RunStream run = begin(first);
    Iterator<StreamEvent> events = run.iterator();
    StreamEvent begun = events.next();

    while (client.getRun(run.id()).getState() == Run.State.STATE_RUNNING) {
      Thread.sleep(50);
    }

    return List.of(Readings.read(run, events, new ArrayList<>(List.of(begun))));
  }

  // Runs that ask

  /** Reads a run whose questions are answered one after another. */
  private List<JsonObject> answered(BiConsumer<RunStream, Question> answering) {
    Iterator<Order.Answer> answers = first.answers().iterator();

    try (RunStream run = begin(first)) {
      return List.of(
          Readings.read(run, id -> answering.accept(run, new Question(id, answers.next()))));
    }
  }

  private record Question(String id, Order.Answer answer) {}

  private static void answerByRun(RunStream run, Question question) {
    Order.Answer answer = question.answer;

    if (answer.decline()) {
      run.decline(question.id, answer.why());
    } else {
      run.answer(question.id, answer.value(), answer.why());
    }
  }

  private void answerByClient(RunStream run, Question question) {
    question.answer.send(client, run.id(), question.id);
  }

  private List<JsonObject> answerAgain() {
    List<JsonObject> refused = new ArrayList<>();

    try (RunStream run = begin(first)) {
      JsonObject reading =
          Readings.read(
              run,
              id -> {
                taken(id);
                taken(id);
                refused.add(refusal(id));
              });

      return List.of(reading, refused.get(0));
    }
  }

  private void taken(String id) {
    Order.Answer answer = first.answers().get(0);
    Outcome outcome = client.answer(first.run_id(), id, answer.value(), answer.why()).getOutcome();

    if (outcome != Outcome.OUTCOME_ANSWERED) {
      throw new IllegalStateException(outcome.name());
    }
  }

  private JsonObject refusal(String id) {
    try {
      client.answer(first.run_id(), id, first.answers().get(1).value());
      throw new IllegalStateException("another answer was taken");
    } catch (HeadraceException refused) {
      return Readings.refused(refused);
    }
  }

  // Records

  private List<JsonObject> listRuns() {
    order.runs().forEach(asked -> read(() -> begin(asked)));

    return order.filters().stream()
        .map(one -> client.runs(one.filter()).stream().map(Run::getRunId).toList())
        .map(Readings::listed)
        .toList();
  }

  private List<JsonObject> deleteAfterEnd() {
    JsonObject whole = read(() -> begin(first));
    client.delete(first.run_id());

    return List.of(whole, read(() -> attach(first)));
  }

  private List<JsonObject> getFull() {
    JsonObject whole = read(() -> begin(first));
    Run run = client.getRun(first.run_id(), RunView.RUN_VIEW_FULL, OutputForm.OUTPUT_FORM_JSON);

    return List.of(whole, Readings.recorded(run));
  }

  private RunStream begin(Order.Asked asked) {
    return client.run(asked.program(), asked.inputs(), asked.start(), asked.read());
  }

  private RunStream attach(Order.Asked asked) {
    return client.attach(asked.run_id(), 0, asked.read());
  }

  private static JsonObject read(Supplier<RunStream> open) {
    try (RunStream run = open.get()) {
      return Readings.read(run, run.iterator(), new ArrayList<>());
    } catch (HeadraceException refused) {
      return Readings.refused(refused);
    }
  }
}
