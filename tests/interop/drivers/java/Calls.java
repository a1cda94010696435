import com.google.gson.JsonObject;
import dev.headrace.client.HeadraceClient;
import dev.headrace.client.HeadraceException;
import dev.headrace.client.StartOptions;
import dev.headrace.v1.OutputForm;
import dev.headrace.v1.Prediction;
import dev.headrace.v1.Run;
import dev.headrace.v1.RunView;
import java.util.List;
import java.util.function.Function;

/** Plays of calls with one answer, each for all that an order asks for. */
final class Calls {
  private Calls() {}

  static List<JsonObject> sendInputs(HeadraceClient client, Order order) {
    return each(order.replies(), reply -> Readings.resolved(reply.send(client)));
  }

  static List<JsonObject> cancelEach(HeadraceClient client, Order order) {
    return each(
        order.runs(),
        asked -> Readings.stopped(client.cancel(asked.run_id(), "enough").getRun()));
  }

  static List<JsonObject> getEach(HeadraceClient client, Order order) {
    return each(
        order.runs(),
        asked -> {
          OutputForm form = asked.form();
          Run run =
              form == null
                  ? client.getRun(asked.run_id())
                  : client.getRun(asked.run_id(), RunView.RUN_VIEW_BASIC, form);

          return Readings.record(run);
        });
  }

  static List<JsonObject> predictEach(HeadraceClient client, Order order) {
    return each(
        order.runs(),
        asked -> {
          StartOptions start = asked.start();
          OutputForm form = asked.form();
          Prediction prediction =
              form == null
                  ? client.predict(asked.program(), asked.inputs(), start)
                  : client.predict(asked.program(), asked.inputs(), start, form);

          return Readings.predicted(prediction);
        });
  }

  static List<JsonObject> describeEach(HeadraceClient client, Order order) {
    return each(order.runs(), asked -> Readings.described(client.describe(asked.program())));
  }

  private static <A> List<JsonObject> each(List<A> all, Function<A, JsonObject> call) {
    return all.stream()
        .map(
            asked -> {
              try {
                return call.apply(asked);
              } catch (HeadraceException error) {
                return Readings.refused(error);
              }
            })
        .toList();
  }
}
