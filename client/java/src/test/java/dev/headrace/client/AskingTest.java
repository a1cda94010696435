package dev.headrace.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.headrace.client.HeadraceException.Violation;
import dev.headrace.v1.EventKind;
import dev.headrace.v1.InputRequest;
import dev.headrace.v1.InputResolved;
import dev.headrace.v1.InputResolved.Outcome;
import dev.headrace.v1.SendInputRequest;
import dev.headrace.v1.StreamEvent;
import dev.headrace.v1.StreamEvent.EventCase;
import dev.headrace.v1.StreamOptions;
import dev.headrace.v1.TokenDetail;
import io.grpc.Status.Code;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a run tells and asks, and how it is answered. */
@Timeout(30)
class AskingTest {
  private static final Map<String, String> INPUTS = Map.of("question", "why?");

  private static List<StreamEvent> telling() {
    return List.of(
        Events.custom(1, "progress", "{\"done\": 1, \"of\": 3}"),
        Events.tool(2, "{\"city\": \"Köln\"}", "[1, 2]"),
        Events.batch(Events.asked(3, "q1", "Which city?"), Events.asked(4, "q2", "Sure?")),
        Events.resolved(5, "q1", Outcome.OUTCOME_ANSWERED),
        Events.resolved(6, "q2", Outcome.OUTCOME_DECLINED),
        Events.prediction(7, "{}"));
  }

  @Test
  void eachKindOfEventHasAnArm() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      service.events = telling();
      List<EventCase> kinds = new ArrayList<>();
      List<String> told = new ArrayList<>();

      try (RunStream run = client.run("asking", INPUTS)) {
        for (StreamEvent event : run) {
          kinds.add(event.getEventCase());

          switch (event.getEventCase()) {
            case CUSTOM -> told.add(event.getCustom().getName() + " " + event.getCustom().getDataJson());
            case STATUS -> told.add(event.getStatus().getTool().getArgumentsJson());
            case INPUT_REQUEST -> told.add(event.getInputRequest().getMessage());
            case INPUT_RESOLVED -> told.add(event.getInputResolved().getOutcome().name());
            default -> {}
          }
        }
      }

