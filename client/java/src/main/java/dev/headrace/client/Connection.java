package dev.headrace.client;

import dev.headrace.v1.HeadraceServiceGrpc;
import dev.headrace.v1.HeadraceServiceGrpc.HeadraceServiceBlockingStub;
import dev.headrace.v1.HeadraceServiceGrpc.HeadraceServiceStub;
import io.grpc.CallCredentials;
import io.grpc.Deadline;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.AbstractStub;
import io.grpc.stub.MetadataUtils;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;

/** The channel to one server with the caller's token on it, and the calls with one answer. */
final class Connection {
  static final Duration CALL_TIMEOUT = Duration.ofSeconds(10);

  private final String address;
  private final ManagedChannel channel;
  private final CallCredentials caller;
  private final Diagnosis diagnosis;

  /** {@code caller} is null without a token. */
  Connection(String address, boolean isSecure, ManagedChannel channel, CallCredentials caller) {
    this.address = address;
    this.channel = channel;
    this.caller = caller;
    this.diagnosis = new Diagnosis(address, isSecure);
  }

  /** One call with one answer; throws what its status stands for. */
  <T> T ask(String runId, Function<HeadraceServiceBlockingStub, T> call) {
    return ask(runId, CALL_TIMEOUT, call);
  }

  /** The same, within another time. */
  <T> T ask(String runId, Duration timeout, Function<HeadraceServiceBlockingStub, T> call) {
    AtomicReference<Metadata> headers = new AtomicReference<>();
    var capture = MetadataUtils.newCaptureMetadataInterceptor(headers, new AtomicReference<>());

    try {
      return call.apply(blocking(after(timeout)).withInterceptors(capture));
    } catch (StatusRuntimeException error) {
      CallStatus status = explained(status(error, runId));
      boolean isRecord = headers.get() != null && !runId.isEmpty();

      throw (isRecord ? status.ofAnAnswer() : status).exception();
    }
  }

  HeadraceServiceBlockingStub blocking(Deadline deadline) {
    return set(HeadraceServiceGrpc.newBlockingStub(channel), deadline);
  }

  /** Its callbacks only put events into a queue: no need for another thread. */
  HeadraceServiceStub streaming(Deadline deadline) {
    return set(HeadraceServiceGrpc.newStub(channel), deadline).withExecutor(Runnable::run);
  }

  CallStatus status(StatusRuntimeException error, String runId) {
    return CallStatus.of(error, address, runId);
  }

  /** The status of a call that did not reach the server, with what listens there instead. */
  CallStatus explained(CallStatus status) {
    return diagnosis.explained(status);
  }

  boolean isClosed() {
    return channel.isShutdown();
  }

  /** Ends everything that is still read over it. */
  void close() {
    channel.shutdownNow();
  }

  /** Null where there is no length. */
  static Deadline after(Duration length) {
    return length == null ? null : Deadline.after(length.toNanos(), TimeUnit.NANOSECONDS);
  }

  private <S extends AbstractStub<S>> S set(S stub, Deadline deadline) {
    channel.resetConnectBackoff(); // the delay between tries is ours; gRPC's own grows to minutes
    S named = caller == null ? stub : stub.withCallCredentials(caller);

    return deadline == null ? named : named.withDeadline(deadline);
  }
}
