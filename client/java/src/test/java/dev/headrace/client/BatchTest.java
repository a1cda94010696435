package dev.headrace.client;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.headrace.v1.StreamEvent;
import io.grpc.Status.Code;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Batches: several events in one message, which readers never see as such. */
@Timeout(30)
class BatchTest {
  private static final Map<String, String> INPUTS = Map.of("question", "why?");

  /** The composed run, with what lies between its first and last event in batches. */
  private static List<StreamEvent> batched() {
    List<StreamEvent> events = Events.composed();

    return List.of(
        events.get(0),
        Events.batch(events.get(1), events.get(2)),
        Events.batch(events.get(3), events.get(4)));
  }

  private static List<Integer> sequences(Iterable<StreamEvent> run) {
    List<Integer> read = new ArrayList<>();
    run.forEach(event -> read.add(event.getSequence()));

    return read;
  }

  @Test
  void aBatchIsReadAsIfEachOfItsEventsHadComeAlone() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      service.events = batched();

      try (RunStream run = client.run("composer", INPUTS)) {
        List<StreamEvent> read = new ArrayList<>();
        run.forEach(read::add);

        assertEquals(Events.composed(), read);
        assertEquals(Events.WHOLE, run.text("answer"));
        assertEquals(5, run.cursor());
      }

      assertEquals(List.of(), service.cancelled);
    }
  }

  @Test
  void whereverAStreamOfBatchesIsCutNothingIsLostNorComesTwice() throws IOException {
    List<Integer> positions = List.of(0, 1, 3, 5);

    for (int first = 0; first < 3; first++) {
      for (int second = 0; first + second < 3; second++) {
        Ending[] cuts = {Ending.cut(Code.UNAVAILABLE, first), Ending.cut(Code.UNAVAILABLE, second)};

        try (Scripted service = new Scripted(cuts);
            HeadraceClient client = service.client()) {
          service.events = batched();

          try (RunStream run = client.run("composer", INPUTS)) {
            assertEquals(List.of(1, 2, 3, 4, 5), sequences(run));
            assertEquals(Events.WHOLE, run.text("answer"));
          }

          assertEquals(
              List.of(0, positions.get(first), positions.get(first + second)), service.cursors);
        }
      }
    }
  }

  @Test
  void aReaderThatLeavesInTheMiddleOfABatchGoesOnFromThere() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      service.events = batched();

      try (RunStream run = client.run("composer", INPUTS)) {
        Iterator<StreamEvent> events = run.iterator();
        events.next();
        events.next();
        assertEquals(2, run.cursor());
        run.detach();
      }

      try (RunStream run = client.attach("r", 2, new ReadOptions())) {
        assertEquals(List.of(3, 4, 5), sequences(run));
      }
    }
  }

  @Test
  void aCutBehindAGroupThatABatchBeganLeavesTextsWhole() throws IOException {
    try (Scripted service = new Scripted(Ending.cut(Code.UNAVAILABLE, 1));
        HeadraceClient client = service.client()) {
      service.events =
          List.of(
              Events.batch(
                  Events.token(1, "answer", "one ", 0),
                  Events.token(0, "answer", "two ", 4),
                  Events.token(0, "other", "uno", 0)),
              Events.batch(Events.token(5, "answer", "three", 8), Events.prediction(6, "{}")));

      try (RunStream run = client.run("composer", INPUTS)) {
        assertEquals(List.of(1, 0, 0, 0, 0, 5, 6), sequences(run));
        assertEquals("one two three", run.text("compose.answer"));
        assertEquals("uno", run.text("compose.other"));
      }

      assertEquals(List.of(0, 1), service.cursors);
    }
  }

  @Test
  void aBatchThatHoldsNothingToShowIsPassedOver() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      service.events =
          List.of(
              Events.batch(),
              Events.batch(Events.heartbeat(0), Events.token(1, "answer", "a", 0)),
              Events.prediction(2, "{}"));

      try (RunStream run = client.run("composer", INPUTS)) {
        assertEquals(List.of(1, 2), sequences(run));
      }
    }
  }

  @Test
  void aRunWhosePredictionCameInABatchIsNotStoppedByLeaving() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      service.events = List.of(Events.batch(Events.composed().toArray(StreamEvent[]::new)));

      try (RunStream run = client.run("composer", INPUTS)) {
        run.iterator().next();
      }

      assertEquals(List.of(), service.cancelled);
    }
  }
}
