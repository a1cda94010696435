package dev.headrace.client;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import com.google.gson.stream.JsonReader;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import dev.headrace.v1.Prediction;
import java.io.IOException;
import java.math.BigInteger;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * The outputs of predictions as plain values, in the order of their JSON text. Whatever form they came
 * in; a Struct has integers beyond 2^53 as decimal strings, and JSON text has them exact.
 */
public final class Outputs {
  private static final Pattern WHOLE = Pattern.compile("-?\\d+");
  private static final Gson GSON =
      new GsonBuilder()
          .serializeNulls()
          .disableHtmlEscaping()
          .setObjectToNumberStrategy(Outputs::exact)
          .create();

  private Outputs() {}

  /** The outputs by name; whole numbers are Long, or BigInteger where they are larger, others Double. */
  @SuppressWarnings("unchecked") // every JSON object is one
  public static Map<String, Object> of(Prediction prediction) {
    return as(prediction, Map.class);
  }

  /** The outputs as a record or class with fields of their names. */
  public static <T> T as(Prediction prediction, Class<T> kind) {
    String text = prediction.getOutputsJson();

    return text.isEmpty()
        ? GSON.fromJson(object(prediction.getOutputs()), kind)
        : GSON.fromJson(text, kind);
  }

  /** Inputs, a map or an object with fields, as the text of a JSON object. */
  static String inputsJson(Object inputs) {
    JsonElement tree = GSON.toJsonTree(inputs);

    if (!tree.isJsonObject()) {
      throw new IllegalArgumentException("inputs must be a map, or an object whose fields are the inputs");
    }

    return GSON.toJson(tree);
  }

  /** Any value as JSON text. */
  static String json(Object value) {
    return GSON.toJson(value);
  }

  private static Number exact(JsonReader reader) throws IOException {
    String number = reader.nextString();

    if (!WHOLE.matcher(number).matches()) {
      return Double.valueOf(number);
    }

    BigInteger whole = new BigInteger(number);

    return whole.bitLength() < Long.SIZE ? (Number) whole.longValue() : whole;
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
