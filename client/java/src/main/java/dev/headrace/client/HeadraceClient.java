package dev.headrace.client;

import dev.headrace.v1.AttachRequest;
import dev.headrace.v1.CancelRunRequest;
import dev.headrace.v1.GetRunRequest;
import dev.headrace.v1.HeadraceServiceGrpc;
import dev.headrace.v1.HeadraceServiceGrpc.HeadraceServiceBlockingStub;
import dev.headrace.v1.HeadraceServiceGrpc.HeadraceServiceStub;
import dev.headrace.v1.ListProgramsRequest;
import dev.headrace.v1.ListProgramsResponse;
import dev.headrace.v1.PredictRequest;
import dev.headrace.v1.Prediction;
import dev.headrace.v1.Program;
import dev.headrace.v1.Run;
import dev.headrace.v1.RunRequest;
import io.grpc.CallCredentials;
import io.grpc.Deadline;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.AbstractStub;
import io.grpc.stub.MetadataUtils;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.function.IntFunction;

/** Runs programs of one server. Threads may share it; one connection carries all runs. Close it. */
public final class HeadraceClient implements AutoCloseable {
  /** A run's own timeout is kept by the server; this much later its reader stops waiting. */
  private static final Duration OVERTIME = Duration.ofSeconds(5);

  private static final Duration CALL_TIMEOUT = Duration.ofSeconds(10);
  private static final Duration GOODBYE = Duration.ofSeconds(3);

  private final String address;
  private final ManagedChannel channel;
  private final CallCredentials caller;
  private final int retries;
  private final Backoff.Delays delays;
  private final Diagnosis diagnosis;

  HeadraceClient(
      String address,
      boolean isSecure,
      ManagedChannel channel,
      CallCredentials caller,
      int retries,
      Backoff.Delays delays) {
    this.address = address;
    this.diagnosis = new Diagnosis(address, isSecure);
    this.channel = channel;
    this.caller = caller;
    this.retries = retries;
    this.delays = delays;
  }

  /** Speaks to a server on this machine, or in a trusted network, in clear text. */
  public static HeadraceClient connect(String address) {
    return to(address).build();
  }

  /** Options of a client; it connects at the first call. */
  public static ClientBuilder to(String address) {
    return new ClientBuilder(address);
  }

  /** Starts a run of a program and reads it. {@code inputs}: a map, or a record or object with fields. */
  public RunStream run(String program, Object inputs) {
    return run(program, inputs, new StartOptions(), new ReadOptions());
  }

  /**
   * Starts a run of a program, or joins the run of the same name, and reads it. It returns once the
   * server has accepted the request.
   */
  public RunStream run(String program, Object inputs, StartOptions start, ReadOptions read) {
    RunRequest request =
        Requests.start(program, inputs, start).toBuilder().setOptions(read.message()).build();
    Deadline deadline = earlier(deadlineOf(start), after(read.deadline()));
    IntFunction<EventCall<?>> open =
        cursor -> {
          EventCall<RunRequest> call = new EventCall<>();
          streaming(deadline).run(request.toBuilder().setAfterSequence(cursor).build(), call);
          return call;
        };

    return reader(request.getRunId(), 0, deadline, open, true);
  }

  /** Reads a run that exists, live or ended, from its start. */
  public RunStream attach(String runId) {
    return attach(runId, 0, new ReadOptions());
  }

  /** Reads a run that exists, live or ended, after a position. Closing it does not stop the run. */
  public RunStream attach(String runId, int afterSequence, ReadOptions read) {
    AttachRequest request = AttachRequest.newBuilder().setRunId(runId).setOptions(read.message()).build();
    Deadline deadline = after(read.deadline());
    IntFunction<EventCall<?>> open =
        cursor -> {
          EventCall<AttachRequest> call = new EventCall<>();
          streaming(deadline).attach(request.toBuilder().setAfterSequence(cursor).build(), call);
          return call;
        };

    return reader(runId, afterSequence, deadline, open, false);
  }

  /** Runs a program and gives its prediction; {@link Outputs} reads it. */
  public Prediction predict(String program, Object inputs) {
    return predict(program, inputs, new StartOptions());
  }

  /** Runs a program and gives its prediction. Interrupting the thread that waits stops the run. */
  public Prediction predict(String program, Object inputs, StartOptions start) {
    PredictRequest request = Requests.predict(Requests.start(program, inputs, start));
    Deadline deadline = deadlineOf(start);
    Resumption resumption = resumption(request.getRunId(), 0, deadline);

    while (true) {
      AtomicReference<Metadata> headers = new AtomicReference<>();
      HeadraceServiceBlockingStub stub =
          blocking(deadline)
              .withInterceptors(
                  MetadataUtils.newCaptureMetadataInterceptor(headers, new AtomicReference<>()));

      try {
        return stub.predict(request).getPrediction();
      } catch (StatusRuntimeException error) {
        waitAfter(error, resumption, headers.get() != null);
      }
    }
  }

