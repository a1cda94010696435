package dev.headrace.client;

import io.grpc.Deadline;
import io.grpc.Status;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Decision after a call for a run ended badly: throw, or wait and make the same call again.
 *
 * <p>headrace-run-state in the trailers ends the reading, whatever it says; a code that speaks of the
 * road means: wait, and ask again, as long as there is progress; anything else says that the request
 * is wrong, or that its answer cannot be taken.
 */
final class Resumption {
  final String runId;

  /** Null without one. */
  final Deadline deadline;

  private final Backoff backoff;
  private final Connection connection;
  private int cursor;

  Resumption(String runId, int cursor, Backoff backoff, Deadline deadline, Connection connection) {
    this.runId = runId;
    this.cursor = cursor;
    this.backoff = backoff;
    this.deadline = deadline;
    this.connection = connection;
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
    if (connection.isClosed()) {
      throw new ServerUnreachableException("the client is closed", status);
    }

    if (!status.isCut()) {
      throw last(status);
    }

    Optional<Duration> delay = backoff.nextDelay(status.retryDelay());

    if (delay.isEmpty()) {
      throw givenUp(connection.explained(status));
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

    return (backoff.reached() ? status.ofAnAnswer() : status).exception();
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

    return CallStatus.own(Status.Code.DEADLINE_EXCEEDED, message, runId).exception();
  }
}
