package dev.headrace.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.headrace.v1.StreamEvent;
import io.grpc.Status.Code;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Runs read by the text of their fields. */
@Timeout(30)
class FieldTest {
  private static final Map<String, String> INPUTS = Map.of("question", "why?");

  private static List<StreamEvent> twoFields() {
    return List.of(
        Events.token(1, "answer", "one ", 0),
        Events.token(2, "other", "uno ", 0),
        Events.token(3, "answer", "two", 4),
        Events.token(4, "other", "due", 4),
        Events.prediction(5, "{\"answer\": \"one two\"}"));
  }

  @Test
  void theTextOfAFieldComesPieceByPieceAndThenTheResult() throws IOException {
    try (Scripted service = new Scripted(Ending.cut(Code.UNAVAILABLE, 2));
        HeadraceClient client = service.client();
        RunStream run = client.run("composer", INPUTS)) {
      List<String> pieces = new ArrayList<>();
      run.field("answer").forEach(pieces::add);

      assertEquals(List.of("Grö", "ße ", "→ ", "長さ"), pieces);
      assertEquals(Events.WHOLE, run.outputs().get("answer"));
      assertEquals(List.of(0, 2), service.cursors);
    }
  }

  @Test
  void fieldsAreReadSideBySideAndEachReaderGetsAllOfItsText() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      service.events = twoFields();

      try (RunStream run = client.run("composer", INPUTS)) {
        Iterator<String> answers = run.field("compose.answer").iterator();
        Iterator<String> others = run.field("other").iterator();

        assertEquals(
            List.of("one ", "uno ", "two", "due"),
            List.of(answers.next(), others.next(), answers.next(), others.next()));
        assertFalse(answers.hasNext());
        assertFalse(others.hasNext());
        assertThrows(NoSuchElementException.class, answers::next);
      }

      try (RunStream run = client.run("composer", INPUTS)) {
        run.prediction();
        assertEquals(List.of("one two"), all(run.field("answer")), "though another read it before");
      }
    }
  }

  private static List<String> all(Iterable<String> field) {
    List<String> pieces = new ArrayList<>();
    field.forEach(pieces::add);

    return pieces;
  }

  @Test
  void aFieldEndsWithTheFailureOfItsRunBehindItsText() throws IOException {
    try (Scripted service =
            new Scripted(Ending.because(Code.ABORTED, "LM_UNAVAILABLE").over("FAILED", 2));
        HeadraceClient client = service.client();
        RunStream run = client.run("composer", INPUTS)) {
      Iterator<String> pieces = run.field("answer").iterator();

      assertEquals(List.of("Grö", "ße "), List.of(pieces.next(), pieces.next()));
      assertThrows(RunFailedException.class, pieces::hasNext);
      Iterator<String> later = run.field("answer").iterator();
      assertEquals("Größe ", later.next());
      assertThrows(RunFailedException.class, later::next);
    }
  }
}
