package dev.headrace.client;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import com.google.gson.ToNumberPolicy;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import dev.headrace.v1.Prediction;
import java.util.Map;

/** The outputs of predictions as plain values. {@code prediction.getOutputsJson()} is their exact text. */
public final class Outputs {
  private static final Gson GSON =
      new GsonBuilder()
          .serializeNulls()
          .disableHtmlEscaping()
          .setObjectToNumberStrategy(ToNumberPolicy.LONG_OR_DOUBLE)
          .create();

  private Outputs() {}

  /** The outputs by name; whole numbers are Long, others Double. */
  @SuppressWarnings("unchecked") // every JSON object is one
  public static Map<String, Object> of(Prediction prediction) {
    return GSON.fromJson(tree(prediction), Map.class);
  }

  /** The outputs as a record or class with fields of their names. */
  public static <T> T as(Prediction prediction, Class<T> kind) {
    return GSON.fromJson(tree(prediction), kind);
  }

  /** Inputs, a map or an object with fields, as the text of a JSON object. */
  static String inputsJson(Object inputs) {
    JsonElement tree = GSON.toJsonTree(inputs);

    if (!tree.isJsonObject()) {
      throw new IllegalArgumentException("inputs must be a map, or an object whose fields are the inputs");
    }

    return GSON.toJson(tree);
  }

  private static JsonElement tree(Prediction prediction) {
    String text = prediction.getOutputsJson();

    return text.isEmpty() ? object(prediction.getOutputs()) : JsonParser.parseString(text);
  }

  private static JsonObject object(Struct struct) {
    JsonObject object = new JsonObject();
    struct.getFieldsMap().forEach((name, value) -> object.add(name, element(value)));

    return object;
  }

  private static JsonElement element(Value value) {
    return switch (value.getKindCase()) {
      case STRING_VALUE -> new JsonPrimitive(value.getStringValue());
      case BOOL_VALUE -> new JsonPrimitive(value.getBoolValue());
      case NUMBER_VALUE -> number(value.getNumberValue());
      case STRUCT_VALUE -> object(value.getStructValue());
      case LIST_VALUE -> {
        JsonArray list = new JsonArray();
        value.getListValue().getValuesList().forEach(one -> list.add(element(one)));
        yield list;
      }
      default -> JsonNull.INSTANCE;
    };
  }

  private static JsonPrimitive number(double value) {
    boolean isWhole = value == Math.rint(value) && Math.abs(value) < 1L << 53;

    return isWhole ? new JsonPrimitive((long) value) : new JsonPrimitive(value);
  }
}
