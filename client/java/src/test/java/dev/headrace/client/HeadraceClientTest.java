package dev.headrace.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import dev.headrace.client.HeadraceException.Violation;
import dev.headrace.v1.OutputForm;
import dev.headrace.v1.Program;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.Server;
import io.grpc.ServerCredentials;
import io.grpc.Status.Code;
import io.grpc.TlsChannelCredentials;
import io.grpc.TlsServerCredentials;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;

@Timeout(30)
class HeadraceClientTest {
  private static final Map<String, String> INPUTS = Map.of("question", "why?");

  @Test
  void predictIsMadeAgainWithTheSameRunId() throws IOException {
    try (Scripted service = new Scripted(Ending.cut(Code.UNAVAILABLE, 0), Ending.cut(Code.INTERNAL, 0));
        HeadraceClient client = service.client()) {
      Map<String, Object> outputs = Outputs.of(client.predict("composer", INPUTS));

      assertEquals(Map.of("answer", Events.WHOLE, "count", 9007199254740993L), outputs);
      assertEquals(3, service.predicts.size());
      assertEquals(1, service.predicts.stream().map(request -> request.getRunId()).distinct().count());
      assertEquals(OutputForm.OUTPUT_FORM_JSON, service.predicts.get(0).getOutputForm());
      assertEquals(30, service.predicts.get(0).getLinger().getSeconds());
    }
  }

  @Test
  void leavingAPredictStopsItsRun() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      service.holds = true;
      service.asked = Thread.currentThread()::interrupt;

      assertThrows(CancellationException.class, () -> client.predict("composer", INPUTS));
      assertTrue(Thread.interrupted());
      assertEquals(List.of(service.predicts.get(0).getRunId()), service.cancelled);
    }
  }

  @Test
  void aRefusalNamesTheFields() throws IOException {
    Ending refusal = Ending.because(Code.INVALID_ARGUMENT, "INPUT_INVALID").violating("inputs.qestion");

    try (Scripted service = new Scripted(refusal);
        HeadraceClient client = service.client()) {
      RequestRefusedException error =
          assertThrows(RequestRefusedException.class, () -> client.predict("composer", INPUTS));

      assertEquals("INPUT_INVALID", error.reason());
      assertEquals(List.of(new Violation("inputs.qestion", "unknown")), error.violations());
      assertEquals(Map.of("model", "m"), error.metadata());
    }
  }

  @Test
  void theDelayThatAProviderAsksForIsKept() throws IOException {
    Ending limited = Ending.because(Code.RESOURCE_EXHAUSTED, "LM_RATE_LIMITED").over("FAILED", 0);

    try (Scripted service = new Scripted(limited.retryIn(Duration.ofSeconds(7)), limited);
        HeadraceClient client = service.client()) {
      HeadraceException rich =
          assertThrows(RunFailedException.class, () -> client.predict("composer", INPUTS));
      assertEquals(Optional.of(Duration.ofSeconds(7)), rich.retryDelay());

      HeadraceException plain =
          assertThrows(RunFailedException.class, () -> client.predict("composer", INPUTS));
      assertEquals("LM_RATE_LIMITED", plain.reason());
      assertEquals(Optional.empty(), plain.retryDelay());
    }
  }

  @Test
  void callsWithOneAnswerAreRepeatedByTheChannel() throws IOException {
    Ending cut = Ending.cut(Code.UNAVAILABLE, 0);

    try (Scripted service = new Scripted(cut, cut);
        HeadraceClient client = service.client()) {
      assertEquals("r", client.getRun("r").getRunId());
    }
  }

  @Test
  void allPagesOfProgramsAreRead() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      assertEquals(List.of("composer", "qa"), client.programs().stream().map(Program::getName).toList());
    }
  }

  @Test
  void nobodyListeningIsToldWithinSeconds() {
    try (HeadraceClient client = HeadraceClient.connect("127.0.0.1:1")) {
      HeadraceException error =
          assertThrows(ServerUnreachableException.class, () -> client.predict("composer", INPUTS));
      assertTrue(error.getMessage().startsWith("no server answers at 127.0.0.1:1: "), error.getMessage());
    }
  }

  @Test
  void whoAnswersInsteadIsSaidWithWhatToDo() throws IOException {
    Path certificates = Path.of("../../tests/client/certificates"); // of the repository
    ServerCredentials tls =
        TlsServerCredentials.create(
            certificates.resolve("server.pem").toFile(), certificates.resolve("server.key").toFile());
    Server encrypted = Grpc.newServerBuilderForPort(0, tls).build().start();
    HttpServer web = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    web.start();

    try (Scripted plain = new Scripted()) {
      assertTold("TLS_WANTED", "TLS is spoken there, not plain text", encrypted.getPort(), null);
      assertTold(
          "TLS_UNWANTED",
          "plain text is spoken there, not TLS",
          plain.port(),
          TlsChannelCredentials.create());
      assertTold("NOT_GRPC", "HTTP/1 is spoken there, not gRPC", web.getAddress().getPort(), null);
    } finally {
      encrypted.shutdownNow();
      web.stop(0);
    }
  }

  private static void assertTold(String reason, String words, int port, ChannelCredentials credentials) {
    String address = "127.0.0.1:" + port;

    try (HeadraceClient client = HeadraceClient.to(address).credentials(credentials).build()) {
      List<Executable> ways =
          List.of(
              () -> client.predict("composer", INPUTS),
              () -> client.run("composer", INPUTS),
              () -> client.programs());

      for (Executable way : ways) {
        HeadraceException error = assertThrows(ServerUnreachableException.class, way);

        assertEquals(reason, error.reason());
        assertTrue(error.getMessage().startsWith("no server answers at " + address + ": " + words));
      }
    }
  }

  @Test
  void aTokenDoesNotCrossTheNetworkInClearText() {
    ClientBuilder far = HeadraceClient.to("example.org:443").token(() -> "secret");
    assertThrows(IllegalStateException.class, far::build);
    far.credentials(TlsChannelCredentials.create()).build().close();

    for (String near : List.of("localhost:1", "127.0.0.1:1", "[::1]:1", "unix:/tmp/s", "dns:///localhost:1")) {
      assertTrue(Channels.isLoopback(near), near);
    }

    for (String other : List.of("example.org:443", "10.0.0.1:1", "127.example.org:1")) {
      assertTrue(!Channels.isLoopback(other), other);
    }
  }

  @Test
  void delaysDoubleUpToTheLongestAndThenTheyEnd() {
    Backoff backoff = new Backoff(8, Backoff.Delays.USUAL);
    backoff.answered();

    for (int most : List.of(100, 200, 400, 800, 1600, 3200, 5000, 5000)) {
      long delay = backoff.nextDelay(null).orElseThrow().toMillis();
      assertTrue(most / 2 <= delay && delay <= most, delay + " of " + most);
    }

    assertEquals(Optional.empty(), backoff.nextDelay(null));
  }
}
