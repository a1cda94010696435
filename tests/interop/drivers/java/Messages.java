import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.headrace.v1.CustomEvent;
import dev.headrace.v1.InputRequest;
import dev.headrace.v1.InputResolved;
import dev.headrace.v1.Prediction;
import dev.headrace.v1.StatusUpdate;
import dev.headrace.v1.StreamEvent;
import dev.headrace.v1.Token;
import dev.headrace.v1.ToolCall;
import java.util.Locale;

/** Events as journals keep them. */
final class Messages {
  private Messages() {}

  static JsonObject of(StreamEvent event) {
    JsonObject message = new JsonObject();
    message.addProperty("sequence", event.getSequence());
    message.addProperty("count", event.getEventCount());
    message.addProperty("kind", kind(event));
    message.add("body", body(event));

    return message;
  }

  private static String kind(StreamEvent event) {
    boolean isKnown = event.getEventCase() != StreamEvent.EventCase.EVENT_NOT_SET;

    return isKnown ? event.getEventCase().name().toLowerCase(Locale.ROOT) : "None";
  }

  private static JsonObject body(StreamEvent event) {
    return switch (event.getEventCase()) {
      case TOKEN -> token(event.getToken());
      case STATUS -> status(event.getStatus());
      case PREDICTION -> prediction(event.getPrediction());
      case CUSTOM -> custom(event.getCustom());
      case INPUT_REQUEST -> asked(event.getInputRequest());
      case INPUT_RESOLVED -> resolved(event.getInputResolved());
      default -> new JsonObject();
    };
  }

  private static JsonObject token(Token token) {
    JsonObject body = new JsonObject();
    body.addProperty("call", token.getCallId());
    body.addProperty("predictor", token.getPredictor());
    body.addProperty("field", token.getField());
    body.addProperty("chunk", token.getChunk());
    body.addProperty("offset", token.getOffset());
    body.addProperty("is_last", token.getIsLast());

    return body;
  }

  private static JsonObject status(StatusUpdate status) {
    JsonObject body = new JsonObject();
    body.addProperty("call", status.getCallId());
    body.addProperty("parent", status.getParentCallId());
    body.addProperty("kind", status.getKind().name().replace("KIND_", ""));
    body.addProperty("phase", status.getPhase().name().replace("PHASE_", ""));
    body.addProperty("outcome", status.getOutcome().name().replace("OUTCOME_", ""));
    body.addProperty("name", status.getName());
    body.addProperty("message", status.getMessage());
    body.addProperty("attempt", status.getLm().getAttempt());
    body.addProperty("cached", status.getLm().getCached());

    if (status.hasTool()) {
      body.add("tool", tool(status.getTool()));
    }

    return body;
  }

  private static JsonObject tool(ToolCall tool) {
    JsonObject body = new JsonObject();
    body.addProperty("provider_call_id", tool.getProviderCallId());
    body.add("arguments", value(tool.getArgumentsJson()));
    body.add("result", value(tool.getResultJson()));

    return body;
  }

  private static JsonObject prediction(Prediction prediction) {
    String text = prediction.getOutputsJson();
    JsonObject body = new JsonObject();
    body.add("outputs", text.isEmpty() ? new JsonObject() : value(text));

    return body;
  }

  private static JsonObject custom(CustomEvent custom) {
    JsonObject body = new JsonObject();
    body.addProperty("call", custom.getCallId());
    body.addProperty("name", custom.getName());
    body.add("data", value(custom.getDataJson()));

    return body;
  }

  static JsonObject asked(InputRequest request) {
    JsonObject body = new JsonObject();
    body.addProperty("call", request.getCallId());
    body.addProperty("input_id", request.getInputId());
    body.addProperty("kind", request.getKind().name().replace("KIND_", ""));
    body.addProperty("message", request.getMessage());
    body.add("answer_schema", value(request.getAnswerSchemaJson()));
    body.add("proposal", value(request.getProposalJson()));
    body.addProperty("tool", request.getTool());

    return body;
  }

  static JsonObject resolved(InputResolved resolved) {
    JsonObject body = new JsonObject();
    body.addProperty("call", resolved.getCallId());
    body.addProperty("input_id", resolved.getInputId());
    body.addProperty("outcome", resolved.getOutcome().name().replace("OUTCOME_", ""));
    body.add("answer", value(resolved.getAnswerJson()));
    body.addProperty("reason", resolved.getReason());

    return body;
  }

  static JsonElement value(String text) {
    return text.isEmpty() ? JsonNull.INSTANCE : JsonParser.parseString(text);
  }
}
