package dev.headrace.client;

import com.google.protobuf.Message;
import com.google.protobuf.Timestamp;
import dev.headrace.v1.AttachRequest;
import dev.headrace.v1.CancelRunRequest;
import dev.headrace.v1.CancelRunResponse;
import dev.headrace.v1.DeleteRunRequest;
import dev.headrace.v1.DeleteRunResponse;
import dev.headrace.v1.GetProgramRequest;
import dev.headrace.v1.GetProgramResponse;
import dev.headrace.v1.GetRunRequest;
import dev.headrace.v1.GetRunResponse;
import dev.headrace.v1.GetServerInfoRequest;
import dev.headrace.v1.GetServerInfoResponse;
import dev.headrace.v1.HeadraceServiceGrpc;
import dev.headrace.v1.InputResolved;
import dev.headrace.v1.ListProgramsRequest;
import dev.headrace.v1.ListProgramsResponse;
import dev.headrace.v1.ListRunsRequest;
import dev.headrace.v1.ListRunsResponse;
import dev.headrace.v1.PredictRequest;
import dev.headrace.v1.PredictResponse;
import dev.headrace.v1.Prediction;
import dev.headrace.v1.Program;
import dev.headrace.v1.Run;
import dev.headrace.v1.RunRequest;
import dev.headrace.v1.SendInputRequest;
import dev.headrace.v1.SendInputResponse;
import dev.headrace.v1.StreamEvent;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * A server that plays one log from any cursor. {@code endings} holds one entry per call; once they are
 * used up calls end OK.
 */
final class Scripted extends HeadraceServiceGrpc.HeadraceServiceImplBase implements AutoCloseable {
  final List<RunRequest> runs = Collections.synchronizedList(new ArrayList<>());
  final List<PredictRequest> predicts = Collections.synchronizedList(new ArrayList<>());
  final List<Integer> cursors = Collections.synchronizedList(new ArrayList<>());
  final List<String> cancelled = Collections.synchronizedList(new ArrayList<>());

  /** All other requests, of any kind. */
  final List<Message> requests = Collections.synchronizedList(new ArrayList<>());

  final Queue<Ending> endings = new ConcurrentLinkedQueue<>();

  /** What streams send, in order; a batch is one message. */
  volatile List<StreamEvent> events = Events.composed();

  /** What GetRun gives. */
  volatile Prediction recorded = Events.prediction(0, "{\"answer\": \"as recorded\"}").getPrediction();

  /** What ListRuns pages through. */
  volatile List<Run> listed = List.of();

  /** Calls stay open behind the last event. */
  volatile boolean holds;

  /** After which clients think that a stream is dead. */
  Duration silence = Backoff.Delays.USUAL.silence();

  /** Called at every predict that stays open. */
  Runnable asked = () -> {};

  private final Server server;

