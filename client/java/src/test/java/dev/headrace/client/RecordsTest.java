package dev.headrace.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Timestamp;
import dev.headrace.v1.CancelRunResponse;
import dev.headrace.v1.DeleteRunRequest;
import dev.headrace.v1.GetRunRequest;
import dev.headrace.v1.ListRunsRequest;
import dev.headrace.v1.OutputForm;
import dev.headrace.v1.Program;
import dev.headrace.v1.Run;
import dev.headrace.v1.RunView;
import io.grpc.Status.Code;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Records of runs, and what is hosted. */
@Timeout(30)
class RecordsTest {
  private static final Map<String, String> INPUTS = Map.of("question", "why?");

  @Test
  void aRecordComesWithItsOutputsAsJsonUnlessAnotherFormIsAskedFor() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      client.getRun("r");
      client.getRun("r", RunView.RUN_VIEW_FULL, OutputForm.OUTPUT_FORM_NONE);
      GetRunRequest.Builder request = GetRunRequest.newBuilder().setRunId("r");

      assertEquals(
          List.of(
              request
                  .setView(RunView.RUN_VIEW_BASIC)
                  .setOutputForm(OutputForm.OUTPUT_FORM_JSON)
                  .build(),
              request
                  .setView(RunView.RUN_VIEW_FULL)
                  .setOutputForm(OutputForm.OUTPUT_FORM_NONE)
                  .build()),
          service.requests);
    }
  }

  @Test
  void aPredictionReadFromBehindItComesInTheFormOfItsReader() throws IOException {
    OutputForm form = OutputForm.OUTPUT_FORM_BOTH;

    try (Scripted service = new Scripted();
        HeadraceClient client = service.client();
        RunStream run = client.attach("r", 5, new ReadOptions().outputForm(form))) {
      run.prediction();

      GetRunRequest asked = (GetRunRequest) service.requests.get(1);
      assertEquals(form, asked.getOutputForm());
    }
  }

  @Test
  void runsAreChosenByEveryFilter() throws IOException {
    RunFilter filter =
        new RunFilter()
            .program("composer")
            .states(Run.State.STATE_WAITING, Run.State.STATE_FAILED)
            .label("team", "blue")
            .label("case", "7")
            .createdAfter(Instant.ofEpochSecond(10, 5))
            .createdBefore(Instant.ofEpochSecond(20))
            .limit(7);

    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      client.runs(filter);
      client.runs();

      ListRunsRequest all = ListRunsRequest.newBuilder().setPageSize(100).build();
      ListRunsRequest chosen =
          ListRunsRequest.newBuilder()
              .setPageSize(7)
              .setProgram("composer")
              .addStates(Run.State.STATE_WAITING)
              .addStates(Run.State.STATE_FAILED)
              .putLabels("team", "blue")
              .putLabels("case", "7")
              .setCreatedAfter(Timestamp.newBuilder().setSeconds(10).setNanos(5))
              .setCreatedBefore(Timestamp.newBuilder().setSeconds(20))
              .build();
      assertEquals(List.of(chosen, all), service.requests);
      assertThrows(IllegalArgumentException.class, () -> filter.limit(0));
    }
  }

  @Test
  void pagesOfRunsAreReadUpToTheLimit() throws IOException {
    List<String> names = IntStream.range(0, 2500).mapToObj(i -> "run-" + i).toList();

    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      service.listed = names.stream().map(name -> Run.newBuilder().setRunId(name).build()).toList();

      for (int limit : List.of(1, 1000, 2001, 2500, 9000)) {
        List<String> read = client.runs(new RunFilter().limit(limit)).stream().map(Run::getRunId).toList();
        assertEquals(names.subList(0, Math.min(limit, 2500)), read);
      }

      assertEquals(
          List.of(1, 1000, 1000, 1000, 1, 1000, 1000, 500, 1000, 1000, 1000),
          service.requests.stream().map(request -> ((ListRunsRequest) request).getPageSize()).toList());
    }
  }

  @Test
  void cancellingGivesTheRecordOrSaysThatThereIsNone() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      service.holds = true;
      service.events = Events.composed().subList(0, 1);
      RunStream run = client.run("composer", INPUTS);
      CancelRunResponse known = run.cancel("enough");
      CancelRunResponse unknown = client.cancel("not yet");
      run.detach();
      run.close();

      assertEquals(Run.State.STATE_CANCELLED, known.getRun().getState());
      assertFalse(known.hasRefusedUntil());
      assertFalse(unknown.hasRun());
      assertTrue(unknown.hasRefusedUntil());
    }
  }

  @Test
  void aRunThatWasCancelledBeforeItCameIsOver() throws IOException {
    Ending refused = Ending.because(Code.CANCELLED, "RUN_CANCELLED").over("CANCELLED", 0);

    try (Scripted service = new Scripted(refused);
        HeadraceClient client = service.client()) {
      HeadraceException error =
          assertThrows(RunFailedException.class, () -> client.run("composer", INPUTS));

      assertEquals("RUN_CANCELLED", error.reason());
      assertEquals(List.of(0), service.cursors);
    }
  }

  @Test
  void aRunIsDeletedByItsName() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      client.delete("r");
      service.endings.add(Ending.because(Code.NOT_FOUND, "RUN_NOT_FOUND"));
      HeadraceException error = assertThrows(RequestRefusedException.class, () -> client.delete("r"));

      DeleteRunRequest request = DeleteRunRequest.newBuilder().setRunId("r").build();
      assertEquals(List.of(request, request), service.requests);
      assertEquals(List.of("RUN_NOT_FOUND", "r"), List.of(error.reason(), error.runId()));
    }
  }

  @Test
  void aStartMayPinTheInterfaceThatWasDescribed() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      Program program = client.describe("composer");
      StartOptions start = new StartOptions().interfaceRevision(program.getInterfaceRevision());
      client.run(program.getName(), INPUTS, start, new ReadOptions()).prediction();
      client.predict(program.getName(), INPUTS, start);

      assertEquals("abc", service.runs.get(0).getInterfaceRevision());
      assertEquals("abc", service.predicts.get(0).getInterfaceRevision());
    }
  }

  @Test
  void theServerSaysWhatItIs() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      assertEquals("0.1.0", client.serverInfo().getVersion());
    }
  }
}
