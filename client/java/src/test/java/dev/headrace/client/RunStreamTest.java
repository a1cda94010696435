package dev.headrace.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.headrace.v1.OutputForm;
import dev.headrace.v1.RunRequest;
import dev.headrace.v1.StreamEvent;
import io.grpc.Status.Code;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Timeout(30)
class RunStreamTest {
  private static final Map<String, String> INPUTS = Map.of("question", "why?");

  private static List<Integer> sequences(RunStream run) {
    List<Integer> read = new ArrayList<>();

    for (StreamEvent event : run) {
      read.add(event.getSequence());
    }

    return read;
  }

  private static Ending cut(int after) {
    return Ending.cut(Code.UNAVAILABLE, after);
  }

  @Test
  void aRunGivesItsEventsTextAndResult() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client();
        RunStream run = client.run("composer", INPUTS)) {
      assertEquals(List.of(1, 2, 3, 4, 5), sequences(run));
      assertEquals(Events.WHOLE, run.text("compose.answer"));
      assertEquals(5, run.cursor());
      assertEquals(Map.of("answer", Events.WHOLE, "count", 9007199254740993L), run.outputs());
      assertEquals(new Answer(Events.WHOLE), run.outputs(Answer.class));
      run.close();
      assertEquals(List.of(), service.cancelled);
    }
  }

  private record Answer(String answer) {}

  @Test
  void aRunAsksForALingerHeartbeatsAndExactOutputsUnderAFreshName() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      StartOptions timed = new StartOptions().timeout(Duration.ofMillis(1500));
      sequences(client.run("composer", INPUTS, timed, new ReadOptions().fields("compose.answer")));
      StartOptions named = new StartOptions().runId("mine").linger(Duration.ZERO);
      sequences(client.run("composer", INPUTS, named, new ReadOptions()));

      RunRequest first = service.runs.get(0);
      RunRequest second = service.runs.get(1);
      assertEquals(36, first.getRunId().length());
      assertEquals("{\"question\":\"why?\"}", first.getInputsJson());
      assertEquals(30, first.getLinger().getSeconds());
      assertEquals(ReadOptions.message(Duration.ofMillis(1500)), first.getTimeout());
      assertEquals(List.of("compose.answer"), first.getOptions().getFieldsList());
      assertEquals(15, first.getOptions().getHeartbeatInterval().getSeconds());
      assertEquals(OutputForm.OUTPUT_FORM_JSON, first.getOptions().getOutputForm());
      assertEquals("mine", second.getRunId());
      assertTrue(second.hasLinger());
      assertEquals(0, second.getLinger().getSeconds());
    }
  }

  @ParameterizedTest
  @EnumSource(value = Code.class, names = {"UNAVAILABLE", "UNKNOWN", "INTERNAL", "CANCELLED"})
  void whereverAStreamIsCutNothingIsLostNorComesTwice(Code code) throws IOException {
    for (int first = 0; first < 5; first++) {
      for (int second = 0; second < 3; second++) {
        try (Scripted service = new Scripted(Ending.cut(code, first), Ending.cut(code, second));
            HeadraceClient client = service.client();
            RunStream run = client.run("composer", INPUTS)) {
          assertEquals(List.of(1, 2, 3, 4, 5), sequences(run));
          assertEquals(Events.WHOLE, run.text("compose.answer"));
          assertEquals(List.of(0, first), service.cursors.subList(0, 2));
        }
      }
    }
  }

  @Test
  void aCutInsideAMergedGroupLeavesTextsWhole() throws IOException {
    try (Scripted service = new Scripted(cut(3));
        HeadraceClient client = service.client()) {
      service.events =
          List.of(
              Events.token(1, "answer", "one ", 0),
              Events.token(0, "answer", "two ", 4),
              Events.token(0, "other", "uno", 0),
              Events.token(5, "answer", "three", 8),
              Events.prediction(6, "{}"));

      try (RunStream run = client.run("composer", INPUTS)) {
        assertEquals(List.of(1, 0, 0, 0, 0, 5, 6), sequences(run));
        assertEquals(List.of(0, 1), service.cursors);
        assertEquals("one two three", run.text("compose.answer"));
        assertEquals("uno", run.text("compose.other"));
      }
    }
  }

  @Test
  void silenceCountsAsACut() throws IOException {
    try (Scripted service = new Scripted()) {
      service.silence = Duration.ofMillis(200);
      service.holds = true;
      service.events = Events.composed().subList(0, 3);

      try (HeadraceClient client = service.client();
          RunStream run = client.run("composer", INPUTS)) {
        run.iterator().next();
        run.iterator().next();
        run.iterator().next();
        service.holds = false;
        service.events = Events.composed();

        assertEquals(List.of(4, 5), sequences(run));
        assertEquals(List.of(0, 3), service.cursors);
      }
    }
  }

  @Test
  void progressRenewsTheBackoff() throws IOException {
    try (Scripted service = new Scripted(cut(1), cut(1), cut(1), cut(1));
        HeadraceClient client = service.client(1);
        RunStream run = client.run("composer", INPUTS)) {
      assertEquals(List.of(1, 2, 3, 4, 5), sequences(run));
    }
  }

  @Test
  void withoutProgressTheReaderGivesUpAndSaysWhere() throws IOException {
    try (Scripted service = new Scripted(cut(3));
        HeadraceClient client = service.client(5)) {
      service.endings.addAll(Collections.nCopies(9, cut(0)));
      List<StreamEvent> events = new ArrayList<>(Events.composed());
      events.add(2, Events.heartbeat(2)); // alive, but nothing new
      service.events = events;
      RunStream run = client.run("composer", INPUTS);
      ServerUnreachableException error =
          assertThrows(ServerUnreachableException.class, run::prediction);
      run.close();

      assertEquals(run.id(), error.runId());
      assertTrue(error.getMessage().contains("was read up to event 2"), error.getMessage());
      assertEquals(List.of(0, 2, 2, 2, 2, 2), service.cursors);
      assertEquals(List.of(), service.cancelled, "it may be attached to again");
    }
  }

  @Test
  void aServerThatNeverAnsweredIsGivenUpSooner() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      service.endings.addAll(Collections.nCopies(20, cut(0)));
      assertThrows(ServerUnreachableException.class, () -> client.run("composer", INPUTS));
      assertEquals(5, service.cursors.size());
    }
  }

  @Test
  void aBusyServerIsAskedAgainNoSoonerThanItSaid() throws IOException {
    Ending busy = Ending.because(Code.UNAVAILABLE, "SERVER_BUSY").retryIn(Duration.ofMillis(150));
    long before = System.nanoTime();

    try (Scripted service = new Scripted(busy);
        HeadraceClient client = service.client();
        RunStream run = client.run("composer", INPUTS)) {
      run.prediction();
    }

    assertTrue(System.nanoTime() - before >= Duration.ofMillis(150).toNanos());
  }

  @Test
  void aServerThatStaysBusyHasRefused() throws IOException {
    Ending busy = Ending.because(Code.UNAVAILABLE, "SERVER_BUSY").retryIn(Duration.ofMillis(1));

    try (Scripted service = new Scripted(busy, busy, busy);
        HeadraceClient client = service.client(2)) {
      assertThrows(RequestRefusedException.class, () -> client.run("composer", INPUTS));
    }
  }

  @Test
  void aFailedRunIsNotAskedForAgain() throws IOException {
    Ending failed = Ending.because(Code.ABORTED, "LM_UNAVAILABLE").over("FAILED", 2);

    try (Scripted service = new Scripted(failed);
        HeadraceClient client = service.client()) {
      RunStream run = client.run("composer", INPUTS);
      RunFailedException error = assertThrows(RunFailedException.class, run::prediction);

      assertEquals(
          List.of(Code.ABORTED, "LM_UNAVAILABLE", run.id()),
          List.of(error.code(), error.reason(), error.runId()));
      assertEquals(error, assertThrows(RunFailedException.class, () -> run.iterator().hasNext()));
      run.close();
      assertEquals(List.of(0), service.cursors);
      assertEquals(List.of(), service.cancelled);
    }
  }

  @Test
  void aRefusedRunDoesNotBegin() throws IOException {
    try (Scripted service = new Scripted(Ending.because(Code.NOT_FOUND, "PROGRAM_NOT_FOUND"));
        HeadraceClient client = service.client()) {
      assertThrows(RequestRefusedException.class, () -> client.run("compozer", INPUTS));
      assertEquals(List.of(), service.cancelled);
    }
  }

  @Test
  void theCursorIsWhatTheReaderHasRead() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client();
        RunStream run = client.run("composer", INPUTS)) {
      assertEquals(0, run.cursor(), "though the first event came with the acceptance");
      run.iterator().next();
      assertEquals(1, run.cursor());
    }
  }

  @Test
  void aRunThatTheServerForgotHasFailed() throws IOException {
    try (Scripted service = new Scripted(cut(2), Ending.because(Code.NOT_FOUND, "RUN_NOT_FOUND"));
        HeadraceClient client = service.client();
        RunStream run = client.run("composer", INPUTS)) {
      assertThrows(RunFailedException.class, run::prediction);
    }
  }

  @Test
  void leavingARunStopsItDetachingAndAttachingDoNot() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      service.holds = true;
      service.events = Events.composed().subList(0, 3);
      RunStream left = client.run("composer", INPUTS);
      left.iterator().next();
      left.close();
      left.close();

      RunStream detached = client.run("composer", INPUTS);
      detached.detach();
      detached.close();
      client.attach("r").close();

      assertEquals(List.of(left.id()), service.cancelled);
    }
  }

  @Test
  void interruptingTheReaderEndsTheReadingAndTheRun() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      service.holds = true;
      service.events = Events.composed().subList(0, 1);
      RunStream run = client.run("composer", INPUTS);
      run.iterator().next();
      Thread.currentThread().interrupt();

      assertThrows(CancellationException.class, run::prediction);
      run.close();
      assertTrue(Thread.interrupted());
      assertEquals(List.of(run.id()), service.cancelled);
    }
  }

  @Test
  void closingTheClientEndsItsReaders() throws IOException {
    try (Scripted service = new Scripted()) {
      service.holds = true;
      service.events = Events.composed().subList(0, 1);
      HeadraceClient client = service.client();
      RunStream run = client.run("composer", INPUTS);
      run.iterator().next();
      client.close();

      HeadraceException error = assertThrows(ServerUnreachableException.class, run::prediction);
      assertEquals("the client is closed", error.getMessage());
    }
  }

  @Test
  void aDeadlineEndsTheReadingAndLeavesARunThatIsAttachedAlone() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      service.holds = true;
      service.events = Events.composed().subList(0, 1);
      RunStream run = client.attach("r", 0, new ReadOptions().deadline(Duration.ofMillis(500)));
      HeadraceException error = assertThrows(ServerUnreachableException.class, run::prediction);
      run.close();

      assertEquals(Code.DEADLINE_EXCEEDED, error.code());
      assertEquals(List.of(), service.cancelled);
    }
  }

  @Test
  void waitingToTryAgainDoesNotPassTheDeadline() throws IOException {
    Ending busy = Ending.because(Code.UNAVAILABLE, "SERVER_BUSY").retryIn(Duration.ofMinutes(1));

    try (Scripted service = new Scripted(busy);
        HeadraceClient client = service.client()) {
      ReadOptions read = new ReadOptions().deadline(Duration.ofSeconds(20));
      HeadraceException error =
          assertThrows(ServerUnreachableException.class, () -> client.attach("r", 0, read));
      assertEquals(Code.DEADLINE_EXCEEDED, error.code());
    }
  }

  @Test
  void aPredictionReadFromBehindItIsAskedFor() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client();
        RunStream run = client.attach("r", 5, new ReadOptions())) {
      assertEquals(Map.of("answer", "as recorded"), run.outputs());
      assertFalse(run.iterator().hasNext());
    }
  }
}
