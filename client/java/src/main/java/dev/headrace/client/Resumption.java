package dev.headrace.client;

import io.grpc.Deadline;
import io.grpc.Status;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * Decision after a call for a run ended badly: throw, or wait and make the same call again.
 *
 * <p>headrace-run-state in the trailers ends with the run's failure; a code that speaks of the road
 * means: wait, and ask again, as long as there is progress; anything else says that the request is
 * wrong.
 */
final class Resumption {
  final String runId;

  /** Null without one. */
  final Deadline deadline;

  private final Backoff backoff;
  private final BooleanSupplier isClosed;
  private final Diagnosis diagnosis;
  private int cursor;

  /** {@code isClosed}: whether the client is. */
  Resumption(
      String runId, int cursor, Backoff backoff, Deadline deadline, BooleanSupplier isClosed, Diagnosis diagnosis) {
    this.runId = runId;
    this.cursor = cursor;
    this.backoff = backoff;
    this.deadline = deadline;
    this.isClosed = isClosed;
    this.diagnosis = diagnosis;
  }

  /** The last position seen: what is recorded after it is still to come. */
  int cursor() {
    return cursor;
  }

  /** The server answered, at this position unless 0. Only a new position is progress. */
  void answered(int sequence) {
    if (sequence > cursor) {
      cursor = sequence;
      backoff.progressed();
    } else {
      backoff.answered();
    }
  }

  /** Returns when the call may be made again; throws what its status stands for when it may not. */
  void waitAfter(CallStatus status) throws InterruptedException {
    if (isClosed.getAsBoolean()) {
      throw new ServerUnreachableException("the client is closed", status);
    }

    if (!status.isCut()) {
      throw last(status);
    }

    Optional<Duration> delay = backoff.nextDelay(status.retryDelay());

    if (delay.isEmpty()) {
      throw givenUp(diagnosis.explained(status));
    }

    long nanos = delay.get().toNanos();

    if (deadline != null && deadline.timeRemaining(TimeUnit.NANOSECONDS) <= nanos) {
      throw tooLate();
    }

    TimeUnit.NANOSECONDS.sleep(nanos);
  }

  private HeadraceException last(CallStatus status) {
    if (status.code() == Status.Code.DEADLINE_EXCEEDED && status.reason().isEmpty()) {
      return tooLate();
    }

    if (status.reason().equals("RUN_NOT_FOUND") && backoff.reached()) {
      return new RunFailedException(
          "the server no longer knows run " + runId + ": it restarted, or let go of the run", status);
    }

    return status.exception();
  }

  private HeadraceException givenUp(CallStatus status) {
    if (cursor == 0) {
      return status.exception();
    }

    String where = " (run " + runId + " was read up to event " + cursor + ")";

    return status.withMessage(status.message() + where).exception();
  }

  private HeadraceException tooLate() {
    String message = "run " + runId + " did not end in the time given";
    Status.Code code = Status.Code.DEADLINE_EXCEEDED;

    return new CallStatus(code, message, "", runId, "", null, List.of(), Map.of()).exception();
  }
}
