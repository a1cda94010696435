package dev.headrace.client;

import dev.headrace.v1.StreamEvent;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.function.IntFunction;

/** The events of one run in order, across as many gRPC streams as it takes. For one thread at a time. */
final class EventStream {
  /** To wait for the OK behind a prediction. */
  private static final Duration LONGEST_FAREWELL = Duration.ofSeconds(2);

  private final Connection connection;
  private final Resumption resumption;
  private final Duration longestSilence;
  private final IntFunction<EventCall<?>> open;
  private final Deque<StreamEvent> arrived = new ArrayDeque<>(); // and still to be read
  private EventCall<?> call;
  private boolean over;

  /** {@code open} asks for the events after a position. */
  EventStream(
      Connection connection,
      Resumption resumption,
      Duration longestSilence,
      IntFunction<EventCall<?>> open) {
    this.connection = connection;
    this.resumption = resumption;
    this.longestSilence = longestSilence;
    this.open = open;
  }

  /** All there is to know has come. */
  boolean isOver() {
    return over || (!arrived.isEmpty() && arrived.getLast().hasPrediction());
  }

  /** Waits until the server has taken the request, which shows in the first message it sends. */
  void accepted() throws InterruptedException {
    fetch();
  }

  /** The next event that was recorded; null behind the last one of a run that succeeded. */
  StreamEvent read() throws InterruptedException {
    while (!over) {
      if (arrived.isEmpty()) {
        fetch();
        continue;
      }

      StreamEvent event = arrived.poll();
      over = event.hasPrediction();

      if (!event.hasHeartbeat()) {
        return event;
      }
    }

    return null;
  }

  /** Ends the stream. A reader that got its prediction stays for the OK behind it: it has not left early. */
  void close() {
    if (call == null) {
      return;
    }

    try {
      if (isOver()) {
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

  /** Waits for the next message, or the end, over as many calls as it takes. */
  private void fetch() throws InterruptedException {
    while (true) {
      try {
        StreamEvent message = receive();

        if (message == null) {
          over = true;
          call = null;
        } else {
          unpack(message);
        }

        return;
      } catch (StatusRuntimeException error) {
        call.cancel();
        call = null;
        resumption.waitAfter(connection.status(error, resumption.runId));
      }
    }
  }

  /** The events of a batch are as if each had come alone. */
  private void unpack(StreamEvent message) {
    List<StreamEvent> events =
        message.hasBatch() ? message.getBatch().getEventsList() : List.of(message);
    events.forEach(event -> resumption.answered(event.getSequence()));
    arrived.addAll(events);
  }

  private StreamEvent receive() throws InterruptedException {
    if (call == null) {
      call = open.apply(resumption.cursor());
    }

    return call.read(longestSilence);
  }
}
