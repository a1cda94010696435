package dev.headrace.client;

/**
 * The text of one field of one predictor call so far. A reader that came late holds it from its first
 * token on; offsets, in code points, count from there.
 */
final class FieldText {
  private final StringBuilder text = new StringBuilder();
  private int start;
  private int length;

  void apply(int offset, String chunk) {
    if (length == 0) {
      start = offset;
    }

    int keep = Math.max(offset - start, 0);

    if (keep < length) {
      text.setLength(index(keep));
      start = Math.min(start, offset);
      length = keep;
    }

    text.append(chunk);
    length += chunk.codePointCount(0, chunk.length());
  }

  /** Code points held. */
  int length() {
    return length;
  }

  /** The text after so many code points. */
  String since(int position) {
    return position < length ? text.substring(index(position)) : "";
  }

  @Override
  public String toString() {
    return text.toString();
  }

  /** Counted from the end: what is asked for lies there. */
  private int index(int position) {
    return text.offsetByCodePoints(text.length(), position - length);
  }
}
