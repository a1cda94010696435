package dev.headrace.client;

import dev.headrace.v1.StreamEvent;
import io.grpc.ClientInterceptor;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.grpc.stub.MetadataUtils;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

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
  private final AtomicReference<Metadata> trailers = new AtomicReference<>();
  private ClientCallStreamObserver<T> call;

  /** To be set on the stub that makes the call: an end that is OK says in its trailers what it means. */
  ClientInterceptor capture() {
    return MetadataUtils.newCaptureMetadataInterceptor(new AtomicReference<>(), trailers);
  }

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
    boolean isSuspended = CallStatus.isSuspended(trailers.get());
    arrived.add(new End(isSuspended ? Status.OK.asRuntimeException(trailers.get()) : null));
  }

  /**
   * The next event; null behind the last one. A silence of this length counts as a stream that broke.
   *
   * @throws StatusRuntimeException when the stream ended badly, or though its run is not over
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
