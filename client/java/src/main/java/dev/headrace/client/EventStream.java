package dev.headrace.client;

import dev.headrace.v1.StreamEvent;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.function.IntFunction;

/** The events of one run in order, across as many gRPC streams as it takes. For one thread at a time. */
final class EventStream {
  /** To wait for the OK behind a prediction. */
  private static final Duration LONGEST_FAREWELL = Duration.ofSeconds(2);

  private final String address;
  private final Resumption resumption;
  private final Duration longestSilence;
  private final IntFunction<EventCall<?>> open;
  private EventCall<?> call;
  private StreamEvent ahead; // came with the acceptance, and is still to be read
  private boolean over;

  /** {@code open} asks for the events after a position. */
  EventStream(
      String address, Resumption resumption, Duration longestSilence, IntFunction<EventCall<?>> open) {
    this.address = address;
    this.resumption = resumption;
    this.longestSilence = longestSilence;
    this.open = open;
  }

  /** All there is to know was read. */
  boolean isOver() {
    return over;
  }

  /** Waits until the server has taken the request, which shows in the first message it sends. */
  void accepted() throws InterruptedException {
    ahead = next();
  }

  /** The next event that was recorded; null behind the last one of a run that succeeded. */
  StreamEvent read() throws InterruptedException {
    while (true) {
      StreamEvent event = ahead == null ? next() : ahead;
      ahead = null;

      if (event == null || !event.hasHeartbeat()) {
        return event;
      }
    }
  }

  /** Ends the stream. A reader that got its prediction stays for the OK behind it: it has not left early. */
  void close() {
    if (call == null) {
      return;
    }

    try {
      if (over) {
        call.read(LONGEST_FAREWELL);
      }
    } catch (StatusRuntimeException ended) {
      // so did the run, with its prediction
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    } finally {
      call.cancel();
      call = null;
    }
  }

  /** The next message of any kind, over as many calls as it takes. */
  private StreamEvent next() throws InterruptedException {
    while (!over) {
      try {
        StreamEvent event = receive();
        over = event == null || event.hasPrediction();

        if (event != null) {
          resumption.answered(event.getSequence());

          return event;
        }

        call = null;
      } catch (StatusRuntimeException error) {
        call.cancel();
        call = null;
        resumption.waitAfter(CallStatus.of(error, address, resumption.runId));
      }
    }

    return null;
  }

  private StreamEvent receive() throws InterruptedException {
    if (call == null) {
      call = open.apply(resumption.cursor());
    }

    return call.read(longestSilence);
  }
}
