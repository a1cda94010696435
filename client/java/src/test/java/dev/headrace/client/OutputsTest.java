package dev.headrace.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ListValue;
import com.google.protobuf.NullValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import dev.headrace.v1.OutputForm;
import dev.headrace.v1.Prediction;
import io.grpc.Status.Code;
import java.io.IOException;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Timeout(60)
class OutputsTest {
  private static final Map<String, String> INPUTS = Map.of("question", "why?");
  private static final int MANY = 1_000_000;

  @Test
  void inputsAreAnyObject() {
    record Question(String question, int size) {}

    assertEquals("{\"question\":\"<why?>\",\"size\":3}", Outputs.inputsJson(new Question("<why?>", 3)));
    assertThrows(IllegalArgumentException.class, () -> Outputs.inputsJson("text"));
    assertThrows(IllegalArgumentException.class, () -> Outputs.inputsJson(List.of(1)));
    assertThrows(IllegalArgumentException.class, () -> Outputs.inputsJson(null));
  }

  @Test
  void outputsOfARecordAreTheSamePlainValues() {
    Value list = Value.newBuilder().setListValue(ListValue.newBuilder().addValues(number(1.5))).build();
    Value nothing = Value.newBuilder().setNullValue(NullValue.NULL_VALUE).build();
    Struct inner = Struct.newBuilder().putFields("size", number(3)).putFields("empty", nothing).build();
    Struct outer =
        Struct.newBuilder()
            .putFields("list", list)
            .putFields("inner", Value.newBuilder().setStructValue(inner).build())
            .build();
    Map<String, Object> outputs = Outputs.of(Prediction.newBuilder().setOutputs(outer).build());

    assertEquals("{list=[1.5], inner={size=3, empty=null}}", outputs.toString());
  }

  private static Value number(double value) {
    return Value.newBuilder().setNumberValue(value).build();
  }

  @Test
  void outputsKeepTheirOrderAndTheirIntegersExact() {
    String text =
        "{\"z\": 9007199254740993, \"a\": 123456789012345678901234567890, \"m\": 3.0, \"b\": {\"y\": -1, \"x\": 1e3}}";
    Map<String, Object> outputs = Outputs.of(Prediction.newBuilder().setOutputsJson(text).build());

    assertEquals(List.of("z", "a", "m", "b"), List.copyOf(outputs.keySet()));
    assertEquals(
        List.of(
            9007199254740993L,
            new BigInteger("123456789012345678901234567890"),
            3.0,
            Map.of("y", -1L, "x", 1000.0)),
        List.copyOf(outputs.values()));
    assertEquals(List.of("y", "x"), List.copyOf(((Map<?, ?>) outputs.get("b")).keySet()));
  }

  @Test
  void outputsFillARecordFromEitherForm() {
    record Size(long count) {}

    Struct struct = Struct.newBuilder().putFields("count", number(3)).build();

    assertEquals(new Size(3), Outputs.as(Prediction.newBuilder().setOutputs(struct).build(), Size.class));
    assertEquals(
        new Size(9007199254740993L),
        Outputs.as(
            Prediction.newBuilder().setOutputsJson("{\"count\": 9007199254740993}").build(), Size.class));
    assertEquals(Map.of(), Outputs.of(Prediction.getDefaultInstance()), "of form NONE");
  }

  @ParameterizedTest
  @EnumSource(
      value = OutputForm.class,
      names = {"OUTPUT_FORM_STRUCT", "OUTPUT_FORM_JSON", "OUTPUT_FORM_BOTH"})
  void aMillionIntegersComeInEachForm(OutputForm form) throws IOException {
    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      service.events = List.of(Events.token(1, "answer", "", 0), Events.of(2, million(form)));
      StartOptions start = new StartOptions();
      Prediction predicted = client.predict("composer", INPUTS, start, form);

      try (RunStream run = client.run("composer", INPUTS, start, new ReadOptions().outputForm(form))) {
        assertEquals(MANY, ((List<?>) run.outputs().get("numbers")).size());
        assertEquals(predicted, run.prediction());
      }

      assertEquals(form, service.predicts.get(0).getOutputForm());
      assertEquals(form, service.runs.get(0).getOptions().getOutputForm());
    }
  }

  @Test
  void asJsonTheyFitAnyClientsMessage() {
    int usual = 4 << 20; // of gRPC

    assertTrue(million(OutputForm.OUTPUT_FORM_JSON).getSerializedSize() < usual);
    assertTrue(million(OutputForm.OUTPUT_FORM_STRUCT).getSerializedSize() > usual);
  }

  @Test
  void aPredictionTooLargeInItsFormFailsByNameAndIsNotAskedForAgain() throws IOException {
    Ending large = Ending.because(Code.RESOURCE_EXHAUSTED, "PREDICTION_TOO_LARGE").over("SUCCEEDED", 1);

    try (Scripted service = new Scripted(large, large);
        HeadraceClient client = service.client();
        RunStream run = client.run("composer", INPUTS)) {
      HeadraceException read = assertThrows(RunFailedException.class, run::prediction);
      HeadraceException predicted =
          assertThrows(RunFailedException.class, () -> client.predict("composer", INPUTS));

      assertEquals(
          List.of("PREDICTION_TOO_LARGE", "PREDICTION_TOO_LARGE"),
          List.of(read.reason(), predicted.reason()));
      assertEquals(List.of(0), service.cursors);
      assertEquals(1, service.predicts.size());
      assertEquals(List.of(), service.cancelled);
    }
  }

  @Test
  void anAnswerLargerThanTheClientTakesFailsByThatNameAndIsNotAskedForAgain() throws IOException {
    String text = "{\"text\": \"" + "x".repeat(17 << 20) + "\"}";
    Prediction huge = Prediction.newBuilder().setOutputsJson(text).build();

    try (Scripted service = new Scripted();
        HeadraceClient client = service.client()) {
      service.events = List.of(Events.token(1, "answer", "", 0), Events.of(2, huge));
      service.recorded = huge;

      try (RunStream run = client.run("composer", INPUTS)) {
        List<Executable> calls =
            List.of(
                run::prediction,
                () -> client.predict("composer", INPUTS),
                () -> client.getRun("r"));

        for (Executable call : calls) {
          HeadraceException error = assertThrows(RunFailedException.class, call);

          assertEquals(Code.RESOURCE_EXHAUSTED, error.code());
          assertEquals("PREDICTION_TOO_LARGE", error.reason());
          assertTrue(error.getMessage().contains("ask for the outputs as JSON alone"));
        }
      }

      assertEquals(List.of(0), service.cursors);
      assertEquals(1, service.predicts.size());
    }
  }

  /** Integers of one digit. */
  private static Prediction million(OutputForm form) {
    Prediction.Builder prediction = Prediction.newBuilder();

    if (form != OutputForm.OUTPUT_FORM_STRUCT) {
      String digits = IntStream.range(0, MANY).mapToObj(i -> "" + i % 10).collect(Collectors.joining(","));
      prediction.setOutputsJson("{\"numbers\":[" + digits + "]}");
    }

    if (form != OutputForm.OUTPUT_FORM_JSON) {
      Value[] digits = IntStream.range(0, 10).mapToObj(OutputsTest::number).toArray(Value[]::new);
      Value[] numbers = new Value[MANY];
      Arrays.setAll(numbers, i -> digits[i % 10]);
      ListValue list = ListValue.newBuilder().addAllValues(List.of(numbers)).build();
      prediction.setOutputs(
          Struct.newBuilder().putFields("numbers", Value.newBuilder().setListValue(list).build()));
    }

    return prediction.build();
  }
}
