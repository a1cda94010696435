package dev.headrace.client;

import com.google.protobuf.Any;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import dev.headrace.v1.AttachRequest;
import dev.headrace.v1.CancelRunRequest;
import dev.headrace.v1.CancelRunResponse;
import dev.headrace.v1.GetRunRequest;
import dev.headrace.v1.GetRunResponse;
import dev.headrace.v1.HeadraceServiceGrpc;
import dev.headrace.v1.Heartbeat;
import dev.headrace.v1.ListProgramsRequest;
import dev.headrace.v1.ListProgramsResponse;
import dev.headrace.v1.PredictRequest;
import dev.headrace.v1.PredictResponse;
import dev.headrace.v1.Prediction;
import dev.headrace.v1.Program;
import dev.headrace.v1.Run;
import dev.headrace.v1.RunRequest;
import dev.headrace.v1.StreamEvent;
import dev.headrace.v1.Token;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Queue;

/**
 * A server that plays one log from any cursor. {@code endings} holds one entry per call; once they are
 * used up calls end OK.
 */
final class Scripted extends HeadraceServiceGrpc.HeadraceServiceImplBase implements AutoCloseable {
  static final String WHOLE = "Größe → 長さ";

  /** How a call ends other than OK; {@code after}: for streams, how many events are sent before. */
  record Ending(
      Status.Code code, String reason, String runState, Duration delay, String violation, int after) {
    static Ending cut(Status.Code code, int after) {
      return new Ending(code, "", "", Duration.ZERO, "", after);
    }

    static Ending because(Status.Code code, String reason) {
      return new Ending(code, reason, "", Duration.ZERO, "", 0);
    }

    Ending over(String runState, int after) {
      return new Ending(code, reason, runState, delay, violation, after);
    }

    Ending retryIn(Duration delay) {
      return new Ending(code, reason, runState, delay, violation, after);
    }

    Ending violating(String field) {
      return new Ending(code, reason, runState, delay, field, after);
    }
  }

  final List<RunRequest> runs = Collections.synchronizedList(new ArrayList<>());
  final List<PredictRequest> predicts = Collections.synchronizedList(new ArrayList<>());
  final List<Integer> cursors = Collections.synchronizedList(new ArrayList<>());
  final List<String> cancelled = Collections.synchronizedList(new ArrayList<>());
  final Queue<Ending> endings = new ArrayDeque<>();
  volatile List<StreamEvent> events = composed();

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

