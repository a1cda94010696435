package dev.headrace.client;

import dev.headrace.v1.Token;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;

/** All texts of a run, in the order in which they began: text = text[:offset] + chunk, in code points. */
final class Transcript {
  /** A field of one call of a predictor. */
  record Key(String predictor, String field, int callId) {
    private boolean matches(Selector selector) {
      boolean isOfIt = selector.predictor.isEmpty() || selector.predictor.equals(predictor);

      return isOfIt && selector.field.equals(field);
    }
  }

  private record Selector(String predictor, String field) {
    /** Events carry a predictor's address without the ".predict" that ChainOfThought adds. */
    static Selector of(String text) {
      int dot = text.lastIndexOf('.');
      String predictor = text.substring(0, Math.max(dot, 0)).replaceFirst("\\.predict$", "");

      return new Selector(predictor, text.substring(dot + 1));
    }
  }

  private final Map<Key, FieldText> texts = new LinkedHashMap<>();

  void apply(Token token) {
    Key key = new Key(token.getPredictor(), token.getField(), token.getCallId());
    texts.computeIfAbsent(key, any -> new FieldText()).apply(token.getOffset(), token.getChunk());
  }

  /** The texts of a selector, "field" or "predictor.field". */
  Stream<Map.Entry<Key, FieldText>> matching(String selector) {
    Selector wanted = Selector.of(selector);

    return texts.entrySet().stream().filter(entry -> entry.getKey().matches(wanted));
  }

  /** The text of the selector's newest call; empty before it began. */
  String text(String selector) {
    return matching(selector)
        .reduce((older, newer) -> newer)
        .map(entry -> entry.getValue().toString())
        .orElse("");
  }
}
