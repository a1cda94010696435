package dev.headrace.client;

import dev.headrace.v1.PredictRequest;
import dev.headrace.v1.RunRequest;
import java.util.UUID;

/** The requests that start runs. */
final class Requests {
  private Requests() {}

  /** A request with a run id, so that it can be made again. */
  static RunRequest start(String program, Object inputs, StartOptions options) {
    RunRequest.Builder request =
        options.request().toBuilder().setProgram(program).setInputsJson(Outputs.inputsJson(inputs));

    if (request.getRunId().isEmpty()) {
      request.setRunId(UUID.randomUUID().toString());
    }

    return request.build();
  }

  /** The same, for the prediction alone. */
  static PredictRequest predict(RunRequest start) {
    PredictRequest.Builder request =
        PredictRequest.newBuilder()
            .setProgram(start.getProgram())
            .setInputsJson(start.getInputsJson())
            .setRunId(start.getRunId())
            .setLinger(start.getLinger())
            .setRevision(start.getRevision())
            .putAllLabels(start.getLabelsMap())
            .setOutputsJson(true);

    return start.hasTimeout() ? request.setTimeout(start.getTimeout()).build() : request.build();
  }
}