  Scripted(Ending... endings) throws IOException {
    this.endings.addAll(List.of(endings));
    server =
        Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create())
            .addService(this)
            .build()
            .start();
  }

  int port() {
    return server.getPort();
  }

  HeadraceClient client() {
    return client(10);
  }

  HeadraceClient client(int retries) {
    String address = "127.0.0.1:" + server.getPort();
    Connection connection =
        new Connection(
            address, false, Channels.open(address, InsecureChannelCredentials.create()), null);
    Backoff.Delays delays =
        new Backoff.Delays(Duration.ofMillis(1), Duration.ofMillis(5), silence);

    return new HeadraceClient(connection, new RunCalls(connection, retries, delays));
  }

  @Override
  public void close() {
    server.shutdownNow();
  }

  @Override
  public void run(RunRequest request, StreamObserver<StreamEvent> out) {
    runs.add(request);
    play(request.getAfterSequence(), out);
  }

  @Override
  public void attach(AttachRequest request, StreamObserver<StreamEvent> out) {
    requests.add(request);
    play(request.getAfterSequence(), out);
  }

  @Override
  public void predict(PredictRequest request, StreamObserver<PredictResponse> out) {
    predicts.add(request);

    if (endings.isEmpty() && holds) {
      asked.run();
    } else {
      give(out, PredictResponse.newBuilder().setPrediction(last()).build());
    }
  }

  @Override
  public void getRun(GetRunRequest request, StreamObserver<GetRunResponse> out) {
    requests.add(request);
    Run run = Run.newBuilder().setRunId(request.getRunId()).setPrediction(recorded).build();
    give(out, GetRunResponse.newBuilder().setRun(run).build());
  }

  @Override
  public void listRuns(ListRunsRequest request, StreamObserver<ListRunsResponse> out) {
    requests.add(request);
    int from = request.getPageToken().isEmpty() ? 0 : Integer.parseInt(request.getPageToken());
    int to = Math.min(from + request.getPageSize(), listed.size());
    String next = to < listed.size() ? String.valueOf(to) : "";
    give(
        out,
        ListRunsResponse.newBuilder().addAllRuns(listed.subList(from, to)).setNextPageToken(next).build());
  }

  /** Knows the runs that were started, and no others. */
  @Override
  public void cancelRun(CancelRunRequest request, StreamObserver<CancelRunResponse> out) {
    cancelled.add(request.getRunId());
    boolean isKnown =
        runs.stream().anyMatch(run -> run.getRunId().equals(request.getRunId()))
            || predicts.stream().anyMatch(run -> run.getRunId().equals(request.getRunId()));
    CancelRunResponse.Builder answer = CancelRunResponse.newBuilder();

    if (isKnown) {
      answer.setRun(Run.newBuilder().setState(Run.State.STATE_CANCELLED));
    } else {
      answer.setRefusedUntil(Timestamp.newBuilder().setSeconds(60));
    }

    give(out, answer.build());
  }

  @Override
  public void deleteRun(DeleteRunRequest request, StreamObserver<DeleteRunResponse> out) {
    requests.add(request);
    give(out, DeleteRunResponse.getDefaultInstance());
  }

  @Override
  public void sendInput(SendInputRequest request, StreamObserver<SendInputResponse> out) {
    requests.add(request);
    InputResolved.Outcome outcome =
        request.getDecline()
            ? InputResolved.Outcome.OUTCOME_DECLINED
            : InputResolved.Outcome.OUTCOME_ANSWERED;
    InputResolved.Builder resolved =
        InputResolved.newBuilder()
            .setInputId(request.getInputId())
            .setOutcome(outcome)
            .setReason(request.getReason());
    give(out, SendInputResponse.newBuilder().setResolved(resolved).build());
  }

  @Override
  public void listPrograms(ListProgramsRequest request, StreamObserver<ListProgramsResponse> out) {
    boolean isFirst = request.getPageToken().isEmpty();
    Program program = Program.newBuilder().setName(isFirst ? "composer" : "qa").build();
    give(
        out,
        ListProgramsResponse.newBuilder()
            .addPrograms(program)
            .setNextPageToken(isFirst ? "composer" : "")
            .build());
  }

  @Override
  public void getProgram(GetProgramRequest request, StreamObserver<GetProgramResponse> out) {
    Program program = Program.newBuilder().setName(request.getName()).setInterfaceRevision("abc").build();
    give(out, GetProgramResponse.newBuilder().setProgram(program).build());
  }

  @Override
  public void getServerInfo(GetServerInfoRequest request, StreamObserver<GetServerInfoResponse> out) {
    give(out, GetServerInfoResponse.newBuilder().setVersion("0.1.0").build());
  }

  private <T> void give(StreamObserver<T> out, T answer) {
    Ending ending = endings.poll();

    if (ending != null) {
      out.onError(ending.error());
    } else {
      out.onNext(answer);
      out.onCompleted();
    }
  }

  private void play(int after, StreamObserver<StreamEvent> out) {
    Ending ending = endings.poll();
    cursors.add(after);
    List<StreamEvent> left = behind(after);

    for (StreamEvent event : ending == null ? left : left.subList(0, Math.min(ending.after(), left.size()))) {
      out.onNext(event);
    }

    if (ending != null) {
      out.onError(ending.error());
    } else if (!holds) {
      out.onCompleted();
    }
  }

  /** The messages after a position; events of a merged group come with its last one. */
  private List<StreamEvent> behind(int after) {
    List<StreamEvent> left = new ArrayList<>();
    boolean isBehind = after == 0;

    for (StreamEvent message : events) {
      List<StreamEvent> parts = Events.parts(message);
      int found = parts.stream().map(StreamEvent::getSequence).toList().indexOf(after);

      if (isBehind) {
        left.add(message);
      } else if (found >= 0 && found + 1 < parts.size()) {
        left.add(Events.batch(parts.subList(found + 1, parts.size()).toArray(StreamEvent[]::new)));
      }

      isBehind = isBehind || found >= 0;
    }

    return left;
  }

  private Prediction last() {
    return events.get(events.size() - 1).getPrediction();
  }
}
