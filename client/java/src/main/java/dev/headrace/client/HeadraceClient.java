package dev.headrace.client;

import dev.headrace.v1.AttachRequest;
import dev.headrace.v1.CancelRunRequest;
import dev.headrace.v1.CancelRunResponse;
import dev.headrace.v1.DeleteRunRequest;
import dev.headrace.v1.GetProgramRequest;
import dev.headrace.v1.GetRunRequest;
import dev.headrace.v1.GetServerInfoRequest;
import dev.headrace.v1.GetServerInfoResponse;
import dev.headrace.v1.HeadraceServiceGrpc.HeadraceServiceBlockingStub;
import dev.headrace.v1.InputResolved;
import dev.headrace.v1.ListProgramsRequest;
import dev.headrace.v1.ListProgramsResponse;
import dev.headrace.v1.ListRunsRequest;
import dev.headrace.v1.ListRunsResponse;
import dev.headrace.v1.OutputForm;
import dev.headrace.v1.PredictRequest;
import dev.headrace.v1.Prediction;
import dev.headrace.v1.Program;
import dev.headrace.v1.Run;
import dev.headrace.v1.RunRequest;
import dev.headrace.v1.RunView;
import dev.headrace.v1.SendInputRequest;
import io.grpc.Status;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;

/** Runs programs of one server. Threads may share it; one connection carries all runs. Close it. */
public final class HeadraceClient implements AutoCloseable {
  private static final Duration GOODBYE = Duration.ofSeconds(3);

  private final Connection connection;
  private final RunCalls calls;

  HeadraceClient(Connection connection, RunCalls calls) {
    this.connection = connection;
    this.calls = calls;
  }

  /** Speaks to a server on this machine, or in a trusted network, in clear text. */
  public static HeadraceClient connect(String address) {
    return to(address).build();
  }

  /** Options of a client; it connects at the first call. */
  public static ClientBuilder to(String address) {
    return new ClientBuilder(address);
  }

  // Runs

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
    EventStream stream = calls.run(request, start, read);
    OutputForm form = request.getOptions().getOutputForm();

