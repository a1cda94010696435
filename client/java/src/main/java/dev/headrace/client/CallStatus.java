package dev.headrace.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import dev.headrace.client.HeadraceException.Violation;
import dev.headrace.v1.Usage;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Status of a call that failed, with the trailers beside it, and the exception it stands for.
 *
 * <p>The rule of the contract: headrace-run-state absent means that only this stream ended, and a code
 * that speaks of the road rather than of the request means: resume. Where it is there, the run is over,
 * or it is not and resuming would not help now.
 *
 * @param runState SUCCEEDED, FAILED or CANCELLED once the run is over, another one while it is
 *     suspended; else empty
 * @param retryDelay null where the server gave none
 * @param usage null where the server gave none
 */
record CallStatus(
    Status.Code code,
    String message,
    String reason,
    String runId,
    String runState,
    Duration retryDelay,
    List<Violation> violations,
    Map<String, String> metadata,
    Usage usage) {
  private static final Set<String> OVER = Set.of("SUCCEEDED", "FAILED", "CANCELLED");

  private static final String TOO_LARGE =
      "the answer is larger than this client takes: ask for the outputs as JSON alone: ";

  /** A status that this client itself came to. */
  static CallStatus own(Status.Code code, String message, String runId) {
    return new CallStatus(code, message, "", runId, "", null, List.of(), Map.of(), null);
  }

  /** Reads the rich details, and the plain trailers where there are none. */
  static CallStatus of(StatusRuntimeException error, String address, String runId) {
    Metadata trailers = error.getTrailers() == null ? new Metadata() : error.getTrailers();
    Status status = error.getStatus();
    com.google.rpc.Status rich = StatusProto.fromStatusAndTrailers(status, trailers);
    ErrorInfo info = detail(rich, ErrorInfo.class).orElse(ErrorInfo.getDefaultInstance());
    BadRequest request = detail(rich, BadRequest.class).orElse(BadRequest.getDefaultInstance());
    String plain = text(trailers, "headrace-error-reason");
    String reason = info.getReason().isEmpty() ? plain : info.getReason();
    String runState = text(trailers, "headrace-run-state");
    boolean isAnswer = !(reason + runState).isEmpty();

    return new CallStatus(
        status.getCode(),
        isAnswer ? words(status) : message(status, address),
        reason,
        runId,
        runState,
        detail(rich, RetryInfo.class).map(CallStatus::delay).orElse(milliseconds(trailers)),
        request.getFieldViolationsList().stream()
            .map(one -> new Violation(one.getField(), one.getDescription()))
            .toList(),
        info.getMetadataMap(),
        usage(trailers));
  }

  /** What came behind a stream says that its run is not over, and not to be read on now. */
  static boolean isSuspended(Metadata trailers) {
    String runState = text(trailers, "headrace-run-state");

    return !runState.isEmpty() && !OVER.contains(runState);
  }

  /** Only the stream ended: the same request may be made again. */
  boolean isCut() {
    return runState.isEmpty()
        && switch (code) {
          // CANCELLED by someone on the way: our own cancel is told apart before
          case UNAVAILABLE, UNKNOWN, INTERNAL, CANCELLED -> true;
          default -> false;
        };
  }

  /** The same, of a call that the server has accepted: no refusal, but perhaps our own channel's limit. */
  CallStatus ofAnAnswer() {
    if (code != Status.Code.RESOURCE_EXHAUSTED || !(reason + runState).isEmpty()) {
      return this;
    }

    return new CallStatus(
        code,
        TOO_LARGE + message,
        "PREDICTION_TOO_LARGE",
        runId,
        runState,
        retryDelay,
        violations,
        metadata,
        usage);
  }

  /** The exception that it stands for: the run's state decides, then the reason, then the code. */
  HeadraceException exception() {
    if (!runState.isEmpty()) {
      return OVER.contains(runState) ? new RunFailedException(message, this) : suspended();
    }

    if (Reasons.EXCEPTIONS.containsKey(reason)) {
      return Reasons.EXCEPTIONS.get(reason).apply(message, this);
    }

    return switch (code) {
      case INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION, OUT_OF_RANGE,
          UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED ->
          new RequestRefusedException(message, this);
      case UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED -> new ServerUnreachableException(message, this);
      default -> new ServerFaultException(message, this);
    };
  }

  /** The same call, and why it did not reach a server. */
  CallStatus unreachable(String reason, String message) {
    Status.Code code = Status.Code.UNAVAILABLE;

    return new CallStatus(
        code, message, reason, runId, runState, retryDelay, violations, metadata, usage);
  }

  CallStatus withMessage(String message) {
    return new CallStatus(
        code, message, reason, runId, runState, retryDelay, violations, metadata, usage);
  }

  private HeadraceException suspended() {
    String where = "run " + runId + " is " + runState + " and not over; ask getRun, attach later: ";

    return new RunSuspendedException(where + message, this);
  }

  private static <T extends Message> Optional<T> detail(com.google.rpc.Status rich, Class<T> kind) {
    try {
      for (Any detail : rich.getDetailsList()) {
        if (detail.is(kind)) {
          return Optional.of(detail.unpack(kind));
        }
      }
    } catch (InvalidProtocolBufferException broken) {
      // whoever wrote this on the way: the code and the plain trailers remain
    }

    return Optional.empty();
  }

  private static String message(Status status, String address) {
    boolean isRoad = status.getCode() == Status.Code.UNAVAILABLE;

    return isRoad ? "no server answers at " + address + ": " + words(status) : words(status);
  }

  private static String words(Status status) {
    return status.getDescription() == null ? status.getCode().name() : status.getDescription();
  }

  private static String text(Metadata trailers, String name) {
    String value = trailers.get(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER));

    return value == null ? "" : value;
  }

  private static Duration delay(RetryInfo retry) {
    return Duration.ofSeconds(retry.getRetryDelay().getSeconds(), retry.getRetryDelay().getNanos());
  }

  private static Duration milliseconds(Metadata trailers) {
    String text = text(trailers, "headrace-retry-delay-ms");

    return text.matches("\\d{1,9}") ? Duration.ofMillis(Long.parseLong(text)) : null;
  }

  private static Usage usage(Metadata trailers) {
    byte[] packed =
        trailers.get(Metadata.Key.of("headrace-usage-bin", Metadata.BINARY_BYTE_MARSHALLER));

    try {
      return packed == null ? null : Usage.parseFrom(packed);
    } catch (InvalidProtocolBufferException broken) {
      return null; // whoever wrote this on the way
    }
  }
}
