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
    if (event.hasToken()) {
      Token token = event.getToken();
      System.out.printf("%s.%s: \"%s\"%n", token.getPredictor(), token.getField(), token.getChunk());
    } else if (event.hasStatus() && !event.getStatus().getMessage().isEmpty()) {
      System.out.println(event.getStatus().getMessage());
    }
  }
}
