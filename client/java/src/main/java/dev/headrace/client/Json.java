package dev.headrace.client;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.ToNumberPolicy;
import java.util.Map;

/** Values as JSON text and back. Whole numbers become Long, others Double. */
final class Json {
  private static final Gson GSON =
      new GsonBuilder()
          .serializeNulls()
          .disableHtmlEscaping()
          .setObjectToNumberStrategy(ToNumberPolicy.LONG_OR_DOUBLE)
          .create();

  private Json() {}

  /** A map, record or plain object as the text of a JSON object. */
  static String object(Object value) {
    JsonElement tree = GSON.toJsonTree(value);

    if (!tree.isJsonObject()) {
      throw new IllegalArgumentException("inputs must be a map, or an object whose fields are the inputs");
    }

    return GSON.toJson(tree);
  }

  @SuppressWarnings("unchecked") // every JSON object is one
  static Map<String, Object> map(String text) {
    return GSON.fromJson(text, Map.class);
  }

  static <T> T as(String text, Class<T> kind) {
    return GSON.fromJson(text, kind);
  }
}