      assertEquals(
          List.of(
              EventCase.CUSTOM,
              EventCase.STATUS,
              EventCase.INPUT_REQUEST,
              EventCase.INPUT_REQUEST,
              EventCase.INPUT_RESOLVED,
              EventCase.INPUT_RESOLVED,
              EventCase.PREDICTION),
          kinds);
      assertEquals(
          List.of(
              "progress {\"done\": 1, \"of\": 3}",
              "{\"city\": \"Köln\"}",
              "Which city?",
              "Sure?",
              "OUTCOME_ANSWERED",
              "OUTCOME_DECLINED"),
          told);
    }
  }

  @Test
  void readersAcceptAllKindsUnlessTheySayWhichAndBatchesAlways() {
    EventKind custom = EventKind.EVENT_KIND_CUSTOM;
    EventKind input = EventKind.EVENT_KIND_INPUT;
    EventKind batch = EventKind.EVENT_KIND_BATCH;

    assertEquals(List.of(custom, input, batch), new ReadOptions().message().getAcceptList());
    assertEquals(List.of(custom, batch), new ReadOptions().accept(custom).message().getAcceptList());
    assertEquals(List.of(batch), new ReadOptions().accept().message().getAcceptList());
    assertEquals(List.of(batch, input), new ReadOptions().accept(batch, input).message().getAcceptList());
  }

  @Test
  void readersSayWhatTokensAndDataTheyWant() {
    ReadOptions read = new ReadOptions().tokenDetail(TokenDetail.TOKEN_DETAIL_WHOLE).includeData();
    StreamOptions message = read.message();

    assertEquals(TokenDetail.TOKEN_DETAIL_WHOLE, message.getTokenDetail());
    assertTrue(message.getIncludeData());
    assertEquals(message, read.message(), "however often it is asked for");
  }

  @Test
  void anOpenRunIsAnsweredAndDeclined() throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      service.events = telling();
      List<Outcome> outcomes = new ArrayList<>();

      try (RunStream run = client.run("asking", INPUTS, new StartOptions().runId("r"), new ReadOptions())) {
        for (StreamEvent event : run) {
          if (event.hasInputRequest()) {
            outcomes.add(reply(run, event.getInputRequest()).getOutcome());
          }
        }
      }

      assertEquals(List.of(Outcome.OUTCOME_ANSWERED, Outcome.OUTCOME_DECLINED), outcomes);
      assertEquals(
          List.of(input("q1").setAnswerJson("\"Köln\"").build(), input("q2").setDecline(true).build()),
          service.requests);
    }
  }

  private static InputResolved reply(RunStream run, InputRequest request) {
    return request.getInputId().equals("q1")
        ? run.answer("q1", "Köln")
        : run.decline(request.getInputId());
  }

  @Test
  void anAnswerIsAnyValueThatHasAJsonForm() throws IOException {
    Map<String, Object> arguments = new LinkedHashMap<>();
    arguments.put("to", "<ann>");
    arguments.put("amount", 9007199254740993L);
    arguments.put("note", null);

    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      client.answer("r", "q", arguments, "less");
      client.answer("r", "q", true);
      client.answer("r", "q", null);
      client.answer("r", "q", List.of(1, 2.5));
      client.decline("r", "q", "no time");
      assertThrows(IllegalArgumentException.class, () -> client.answer("r", "q", Double.NaN));

      assertEquals(
          List.of(
              input("q")
                  .setAnswerJson("{\"to\":\"<ann>\",\"amount\":9007199254740993,\"note\":null}")
                  .setReason("less")
                  .build(),
              input("q").setAnswerJson("true").build(),
              input("q").setAnswerJson("null").build(),
              input("q").setAnswerJson("[1,2.5]").build(),
              input("q").setDecline(true).setReason("no time").build()),
          service.requests);
    }
  }

  private static SendInputRequest.Builder input(String inputId) {
    return SendInputRequest.newBuilder().setRunId("r").setInputId(inputId);
  }

  @Test
  void anAnswerThatIsRefusedSaysWhy() throws IOException {
    Ending wrong = Ending.because(Code.INVALID_ARGUMENT, "INPUT_INVALID").violating("answer.amount");
    Ending resolved = Ending.because(Code.ALREADY_EXISTS, "INPUT_RESOLVED");
    Ending unknown = Ending.because(Code.NOT_FOUND, "INPUT_NOT_FOUND");

    try (Scripted service = new Scripted(wrong, resolved, unknown);
        HeadraceClient client = service.client()) {
      HeadraceException first =
          assertThrows(RequestRefusedException.class, () -> client.answer("r", "q", Map.of("amount", "x")));
      HeadraceException second =
          assertThrows(RequestRefusedException.class, () -> client.answer("r", "q", 1));
      HeadraceException third =
          assertThrows(RequestRefusedException.class, () -> client.decline("r", "q"));

      assertEquals(List.of(new Violation("answer.amount", "unknown")), first.violations());
      assertEquals(
          List.of("INPUT_INVALID", "INPUT_RESOLVED", "INPUT_NOT_FOUND"),
          List.of(first.reason(), second.reason(), third.reason()));
    }
  }

  @Test
  void anAnswerIsSentAgainWhenTheConnectionBroke() throws IOException {
    Ending cut = Ending.cut(Code.UNAVAILABLE, 0);

    try (Scripted service = new Scripted(cut, cut);
        HeadraceClient client = service.client()) {
      assertEquals(Outcome.OUTCOME_ANSWERED, client.answer("r", "q", 1).getOutcome());
      assertEquals(3, service.requests.size());
    }
  }
}
