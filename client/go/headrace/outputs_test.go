package headrace

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"

	headracev1 "headrace.dev/go/headrace/v1"
)

func formed(form headracev1.OutputForm, text string) *headracev1.Prediction {
	made := &headracev1.Prediction{}

	if form == headracev1.OutputForm_OUTPUT_FORM_JSON || form == headracev1.OutputForm_OUTPUT_FORM_BOTH {
		made.OutputsJson = text
	}

	if form == headracev1.OutputForm_OUTPUT_FORM_STRUCT || form == headracev1.OutputForm_OUTPUT_FORM_BOTH {
		made.Outputs = &structpb.Struct{}

		if err := made.Outputs.UnmarshalJSON([]byte(text)); err != nil {
			panic(err)
		}
	}

	return made
}

var forms = []headracev1.OutputForm{
	headracev1.OutputForm_OUTPUT_FORM_STRUCT, headracev1.OutputForm_OUTPUT_FORM_JSON,
	headracev1.OutputForm_OUTPUT_FORM_BOTH,
}

func TestOutputsAreDecodedInAnyForm(t *testing.T) {
	for _, form := range forms {
		prediction := formed(form, `{"answer": "é", "steps": [1, 2], "score": 0.5}`)
		var open map[string]any
		var typed struct {
			Answer string
			Steps  []int
			Score  float64
		}
		equal(t, Outputs(prediction, &open), nil)
		equal(t, Outputs(prediction, &typed), nil)
		equal(t, open, map[string]any{
			"answer": "é", "steps": []any{json.Number("1"), json.Number("2")}, "score": json.Number("0.5"),
		})
		equal(t, []any{typed.Answer, typed.Steps, typed.Score}, []any{"é", []int{1, 2}, 0.5})
	}
}

func TestIntegersOfJSONAreExact(t *testing.T) {
	prediction := &headracev1.Prediction{OutputsJson: `{"big": 9007199254740993, "huge": 170141183460469231731687303715884105727}`}
	var open map[string]any
	var typed struct{ Big int64 }
	equal(t, Outputs(prediction, &open), nil)
	equal(t, Outputs(prediction, &typed), nil)
	equal(t, open["big"], json.Number("9007199254740993"))
	equal(t, open["huge"], json.Number("170141183460469231731687303715884105727"))
	equal(t, typed.Big, int64(9007199254740993))
}

func TestAPredictionWithoutOutputsSaysHowToAskForThem(t *testing.T) {
	var out map[string]any
	err := Outputs(formed(headracev1.OutputForm_OUTPUT_FORM_NONE, "{}"), &out)
	equal(t, err.Error(), "headrace: the prediction carries no outputs: ask for them with WithOutputForm")
}

// million is a prediction of a million ints in a form, as JSON of 2 MB.
func million(form headracev1.OutputForm) []*headracev1.StreamEvent {
	prediction := formed(form, `{"ints": [`+strings.TrimSuffix(strings.Repeat("7,", 1_000_000), ",")+`]}`)

	return numbered(&headracev1.StreamEvent{Event: &headracev1.StreamEvent_Prediction{Prediction: prediction}})
}

func TestAMillionIntsComeInEveryForm(t *testing.T) {
	for _, form := range forms {
		client := serve(t, &scripted{events: million(form)})
		var read, predicted struct{ Ints []int }
		equal(t, start(t, client, WithOutputForm(form)).Result(&read), nil)
		equal(t, len(read.Ints), 1_000_000)

		prediction, err := client.Predict(context.Background(), "composer", map[string]any{}, WithOutputForm(form))
		equal(t, err, nil)
		equal(t, Outputs(prediction, &predicted), nil)
		equal(t, len(predicted.Ints), 1_000_000)
	}
}

func TestWhereAClientTakesNoMoreThan4MiBOnlyJSONFitsAndTheOthersFailByName(t *testing.T) {
	small := WithDialOptions(grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(4 << 20)))

	for _, form := range forms {
		events := million(form)
		service := &scripted{events: events, recorded: &headracev1.Run{Prediction: events[0].GetPrediction()}}
		client, ctx := serve(t, service, small), context.Background()
		_, attaching := client.Attach(ctx, "r", 0, WithOutputForm(form))
		_, predicting := client.Predict(ctx, "composer", map[string]any{}, WithOutputForm(form))
		_, asking := client.GetRun(ctx, "r", WithOutputForm(form))

		for _, err := range []error{attaching, predicting, asking} {
			if form == headracev1.OutputForm_OUTPUT_FORM_JSON {
				equal(t, err, nil)
				continue
			}

			equal(t, errors.Is(err, ErrRunFailed), true)
			equal(t, failure(t, err).Reason, "PREDICTION_TOO_LARGE")
			equal(t, failure(t, err).Code, codes.ResourceExhausted)
			equal(t, strings.Contains(failure(t, err).Message, "ask for the outputs as JSON alone"), true)
		}

		equal(t, len(service.attaches), 1)
	}
}

func TestAPredictionThatAServerFindsTooLargeIsNotAskedForAgainAndSaysWhatFits(t *testing.T) {
	service := &scripted{events: composed(), endings: []ending{{
		code: codes.ResourceExhausted, reason: "PREDICTION_TOO_LARGE", state: "SUCCEEDED", after: 4,
		metadata: map[string]string{"fits": "JSON"},
	}}}
	_, err := start(t, serve(t, service)).Prediction()
	failed := failure(t, err)

	equal(t, errors.Is(err, ErrRunFailed), true)
	equal(t, []any{failed.Reason, failed.RunState, failed.Metadata["fits"]},
		[]any{"PREDICTION_TOO_LARGE", "SUCCEEDED", "JSON"})
	equal(t, service.cursors, []int32{0})
}
