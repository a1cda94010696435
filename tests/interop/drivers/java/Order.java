import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.headrace.client.ClientBuilder;
import dev.headrace.client.HeadraceClient;
import dev.headrace.client.ReadOptions;
import dev.headrace.client.RunFilter;
import dev.headrace.client.StartOptions;
import dev.headrace.v1.EventKind;
import dev.headrace.v1.InputResolved;
import dev.headrace.v1.OutputForm;
import dev.headrace.v1.Run;
import dev.headrace.v1.TokenDetail;
import io.grpc.ChannelCredentials;
import io.grpc.TlsChannelCredentials;
import java.io.File;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** An order, as it comes; what it leaves out is null, and left to the client. */
record Order(
    String address,
    String token,
    Tls tls,
    String play,
    List<Asked> runs,
    List<Filter> filters,
    List<Reply> replies) {
  record Tls(String authority, String certificate, String key) {
    ChannelCredentials credentials() throws IOException {
      return TlsChannelCredentials.newBuilder()
          .trustManager(new File(authority))
          .keyManager(new File(certificate), new File(key))
          .build();
    }
  }

  /** What a question is answered with. */
  record Answer(JsonElement value, boolean decline, String reason) {
    String why() {
      return reason == null ? "" : reason;
    }

    InputResolved send(HeadraceClient client, String runId, String inputId) {
      return decline
          ? client.decline(runId, inputId, why())
          : client.answer(runId, inputId, value, why());
    }
  }

  /** An answer to a question of a run that somebody else may read. */
  record Reply(String run_id, String input_id, JsonElement value, boolean decline, String reason) {
    InputResolved send(HeadraceClient client) {
      return new Answer(value, decline, reason).send(client, run_id, input_id);
    }
  }

  HeadraceClient client() throws IOException {
    ClientBuilder client = HeadraceClient.to(address);

    if (!token.isEmpty()) {
      client.token(() -> token);
    }

    return (tls == null ? client : client.credentials(tls.credentials())).build();
  }

  /** A run that is asked for. */
  record Asked(
      String program,
      JsonObject inputs,
      String run_id,
      String[] fields,
      double timeout,
      boolean include_data,
      String[] accept,
      String token_detail,
      String output_form,
      Map<String, String> labels,
      String interface_revision,
      List<Answer> answers) {
    StartOptions start() {
      StartOptions start = new StartOptions().runId(run_id);

      if (timeout > 0) {
        start.timeout(Duration.ofMillis((long) (timeout * 1000)));
      }

      if (labels != null) {
        labels.forEach(start::label);
      }

      return interface_revision == null ? start : start.interfaceRevision(interface_revision);
    }

    ReadOptions read() {
      ReadOptions read = new ReadOptions().fields(fields);

      if (include_data) {
        read.includeData();
      }

      if (accept != null) {
        read.accept(
            Arrays.stream(accept)
                .map(kind -> EventKind.valueOf("EVENT_KIND_" + upper(kind)))
                .toArray(EventKind[]::new));
      }

      if (token_detail != null) {
        read.tokenDetail(TokenDetail.valueOf("TOKEN_DETAIL_" + upper(token_detail)));
      }

      return output_form == null ? read : read.outputForm(form());
    }

    /** Null where it is left to the client. */
    OutputForm form() {
      return output_form == null ? null : OutputForm.valueOf("OUTPUT_FORM_" + upper(output_form));
    }

    private static String upper(String name) {
      return name.toUpperCase(Locale.ROOT);
    }
  }

  /** A choice of runs. */
  record Filter(
      String program,
      String[] states,
      Map<String, String> labels,
      Double created_after,
      Double created_before) {
    RunFilter filter() {
      RunFilter filter = new RunFilter();

      if (program != null) {
        filter.program(program);
      }

      if (states != null) {
        filter.states(Arrays.stream(states).map(Run.State::valueOf).toArray(Run.State[]::new));
      }

      if (labels != null) {
        labels.forEach(filter::label);
      }

      if (created_after != null) {
        filter.createdAfter(moment(created_after));
      }

      return created_before == null ? filter : filter.createdBefore(moment(created_before));
    }

    private static Instant moment(double seconds) {
      return Instant.ofEpochSecond(0, (long) (seconds * 1e9));
    }
  }
}
