package dev.headrace.client;

import dev.headrace.v1.StreamEvent;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * One gRPC stream, read one event at a time.
 *
 * <p>No more than a few events are asked for ahead of the reader; the rest waits in the server, which
 * merges it.
 */
final class EventCall<T> implements ClientResponseObserver<T, StreamEvent> {
  private static final int AHEAD = 16;

  private record End(StatusRuntimeException error) {}

  private final BlockingQueue<Object> arrived = new LinkedBlockingQueue<>();
  private ClientCallStreamObserver<T> call;

  @Override
  public void beforeStart(ClientCallStreamObserver<T> stream) {
    call = stream;
    stream.disableAutoRequestWithInitial(AHEAD);
  }

  @Override
  public void onNext(StreamEvent event) {
    arrived.add(event);
  }

  @Override
  public void onError(Throwable error) {
    arrived.add(new End(Status.fromThrowable(error).asRuntimeException(Status.trailersFromThrowable(error))));
  }

  @Override
  public void onCompleted() {
    arrived.add(new End(null));
  }

  /**
   * The next event; null behind the last one. A silence of this length counts as a stream that broke.
   *
   * @throws StatusRuntimeException when the stream ended badly
   */
  StreamEvent read(Duration silence) throws InterruptedException {
    Object next = arrived.poll(silence.toNanos(), TimeUnit.NANOSECONDS);

    if (next == null) {
      String heard = "not even a heartbeat in " + silence.toSeconds() + " s";
      throw Status.UNAVAILABLE.withDescription(heard).asRuntimeException();
    }

    if (next instanceof StreamEvent event) {
      call.request(1);
      return event;
    }

    StatusRuntimeException error = ((End) next).error;

    if (error != null) {
      throw error;
    }

    return null;
  }

  void cancel() {
    call.cancel("the reader left", null);
  }
}
