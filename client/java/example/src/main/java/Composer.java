import dev.headrace.client.HeadraceClient;
import dev.headrace.client.RunStream;
import dev.headrace.v1.StreamEvent;
import dev.headrace.v1.Token;
import java.util.Map;

/** Runs the composer and prints what its branches write, as it comes. */
public final class Composer {
  public static void main(String[] arguments) {
    String address = arguments[0];
    String question = arguments[1];

    try (HeadraceClient client = HeadraceClient.connect(address);
        RunStream run = client.run("composer", Map.of("question", question))) {
      for (StreamEvent event : run) {
        show(event);
      }

      System.out.printf("%n%s%n", run.outputs().get("answer"));
    }
  }

  private static void show(StreamEvent event) {
    switch (event.getEventCase()) {
      case TOKEN -> {
        Token token = event.getToken();
        System.out.printf("%s.%s: \"%s\"%n", token.getPredictor(), token.getField(), token.getChunk());
      }
      case STATUS -> {
        if (!event.getStatus().getMessage().isEmpty()) {
          System.out.println(event.getStatus().getMessage());
        }
      }
      case CUSTOM ->
          System.out.println(event.getCustom().getName() + " " + event.getCustom().getDataJson());
      case INPUT_REQUEST -> System.out.println("asks: " + event.getInputRequest().getMessage());
      default -> {}
    }
  }
}
