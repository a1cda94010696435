package dev.headrace.client;

import dev.headrace.v1.EventKind;
import dev.headrace.v1.OutputForm;
import dev.headrace.v1.StatusDetail;
import dev.headrace.v1.StreamOptions;
import dev.headrace.v1.TokenDetail;
import java.time.Duration;
import java.util.List;

/** Options of one reader of a run. Each method sets one option and gives the same object back. */
public final class ReadOptions {
  /** Asked of the server, so that a much longer silence means that the stream is dead. */
  static final Duration HEARTBEAT = Duration.ofSeconds(15);

  private final StreamOptions.Builder options =
      StreamOptions.newBuilder()
          .setHeartbeatInterval(message(HEARTBEAT))
          .setOutputForm(OutputForm.OUTPUT_FORM_JSON);
  private Duration deadline;

  public ReadOptions() {
    accept(EventKind.EVENT_KIND_CUSTOM, EventKind.EVENT_KIND_INPUT);
  }

  /** The fields whose text is sent, such as "compose.answer", or "*". Every field of text unless set. */
  public ReadOptions fields(String... selectors) {
    options.addAllFields(List.of(selectors));
    return this;
  }

  /** Tokens that are sent: as they come, each field once and whole, or none. As they come unless set. */
  public ReadOptions tokenDetail(TokenDetail detail) {
    options.setTokenDetail(detail);
    return this;
  }

  /** Statuses that are sent; all unless set. */
  public ReadOptions statusDetail(StatusDetail detail) {
    options.setStatusDetail(detail);
    return this;
  }

  /**
   * Kinds of event that are sent beside statuses, tokens and the prediction: custom events, and the
   * questions that the run asks. All that this client knows unless set; none where none is given.
   */
  public ReadOptions accept(EventKind... kinds) {
    options.clearAccept().addAllAccept(List.of(kinds));
    return this;
  }

  /** Form of the prediction's outputs; {@link Outputs} reads each. JSON unless set. */
  public ReadOptions outputForm(OutputForm form) {
    options.setOutputForm(form);
    return this;
  }

  /**
   * Adds the inputs and outputs of calls to statuses, and the answers to questions that were resolved,
   * where the server allows it.
   */
  public ReadOptions includeData() {
    options.setIncludeData(true);
    return this;
  }

  /** Lets the server gather tokens for this long: fewer messages, however fast the model is. */
  public ReadOptions mergeInterval(Duration interval) {
    options.setMergeInterval(message(interval));
    return this;
  }

  /** Ends the reading after this long, with DEADLINE_EXCEEDED; the run may go on. */
  public ReadOptions deadline(Duration deadline) {
    this.deadline = deadline;
    return this;
  }

  /** Batches are always taken, and unpacked. */
  StreamOptions message() {
    StreamOptions.Builder message = options.clone();

    if (!message.getAcceptList().contains(EventKind.EVENT_KIND_BATCH)) {
      message.addAccept(EventKind.EVENT_KIND_BATCH);
    }

    return message.build();
  }

  /** Null when unset. */
  Duration deadline() {
    return deadline;
  }

  static com.google.protobuf.Duration message(Duration length) {
    return com.google.protobuf.Duration.newBuilder()
        .setSeconds(length.getSeconds())
        .setNanos(length.getNano())
        .build();
  }
}