    return new HeadraceClient(
        address,
        false,
        Channels.open(address, InsecureChannelCredentials.create()),
        null,
        retries,
        new Backoff.Delays(Duration.ofMillis(1), Duration.ofMillis(5), silence));
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
    play(request.getAfterSequence(), out);
  }

  @Override
  public void predict(PredictRequest request, StreamObserver<PredictResponse> out) {
    predicts.add(request);
    Ending ending = endings.poll();

    if (ending != null) {
      out.onError(error(ending));
    } else if (holds) {
      asked.run();
    } else {
      out.onNext(PredictResponse.newBuilder().setPrediction(last()).build());
      out.onCompleted();
    }
  }

  @Override
  public void getRun(GetRunRequest request, StreamObserver<GetRunResponse> out) {
    Ending ending = endings.poll();

    if (ending != null) {
      out.onError(error(ending));
      return;
    }

    Value answer = Value.newBuilder().setStringValue("as recorded").build();
    Struct outputs = Struct.newBuilder().putFields("answer", answer).build(); // a record has no JSON text
    Prediction prediction = Prediction.newBuilder().setOutputs(outputs).build();
    Run run = Run.newBuilder().setRunId(request.getRunId()).setPrediction(prediction).build();
    out.onNext(GetRunResponse.newBuilder().setRun(run).build());
    out.onCompleted();
  }

  @Override
  public void cancelRun(CancelRunRequest request, StreamObserver<CancelRunResponse> out) {
    cancelled.add(request.getRunId());
    Run run = Run.newBuilder().setState(Run.State.STATE_CANCELLED).build();
    out.onNext(CancelRunResponse.newBuilder().setRun(run).build());
    out.onCompleted();
  }

  @Override
  public void listPrograms(ListProgramsRequest request, StreamObserver<ListProgramsResponse> out) {
    boolean isFirst = request.getPageToken().isEmpty();
    Program program = Program.newBuilder().setName(isFirst ? "composer" : "qa").build();
    out.onNext(
        ListProgramsResponse.newBuilder()
            .addPrograms(program)
            .setNextPageToken(isFirst ? "composer" : "")
            .build());
    out.onCompleted();
  }

  private void play(int after, StreamObserver<StreamEvent> out) {
    Ending ending = endings.poll();
    cursors.add(after);
    List<StreamEvent> left = behind(after);

    for (StreamEvent event : ending == null ? left : left.subList(0, Math.min(ending.after, left.size()))) {
      out.onNext(event);
    }

    if (ending != null) {
      out.onError(error(ending));
    } else if (!holds) {
      out.onCompleted();
    }
  }

  /** The events after a position; those of a merged group come with its last one. */
  private List<StreamEvent> behind(int after) {
    List<Integer> sequences = events.stream().map(StreamEvent::getSequence).toList();

    return after == 0 ? events : events.subList(sequences.indexOf(after) + 1, events.size());
  }

  private Prediction last() {
    return events.get(events.size() - 1).getPrediction();
  }

  private static StatusRuntimeException error(Ending ending) {
    Metadata trailers = new Metadata();

    if (!ending.runState.isEmpty()) {
      trailers.put(key("headrace-run-state"), ending.runState);
    }

    if (!ending.reason.isEmpty()) {
      trailers.put(key("headrace-error-reason"), ending.reason);
    }

    if (!ending.reason.isEmpty() && ending.violation.isEmpty() && ending.delay.isZero()) {
      return ending.code.toStatus().withDescription("scripted").asRuntimeException(trailers); // plain
    }

    return StatusProto.toStatusRuntimeException(details(ending), trailers);
  }

  private static com.google.rpc.Status details(Ending ending) {
    com.google.rpc.Status.Builder rich =
        com.google.rpc.Status.newBuilder().setCode(ending.code.value()).setMessage("scripted");

    if (!ending.reason.isEmpty()) {
      rich.addDetails(
          Any.pack(ErrorInfo.newBuilder().setReason(ending.reason).putMetadata("model", "m").build()));
    }

    if (!ending.delay.isZero()) {
      rich.addDetails(
          Any.pack(RetryInfo.newBuilder().setRetryDelay(ReadOptions.message(ending.delay)).build()));
    }

    if (!ending.violation.isEmpty()) {
      BadRequest.FieldViolation one =
          BadRequest.FieldViolation.newBuilder()
              .setField(ending.violation)
              .setDescription("unknown")
              .build();
      rich.addDetails(Any.pack(BadRequest.newBuilder().addFieldViolations(one).build()));
    }

    return rich.build();
  }

  private static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  // Events, in short

  static StreamEvent token(int sequence, String field, String chunk, int offset) {
    Token token =
        Token.newBuilder()
            .setPredictor("compose")
            .setField(field)
            .setChunk(chunk)
            .setOffset(offset)
            .setCallId(2)
            .build();

    return StreamEvent.newBuilder().setSequence(sequence).setToken(token).build();
  }

  static StreamEvent prediction(int sequence, String outputs) {
    return StreamEvent.newBuilder()
        .setSequence(sequence)
        .setPrediction(Prediction.newBuilder().setOutputsJson(outputs))
        .build();
  }

  static StreamEvent heartbeat(int sequence) {
    return StreamEvent.newBuilder()
        .setSequence(sequence)
        .setHeartbeat(Heartbeat.getDefaultInstance())
        .build();
  }

  /** A run that says WHOLE in tokens. */
  static List<StreamEvent> composed() {
    return List.of(
        token(1, "answer", "Grö", 0),
        token(2, "answer", "ße ", 3),
        token(3, "answer", "→ ", 6),
        token(4, "answer", "長さ", 8),
        prediction(5, "{\"answer\": \"" + WHOLE + "\", \"count\": 9007199254740993}"));
  }
}
