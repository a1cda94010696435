import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import dev.headrace.client.HeadraceClient;
import dev.headrace.client.HeadraceException;
import dev.headrace.client.ReadOptions;
import dev.headrace.client.RunStream;
import dev.headrace.client.StartOptions;
import dev.headrace.v1.Run;
import dev.headrace.v1.StreamEvent;
import io.grpc.ChannelCredentials;
import io.grpc.TlsChannelCredentials;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.Supplier;

/** Plays an interop order with the Java client: reads it from stdin, prints what was read as JSON. */
public final class Driver {
  private record Asked(
      String program, JsonObject inputs, String run_id, String[] fields, double timeout) {}

  private record Tls(String authority, String certificate, String key) {}

  private record Order(String address, String token, Tls tls, String play, List<Asked> runs) {}

  private static final Gson GSON = new GsonBuilder().serializeNulls().disableHtmlEscaping().create();

  private final HeadraceClient client;
  private final Asked first;

  private Driver(HeadraceClient client, Asked first) {
    this.client = client;
    this.first = first;
  }

  public static void main(String[] arguments) throws Exception {
    Order order = GSON.fromJson(new InputStreamReader(System.in, StandardCharsets.UTF_8), Order.class);

    try (HeadraceClient client = client(order)) {
      List<JsonObject> readings = new Driver(client, order.runs.get(0)).play(order);
      PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
      out.print(GSON.toJson(readings));
      out.flush();
    }
  }

  private static HeadraceClient client(Order order) throws IOException {
    if (order.tls == null) {
      return HeadraceClient.connect(order.address);
    }

    ChannelCredentials credentials =
        TlsChannelCredentials.newBuilder()
            .trustManager(new File(order.tls.authority))
            .keyManager(new File(order.tls.certificate), new File(order.tls.key))
            .build();

    return HeadraceClient.to(order.address).credentials(credentials).token(() -> order.token).build();
  }

  private List<JsonObject> play(Order order) throws InterruptedException {
    return switch (order.play) {
      case "read_each" -> order.runs.stream().map(asked -> read(() -> begin(asked))).toList();
      case "cancel_after_begin" -> cancelAfterBegin();
      case "leave_after_first_event" -> leaveAfterFirstEvent();
      case "detach_and_attach_for_a_while" -> detachAndAttachForAWhile();
      case "attach_and_join_again" ->
          List.of(read(() -> begin(first)), read(this::attach), read(() -> begin(first)));
      case "attach_behind_the_end" -> attachBehindTheEnd();
      case "stall_until_over" -> stallUntilOver();
      default -> throw new IllegalArgumentException(order.play);
    };
  }

  private List<JsonObject> cancelAfterBegin() {
    RunStream run = begin(first);
    run.cancel("enough");

    return List.of(read(() -> run));
  }

  private List<JsonObject> leaveAfterFirstEvent() {
    try (RunStream run = begin(first)) {
      run.iterator().next();
    }

    return List.of(read(this::attach));
  }

  private List<JsonObject> detachAndAttachForAWhile() {
    RunStream run = begin(first);
    run.detach();
    run.close();
    ReadOptions briefly = new ReadOptions().deadline(Duration.ofMillis(500));
    JsonObject reading = read(() -> client.attach(run.id(), 0, briefly));
    reading.addProperty("state", client.getRun(run.id()).getState().name());
    client.cancel(run.id(), "");

    return List.of(reading);
  }

  private List<JsonObject> attachBehindTheEnd() {
    JsonObject whole = read(() -> begin(first));
    int cursor = whole.get("cursor").getAsInt();

    return List.of(whole, read(() -> client.attach(first.run_id, cursor, new ReadOptions())));
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

  private RunStream begin(Asked asked) {
    StartOptions start = new StartOptions().runId(asked.run_id);

    if (asked.timeout > 0) {
      start.timeout(Duration.ofMillis((long) (asked.timeout * 1000)));
    }

    return client.run(asked.program, asked.inputs, start, new ReadOptions().fields(asked.fields));
  }

  private RunStream attach() {
    return client.attach(first.run_id, 0, new ReadOptions().fields(first.fields));
  }

  private static JsonObject read(Supplier<RunStream> open) {
    try (RunStream run = open.get()) {
      return Readings.read(run, run.iterator(), new ArrayList<>());
    } catch (HeadraceException refused) {
      return Readings.refused(refused);
    }
  }
}
