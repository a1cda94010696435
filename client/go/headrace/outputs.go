package headrace

import (
	"bytes"
	"encoding/json"
	"errors"

	"google.golang.org/protobuf/encoding/protojson"

	headracev1 "headrace.dev/go/headrace/v1"
)

// Outputs decodes a prediction's outputs into out, as json.Unmarshal does, in whatever form they came.
//
// Where out leaves the type of a number open, as map[string]any does, it becomes a json.Number. As
// JSON integers are exact; in form STRUCT those beyond 2^53 are decimal strings. In form NONE there is
// nothing to decode, which is an error.
func Outputs(prediction *headracev1.Prediction, out any) error {
	text, err := outputsText(prediction)

	if err != nil {
		return err
	}

	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()

	return decoder.Decode(out)
}

func outputsText(prediction *headracev1.Prediction) ([]byte, error) {
	switch {
	case prediction.GetOutputsJson() != "":
		return []byte(prediction.OutputsJson), nil
	case prediction.GetOutputs() != nil:
		return protojson.Marshal(prediction.Outputs)
	default:
		return nil, errors.New("headrace: the prediction carries no outputs: ask for them with WithOutputForm")
	}
}