    return new RunStream(request.getRunId(), this, stream, form, 0, true).accepted();
  }

  /** Reads a run that exists, live or ended, from its start. */
  public RunStream attach(String runId) {
    return attach(runId, 0, new ReadOptions());
  }

  /** Reads a run that exists, live or ended, after a position. Closing it does not stop the run. */
  public RunStream attach(String runId, int afterSequence, ReadOptions read) {
    AttachRequest request =
        AttachRequest.newBuilder()
            .setRunId(runId)
            .setAfterSequence(afterSequence)
            .setOptions(read.message())
            .build();
    EventStream stream = calls.attach(request, read);
    OutputForm form = request.getOptions().getOutputForm();

    return new RunStream(runId, this, stream, form, afterSequence, false).accepted();
  }

  /** Runs a program and gives its prediction; {@link Outputs} reads it. */
  public Prediction predict(String program, Object inputs) {
    return predict(program, inputs, new StartOptions());
  }

  /** Runs a program and gives its prediction. Interrupting the thread that waits stops the run. */
  public Prediction predict(String program, Object inputs, StartOptions start) {
    return predict(program, inputs, start, OutputForm.OUTPUT_FORM_JSON);
  }

  /** The same, with the outputs in the form asked for. */
  public Prediction predict(String program, Object inputs, StartOptions start, OutputForm form) {
    PredictRequest request = Requests.predict(Requests.start(program, inputs, start), form);

    try {
      return calls.predict(request, start);
    } catch (InterruptedException interrupted) {
      stop(request.getRunId());
      throw interrupted(request.getRunId());
    }
  }

  /** Answers an open question of a run: {@link #answer(String, String, Object, String)} without a reason. */
  public InputResolved answer(String runId, String inputId, Object value) {
    return answer(runId, inputId, value, "");
  }

  /**
   * Answers an open question of a run and gives how it ended. {@code value} is anything that fits its
   * schema as JSON; for leave to call a tool it is the arguments, or true for those proposed. {@code
   * reason} is told to the program.
   *
   * @throws RequestRefusedException where it does not fit (INPUT_INVALID; the question stays open), was
   *     answered otherwise or is over (INPUT_RESOLVED), or was never asked (INPUT_NOT_FOUND)
   */
  public InputResolved answer(String runId, String inputId, Object value, String reason) {
    return send(Requests.answer(runId, inputId, value, reason));
  }

  /** Says that there will be no answer, or that a tool must not be called. */
  public InputResolved decline(String runId, String inputId) {
    return decline(runId, inputId, "");
  }

  /** The same, and why; throws as {@link #answer(String, String, Object, String)} does. */
  public InputResolved decline(String runId, String inputId, String reason) {
    return send(Requests.decline(runId, inputId, reason));
  }

  /** A run's record: its state, open questions, and its prediction or failure once it has ended. */
  public Run getRun(String runId) {
    return getRun(runId, RunView.RUN_VIEW_BASIC, OutputForm.OUTPUT_FORM_JSON);
  }

  /** The same; a full view has the inputs too, and the outputs come in the form asked for. */
  public Run getRun(String runId, RunView view, OutputForm form) {
    GetRunRequest request =
        GetRunRequest.newBuilder().setRunId(runId).setView(view).setOutputForm(form).build();

    return connection.ask(runId, stub -> stub.getRun(request)).getRun();
  }

  /** The newest runs that may still be read, 100 at most. */
  public List<Run> runs() {
    return runs(new RunFilter());
  }

  /** The runs that may still be read, newest first, without predictions, failures and questions. */
  public List<Run> runs(RunFilter filter) {
    List<Run> runs = new ArrayList<>();
    String token = "";

    do {
      ListRunsRequest request = filter.page(token, runs.size());
      ListRunsResponse page = connection.ask("", stub -> stub.listRuns(request));
      runs.addAll(page.getRunsList());
      token = page.getNextPageToken();
    } while (!token.isEmpty() && runs.size() < filter.limit());

    return runs;
  }

  /** Stops a run and gives its record: {@link #cancel(String, String)} without a reason. */
  public CancelRunResponse cancel(String runId) {
    return cancel(runId, "");
  }

  /**
   * Stops a run and gives its record; one that had ended comes back unchanged. Where no run has this
   * name the answer has no run, and says until when one that comes is refused.
   */
  public CancelRunResponse cancel(String runId, String reason) {
    return cancel(runId, reason, Connection.CALL_TIMEOUT);
  }

  /** Ends a run if need be, and has the server forget all of it; its name is free again. */
  public void delete(String runId) {
    DeleteRunRequest request = DeleteRunRequest.newBuilder().setRunId(runId).build();
    connection.ask(runId, stub -> stub.deleteRun(request));
  }

  // Programs and the server

  /** The hosted programs, by name. */
  public List<Program> programs() {
    List<Program> programs = new ArrayList<>();
    String token = "";

    do {
      ListProgramsRequest request = ListProgramsRequest.newBuilder().setPageToken(token).build();
      ListProgramsResponse page = connection.ask("", stub -> stub.listPrograms(request));
      programs.addAll(page.getProgramsList());
      token = page.getNextPageToken();
    } while (!token.isEmpty());

    return programs;
  }

  /** One program: its fields, schemas as JSON text, predictors, tools, and inputs to try. */
  public Program describe(String program) {
    GetProgramRequest request = GetProgramRequest.newBuilder().setName(program).build();

    return connection.ask("", stub -> stub.getProgram(request)).getProgram();
  }

  /** The server's version, features and limits. */
  public GetServerInfoResponse serverInfo() {
    return connection.ask("", stub -> stub.getServerInfo(GetServerInfoRequest.getDefaultInstance()));
  }

  /** The generated stub over the same connection, for calls that have no method here. */
  public HeadraceServiceBlockingStub service() {
    return connection.blocking(null);
  }

  /** Ends the connection and everything that is still read over it. */
  @Override
  public void close() {
    connection.close();
  }

  // For runs that are being read

  Prediction recordedPrediction(String runId, OutputForm form) {
    Run run = getRun(runId, RunView.RUN_VIEW_BASIC, form);

    if (!run.hasPrediction()) {
      String message = "the run ended well without a prediction";
      throw CallStatus.own(Status.Code.INTERNAL, message, runId).exception();
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

  private CancelRunResponse cancel(String runId, String reason, Duration timeout) {
    CancelRunRequest request = CancelRunRequest.newBuilder().setRunId(runId).setReason(reason).build();

    return connection.ask(runId, timeout, stub -> stub.cancelRun(request));
  }

  private InputResolved send(SendInputRequest request) {
    return connection.ask(request.getRunId(), stub -> stub.sendInput(request)).getResolved();
  }
}
