package dev.headrace.client;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.headrace.v1.Token;
import java.util.List;
import org.junit.jupiter.api.Test;

class TranscriptTest {
  @Test
  void textGoesOnFromItsOffsetInCodePoints() {
    assertEquals("Größe", text(0, "Grö", 3, "ße"));
    assertEquals("Größer", text(0, "Grö", 3, "ße", 3, "ßer")); // again, after a resume
    assertEquals("短い", text(0, "長さ", 2, "!", 0, "短い")); // taken back
    assertEquals("🌊→", text(0, "🌊🌊", 1, "→"));
    assertEquals("late", text(7, "la", 9, "te")); // a reader that came late
  }

  private static String text(Object... tokens) {
    FieldText text = new FieldText();

    for (int i = 0; i < tokens.length; i += 2) {
      text.apply((int) tokens[i], (String) tokens[i + 1]);
    }

    return text.toString();
  }

  @Test
  void textAfterAPositionIsCountedInCodePoints() {
    FieldText text = new FieldText();
    text.apply(0, "a🌊");
    text.apply(2, "→b");

    assertEquals(
        List.of("a🌊→b", "🌊→b", "→b", "b", "", ""),
        List.of(text.since(0), text.since(1), text.since(2), text.since(3), text.since(4), text.since(9)));
  }

  @Test
  void theTextOfASelectorIsThatOfItsNewestCall() {
    Transcript texts = new Transcript();
    apply(texts, "a", "b", 4, "1");
    apply(texts, "a", "b", 7, "2");
    apply(texts, "x.y", "b", 8, "3");

    assertEquals("2", texts.text("a.b"));
    assertEquals("2", texts.text("a.predict.b"));
    assertEquals("3", texts.text("x.y.b"));
    assertEquals("3", texts.text("b"));
    assertEquals("", texts.text("y.b"));
    assertEquals("", texts.text("a.none"));
    assertEquals("", texts.text("a"));
  }

  private static void apply(Transcript texts, String predictor, String field, int call, String chunk) {
    texts.apply(
        Token.newBuilder()
            .setPredictor(predictor)
            .setField(field)
            .setCallId(call)
            .setChunk(chunk)
            .build());
  }
}
