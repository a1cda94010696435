package dev.headrace.client;

import dev.headrace.v1.Token;
import java.util.HashMap;
import java.util.Map;

/** All texts of a run, put together from tokens: text = text[:offset] + chunk, in code points. */
final class Transcript {
  private record Key(String predictor, String field, int callId) {}

  private static final int LATEST = 0; // calls count from 1

  private final Map<Key, FieldText> texts = new HashMap<>();

  void apply(Token token) {
    Key key = new Key(token.getPredictor(), token.getField(), token.getCallId());
    FieldText text = texts.get(key);

    if (text == null) {
      text = new FieldText();
      texts.put(key, text);
      texts.put(new Key(key.predictor, key.field, LATEST), text);
    }

    text.apply(token.getOffset(), token.getChunk());
  }

  /** The text of a field's latest call; empty before it began. */
  String text(String predictor, String field) {
    FieldText text = texts.get(new Key(predictor, field, LATEST));

    return text == null ? "" : text.toString();
  }

  /**
   * The text of one field of one call so far. A reader that came late holds it from its first token
   * on; offsets count from there.
   */
  static final class FieldText {
    private final StringBuilder text = new StringBuilder();
    private int start;
    private int length;

    void apply(int offset, String chunk) {
      if (length == 0) {
        start = offset;
      }

      int keep = Math.max(offset - start, 0);

      if (keep < length) {
        text.setLength(text.offsetByCodePoints(0, keep));
        start = Math.min(start, offset);
        length = keep;
      }

      text.append(chunk);
      length += chunk.codePointCount(0, chunk.length());
    }

    @Override
    public String toString() {
      return text.toString();
    }
  }
}
