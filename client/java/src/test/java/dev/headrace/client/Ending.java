package dev.headrace.client;

import com.google.protobuf.Any;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import dev.headrace.v1.Usage;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;

/** How a scripted call ends other than OK; {@code after}: for streams, how many messages are sent before. */
record Ending(
    Status.Code code,
    String reason,
    String runState,
    Duration delay,
    String violation,
    Usage usage,
    int after) {
  static Ending cut(Status.Code code, int after) {
    return new Ending(code, "", "", Duration.ZERO, "", null, after);
  }

  static Ending because(Status.Code code, String reason) {
    return new Ending(code, reason, "", Duration.ZERO, "", null, 0);
  }

  Ending over(String runState, int after) {
    return new Ending(code, reason, runState, delay, violation, usage, after);
  }

  Ending retryIn(Duration delay) {
    return new Ending(code, reason, runState, delay, violation, usage, after);
  }

  Ending violating(String field) {
    return new Ending(code, reason, runState, delay, field, usage, after);
  }

  Ending using(Usage usage) {
    return new Ending(code, reason, runState, delay, violation, usage, after);
  }

  /** As a server sends it: with rich details, or with the plain trailers alone. */
  StatusRuntimeException error() {
    Metadata trailers = new Metadata();

    if (!runState.isEmpty()) {
      trailers.put(key("headrace-run-state"), runState);
    }

    if (!reason.isEmpty()) {
      trailers.put(key("headrace-error-reason"), reason);
    }

    if (usage != null) {
      trailers.put(
          Metadata.Key.of("headrace-usage-bin", Metadata.BINARY_BYTE_MARSHALLER), usage.toByteArray());
    }

    if (!reason.isEmpty() && violation.isEmpty() && delay.isZero()) {
      return code.toStatus().withDescription("scripted").asRuntimeException(trailers); // plain
    }

    return StatusProto.toStatusRuntimeException(details(), trailers);
  }

  private com.google.rpc.Status details() {
    com.google.rpc.Status.Builder rich =
        com.google.rpc.Status.newBuilder().setCode(code.value()).setMessage("scripted");

    if (!reason.isEmpty()) {
      rich.addDetails(Any.pack(ErrorInfo.newBuilder().setReason(reason).putMetadata("model", "m").build()));
    }

    if (!delay.isZero()) {
      rich.addDetails(Any.pack(RetryInfo.newBuilder().setRetryDelay(ReadOptions.message(delay)).build()));
    }

    if (!violation.isEmpty()) {
      BadRequest.FieldViolation one =
          BadRequest.FieldViolation.newBuilder().setField(violation).setDescription("unknown").build();
      rich.addDetails(Any.pack(BadRequest.newBuilder().addFieldViolations(one).build()));
    }

    return rich.build();
  }

  private static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }
}
