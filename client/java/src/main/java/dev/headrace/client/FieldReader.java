package dev.headrace.client;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.function.BooleanSupplier;

/** The new text of a selector's fields, piece by piece: a cursor over a transcript that grows. */
final class FieldReader implements Iterator<String> {
  private final String selector;
  private final Transcript transcript;
  private final BooleanSupplier more;
  private final Map<Transcript.Key, Integer> read = new HashMap<>();
  private final Deque<String> pieces = new ArrayDeque<>();

  /** {@code more} waits for the run's next event; false when there are no more. */
  FieldReader(String selector, Transcript transcript, BooleanSupplier more) {
    this.selector = selector;
    this.transcript = transcript;
    this.more = more;
  }

  @Override
  public boolean hasNext() {
    do {
      transcript.matching(selector).forEach(entry -> take(entry.getKey(), entry.getValue()));
    } while (pieces.isEmpty() && more.getAsBoolean());

    return !pieces.isEmpty();
  }

  @Override
  public String next() {
    if (pieces.isEmpty() && !hasNext()) {
      throw new NoSuchElementException("the run is over");
    }

    return pieces.poll();
  }

  private void take(Transcript.Key key, FieldText text) {
    String piece = text.since(read.getOrDefault(key, 0));

    if (!piece.isEmpty()) {
      read.put(key, text.length());
      pieces.add(piece);
    }
  }
}
