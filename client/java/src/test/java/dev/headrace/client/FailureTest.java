package dev.headrace.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.headrace.v1.Usage;
import io.grpc.Status.Code;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What trailers say about a run: that it is over, what it used, or that it is suspended. */
@Timeout(30)
class FailureTest {
  private static final Map<String, String> INPUTS = Map.of("question", "why?");

  @ParameterizedTest
  @ValueSource(strings = {"WAITING", "PARKED"})
  void aSuspendedRunEndsTheReadingAndIsNeitherAskedForAgainNorStopped(String state) throws IOException {
    Ending suspended = Ending.cut(Code.UNAVAILABLE, 2).over(state, 2);

    try (Scripted service = new Scripted(suspended, suspended);
        HeadraceClient client = service.client()) {
      RunStream run = client.run("composer", INPUTS);
      RunSuspendedException read = assertThrows(RunSuspendedException.class, run::prediction);
      run.close();
      RunSuspendedException predicted =
          assertThrows(RunSuspendedException.class, () -> client.predict("composer", INPUTS));

      assertEquals(List.of(state, state), List.of(read.runState(), predicted.runState()));
      assertEquals(run.id(), read.runId());
      assertEquals(2, run.cursor());
      assertEquals(
          "run " + run.id() + " is " + state + " and not over; ask getRun, attach later: scripted",
          read.getMessage());
      assertEquals(List.of(0), service.cursors);
      assertEquals(1, service.predicts.size());
      assertEquals(List.of(), service.cancelled);
    }
  }

  @Test
  void aStreamThatEndsWellBeforeItsRunIsSuspendedToo() throws IOException {
    try (Scripted service = new Scripted(Ending.cut(Code.OK, 2).over("WAITING", 2));
        HeadraceClient client = service.client();
        RunStream run = client.run("composer", INPUTS)) {
      HeadraceException error = assertThrows(RunSuspendedException.class, run::prediction);

      assertEquals("WAITING", error.runState());
      assertEquals(List.of(0), service.cursors);
      assertEquals(List.of(), service.requests, "nor is its record asked for");
    }
  }

  @Test
  void aRunThatSucceededOrWasCancelledIsOverToo() throws IOException {
    for (String state : List.of("SUCCEEDED", "FAILED", "CANCELLED")) {
      try (Scripted service = new Scripted(Ending.cut(Code.UNAVAILABLE, 0).over(state, 1));
          HeadraceClient client = service.client();
          RunStream run = client.run("composer", INPUTS)) {
        HeadraceException error = assertThrows(RunFailedException.class, run::prediction);

        assertEquals(state, error.runState());
        assertEquals(List.of(0), service.cursors);
      }
    }
  }

  @Test
  void theErrorOfAFailedRunHasWhatItUsedWithoutAskingAgain() throws IOException {
    Usage usage = Usage.newBuilder().setLmCallCount(3).setCostUsd(0.25).build();
    Ending failed = Ending.because(Code.ABORTED, "LM_UNAVAILABLE").over("FAILED", 1).using(usage);
    Ending bare = Ending.because(Code.ABORTED, "LM_UNAVAILABLE").over("FAILED", 1);
    Ending idle = bare.using(Usage.getDefaultInstance());

    try (Scripted service = new Scripted(failed, failed, bare, idle);
        HeadraceClient client = service.client();
        RunStream run = client.run("composer", INPUTS)) {
      HeadraceException read = assertThrows(RunFailedException.class, run::prediction);
      HeadraceException predicted =
          assertThrows(RunFailedException.class, () -> client.predict("composer", INPUTS));
      HeadraceException silent =
          assertThrows(RunFailedException.class, () -> client.predict("composer", INPUTS));
      HeadraceException unused =
          assertThrows(RunFailedException.class, () -> client.predict("composer", INPUTS));

      assertEquals(
          List.of(
              Optional.of(usage),
              Optional.of(usage),
              Optional.empty(),
              Optional.of(Usage.getDefaultInstance())),
          List.of(read.usage(), predicted.usage(), silent.usage(), unused.usage()));
      assertEquals(List.of(), service.requests);
    }
  }

  @Test
  void everyReasonHasTheExceptionOfItsPhase() {
    assertEquals(RequestRefusedException.class, exception("INPUT_RESOLVED").getClass());
    assertEquals(RequestRefusedException.class, exception("INPUT_NOT_FOUND").getClass());
    assertEquals(RunFailedException.class, exception("INPUT_EXPIRED").getClass());
    assertEquals(RunFailedException.class, exception("INPUT_DECLINED").getClass());
    assertEquals(RunFailedException.class, exception("PREDICTION_TOO_LARGE").getClass());
    assertEquals(ServerUnreachableException.class, exception("STREAM_AGED").getClass());
    assertEquals(ServerFaultException.class, exception("SERVER_FAULT").getClass());
  }

  private static HeadraceException exception(String reason) {
    return CallStatus.of(Ending.because(Code.INTERNAL, reason).error(), "a:1", "r").exception();
  }
}
