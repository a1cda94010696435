package dev.headrace.client;

import dev.headrace.v1.StatusDetail;
import dev.headrace.v1.StreamOptions;
import java.time.Duration;
import java.util.List;

/** Options of one reader of a run. Each method sets one option and gives the same object back. */
public final class ReadOptions {
  /** Asked of the server, so that a much longer silence means that the stream is dead. */
  static final Duration HEARTBEAT = Duration.ofSeconds(15);

  private final StreamOptions.Builder options =
      StreamOptions.newBuilder().setHeartbeatInterval(message(HEARTBEAT)).setOutputsJson(true);
  private Duration deadline;

  /** The fields whose text is sent, such as "compose.answer", or "*". Every field of text unless set. */
  public ReadOptions fields(String... selectors) {
    options.addAllFields(List.of(selectors));
    return this;
  }

  /** Leaves out the text of all fields. */
  public ReadOptions noTokens() {
    options.setNoTokens(true);
    return this;
  }

  /** Statuses that are sent; all unless set. */
  public ReadOptions statusDetail(StatusDetail detail) {
    options.setStatusDetail(detail);
    return this;
  }

  /** Adds the inputs and outputs of calls to statuses, where the server allows it. */
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

  StreamOptions message() {
    return options.build();
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