  /** A run's record: its state, and its prediction or failure once it has ended. */
  public Run getRun(String runId) {
    GetRunRequest request = GetRunRequest.newBuilder().setRunId(runId).build();

    return ask(runId, CALL_TIMEOUT, stub -> stub.getRun(request)).getRun();
  }

  /** Stops a run and gives its record; one that had ended comes back unchanged. */
  public Run cancel(String runId, String reason) {
    return cancel(runId, reason, CALL_TIMEOUT);
  }

  /** The hosted programs, by name. */
  public List<Program> programs() {
    List<Program> programs = new ArrayList<>();
    String token = "";

    do {
      ListProgramsRequest request = ListProgramsRequest.newBuilder().setPageToken(token).build();
      ListProgramsResponse page = ask("", CALL_TIMEOUT, stub -> stub.listPrograms(request));
      programs.addAll(page.getProgramsList());
      token = page.getNextPageToken();
    } while (!token.isEmpty());

    return programs;
  }

  /** The generated stub over the same connection, for calls that have no method here. */
  public HeadraceServiceBlockingStub service() {
    return blocking(null);
  }

  /** Ends the connection and everything that is still read over it. */
  @Override
  public void close() {
    channel.shutdownNow();
  }

  Prediction recordedPrediction(String runId) {
    Run run = getRun(runId);

    if (!run.hasPrediction()) {
      String message = "the run ended well without a prediction";
      Status none = Status.INTERNAL.withDescription(message);
      throw CallStatus.of(none.asRuntimeException(), address, runId).exception();
    }

    return run.getPrediction();
  }

  /** Stops a run whose reader leaves, also on a thread that was interrupted. */
  void stop(String runId) {
    boolean wasInterrupted = Thread.interrupted();

    try {
      cancel(runId, "the reader left", GOODBYE);
    } catch (HeadraceException ignored) {
      // its linger ends it
    } finally {
      if (wasInterrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  static CancellationException interrupted(String runId) {
    Thread.currentThread().interrupt();

    return new CancellationException("interrupted while waiting for run " + runId);
  }

  private Run cancel(String runId, String reason, Duration timeout) {
    CancelRunRequest request = CancelRunRequest.newBuilder().setRunId(runId).setReason(reason).build();

    return ask(runId, timeout, stub -> stub.cancelRun(request)).getRun();
  }

  private void waitAfter(StatusRuntimeException error, Resumption resumption, boolean accepted) {
    try {
      if (Thread.interrupted()) {
        throw new InterruptedException();
      }

      if (accepted) {
        resumption.answered(0); // and then cut: worth more tries
      }

      resumption.waitAfter(CallStatus.of(error, address, resumption.runId));
    } catch (InterruptedException interrupted) {
      stop(resumption.runId);
      throw interrupted(resumption.runId);
    }
  }

  private <T> T ask(String runId, Duration timeout, Function<HeadraceServiceBlockingStub, T> call) {
    try {
      return call.apply(blocking(after(timeout)));
    } catch (StatusRuntimeException error) {
      throw diagnosis.explained(CallStatus.of(error, address, runId)).exception();
    }
  }

  private RunStream reader(
      String runId, int cursor, Deadline deadline, IntFunction<EventCall<?>> open, boolean stopsOnLeaving) {
    Resumption resumption = resumption(runId, cursor, deadline);
    EventStream stream = new EventStream(address, resumption, delays.silence(), open);

    return new RunStream(runId, this, stream, cursor, stopsOnLeaving).accepted();
  }

  private Resumption resumption(String runId, int cursor, Deadline deadline) {
    Backoff backoff = new Backoff(retries, delays);

    return new Resumption(runId, cursor, backoff, deadline, channel::isShutdown, diagnosis);
  }

  private HeadraceServiceBlockingStub blocking(Deadline deadline) {
    return set(HeadraceServiceGrpc.newBlockingStub(channel), deadline);
  }

  /** Its callbacks only put events into a queue: no need for another thread. */
  private HeadraceServiceStub streaming(Deadline deadline) {
    return set(HeadraceServiceGrpc.newStub(channel), deadline).withExecutor(Runnable::run);
  }

  private <S extends AbstractStub<S>> S set(S stub, Deadline deadline) {
    channel.resetConnectBackoff(); // the delay between tries is ours; gRPC's own grows to minutes
    S named = caller == null ? stub : stub.withCallCredentials(caller);

    return deadline == null ? named : named.withDeadline(deadline);
  }

  private static Deadline deadlineOf(StartOptions start) {
    return start.timeout() == null ? null : after(start.timeout().plus(OVERTIME));
  }

  private static Deadline after(Duration length) {
    return length == null ? null : Deadline.after(length.toNanos(), TimeUnit.NANOSECONDS);
  }

  private static Deadline earlier(Deadline one, Deadline other) {
    if (one == null || other == null) {
      return one == null ? other : one;
    }

    return one.minimum(other);
  }
}
