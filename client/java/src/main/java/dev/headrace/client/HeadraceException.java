package dev.headrace.client;

import dev.headrace.v1.Usage;
import io.grpc.Status;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Root of all failures. An interrupted thread gets a CancellationException instead. */
public class HeadraceException extends RuntimeException {
  /** One thing wrong with one field of a request. */
  public record Violation(String field, String description) {}

  private final transient CallStatus status;

  HeadraceException(String message, CallStatus status) {
    super(message);
    this.status = status;
  }

  /** The gRPC status code. */
  public Status.Code code() {
    return status.code();
  }

  /**
   * The stable name of the cause, such as LM_RATE_LIMITED: the one to decide by. The contract lists
   * them at Failure.reason. Empty when the server gave none. Where something else than a server
   * answered it says what, such as NOT_GRPC.
   */
  public String reason() {
    return status.reason();
  }

  /** The run, where there is one; else empty. */
  public String runId() {
    return status.runId();
  }

  /**
   * What the server says of the run: SUCCEEDED, FAILED or CANCELLED where it is over, another word
   * where it is suspended. Empty where only the call ended.
   */
  public String runState() {
    return status.runState();
  }

  /** Time to wait before trying again, where the server said so. */
  public Optional<Duration> retryDelay() {
    return Optional.ofNullable(status.retryDelay());
  }

  /** One for each field of the request that is wrong. */
  public List<Violation> violations() {
    return status.violations();
  }

  /** Further facts, such as the model, or by whom a run was cancelled. */
  public Map<String, String> metadata() {
    return status.metadata();
  }

  /** LM work that the run had done before it failed, where the server told. */
  public Optional<Usage> usage() {
    return Optional.ofNullable(status.usage());
  }
}
