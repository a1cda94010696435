package headrace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/durationpb"

	headracev1 "headrace.dev/go/headrace/v1"
)

// A run's own timeout is kept by the server; this much later its reader stops waiting.
const overtime = 5 * time.Second

// runRequest asks for a run as it is asked for without options.
func runRequest(program string, inputs any) (*headracev1.RunRequest, error) {
	text, err := json.Marshal(inputs)

	if err != nil {
		return nil, fmt.Errorf("headrace: the inputs have no JSON form: %w", err)
	}

	if text[0] != '{' {
		return nil, errors.New("headrace: inputs must be a map or a struct, whose JSON form is an object")
	}

	return &headracev1.RunRequest{
		Program: program,
		Input:   &headracev1.RunRequest_InputsJson{InputsJson: string(text)},
		RunId:   uuid.NewString(),
		Options: streamOptions(),
		Linger:  durationpb.New(defaultLinger),
	}, nil
}

// predictRequest asks for the prediction of such a run alone.
func predictRequest(run *headracev1.RunRequest) *headracev1.PredictRequest {
	return &headracev1.PredictRequest{
		Program:           run.Program,
		Input:             &headracev1.PredictRequest_InputsJson{InputsJson: run.GetInputsJson()},
		RunId:             run.RunId,
		Timeout:           run.Timeout,
		Linger:            run.Linger,
		Revision:          run.Revision,
		InterfaceRevision: run.InterfaceRevision,
		Labels:            run.Labels,
		OutputForm:        run.Options.OutputForm,
	}
}

// bounded gives reading a deadline a little behind the run's own.
func bounded(ctx context.Context, timeout *durationpb.Duration) (context.Context, context.CancelFunc) {
	if timeout == nil {
		return context.WithCancel(ctx)
	}

	return context.WithTimeout(ctx, timeout.AsDuration()+overtime)
}
