package dev.headrace.client;

import dev.headrace.v1.AttachRequest;
import dev.headrace.v1.HeadraceServiceGrpc.HeadraceServiceBlockingStub;
import dev.headrace.v1.HeadraceServiceGrpc.HeadraceServiceStub;
import dev.headrace.v1.PredictRequest;
import dev.headrace.v1.Prediction;
import dev.headrace.v1.RunRequest;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.IntFunction;

/** The calls that last as long as a run: Run, Attach and Predict, made again where that may help. */
final class RunCalls {
  /** A run's own timeout is kept by the server; this much later its reader stops waiting. */
  private static final Duration OVERTIME = Duration.ofSeconds(5);

  private final Connection connection;
  private final int retries;
  private final Backoff.Delays delays;

  RunCalls(Connection connection, int retries, Backoff.Delays delays) {
    this.connection = connection;
    this.retries = retries;
    this.delays = delays;
  }

  EventStream run(RunRequest request, StartOptions start, ReadOptions read) {
    Deadline deadline = earlier(deadlineOf(start), Connection.after(read.deadline()));
    IntFunction<EventCall<?>> open =
        cursor -> {
          EventCall<RunRequest> call = new EventCall<>();
          RunRequest next = request.toBuilder().setAfterSequence(cursor).build();
          HeadraceServiceStub stub = connection.streaming(deadline).withInterceptors(call.capture());
          stub.run(next, call);
          return call;
        };

    return stream(resumption(request.getRunId(), 0, deadline), open);
  }

  EventStream attach(AttachRequest request, ReadOptions read) {
    Deadline deadline = Connection.after(read.deadline());
    IntFunction<EventCall<?>> open =
        cursor -> {
          EventCall<AttachRequest> call = new EventCall<>();
          AttachRequest next = request.toBuilder().setAfterSequence(cursor).build();
          HeadraceServiceStub stub = connection.streaming(deadline).withInterceptors(call.capture());
          stub.attach(next, call);
          return call;
        };

    return stream(resumption(request.getRunId(), request.getAfterSequence(), deadline), open);
  }

  Prediction predict(PredictRequest request, StartOptions start) throws InterruptedException {
    Deadline deadline = deadlineOf(start);
    Resumption resumption = resumption(request.getRunId(), 0, deadline);

    while (true) {
      AtomicReference<Metadata> headers = new AtomicReference<>();
      var capture = MetadataUtils.newCaptureMetadataInterceptor(headers, new AtomicReference<>());
      HeadraceServiceBlockingStub stub = connection.blocking(deadline).withInterceptors(capture);

      try {
        return stub.predict(request).getPrediction();
      } catch (StatusRuntimeException error) {
        if (Thread.interrupted()) {
          throw new InterruptedException();
        }

        if (headers.get() != null) {
          resumption.answered(0); // accepted, then cut: worth more tries
        }

        resumption.waitAfter(connection.status(error, request.getRunId()));
      }
    }
  }

  private EventStream stream(Resumption resumption, IntFunction<EventCall<?>> open) {
    return new EventStream(connection, resumption, delays.silence(), open);
  }

  private Resumption resumption(String runId, int cursor, Deadline deadline) {
    return new Resumption(runId, cursor, new Backoff(retries, delays), deadline, connection);
  }

  private static Deadline deadlineOf(StartOptions start) {
    return start.timeout() == null ? null : Connection.after(start.timeout().plus(OVERTIME));
  }

  private static Deadline earlier(Deadline one, Deadline other) {
    if (one == null || other == null) {
      return one == null ? other : one;
    }

    return one.minimum(other);
  }
}
