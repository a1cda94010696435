package dev.headrace.client;

import dev.headrace.v1.OutputForm;
import dev.headrace.v1.PredictRequest;
import dev.headrace.v1.RunRequest;
import dev.headrace.v1.SendInputRequest;
import java.util.UUID;

/** The requests that start runs and answer them. */
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
  static PredictRequest predict(RunRequest start, OutputForm form) {
    PredictRequest.Builder request =
        PredictRequest.newBuilder()
            .setProgram(start.getProgram())
            .setInputsJson(start.getInputsJson())
            .setRunId(start.getRunId())
            .setLinger(start.getLinger())
            .setRevision(start.getRevision())
            .setInterfaceRevision(start.getInterfaceRevision())
            .putAllLabels(start.getLabelsMap())
            .setOutputForm(form);

    return start.hasTimeout() ? request.setTimeout(start.getTimeout()).build() : request.build();
  }

  /** An answer, which may be anything that has a JSON form; null is JSON's null. */
  static SendInputRequest answer(String runId, String inputId, Object value, String reason) {
    return input(runId, inputId, reason).setAnswerJson(Outputs.json(value)).build();
  }

  /** The word that there will be no answer. */
  static SendInputRequest decline(String runId, String inputId, String reason) {
    return input(runId, inputId, reason).setDecline(true).build();
  }

  private static SendInputRequest.Builder input(String runId, String inputId, String reason) {
    return SendInputRequest.newBuilder().setRunId(runId).setInputId(inputId).setReason(reason);
  }
}
