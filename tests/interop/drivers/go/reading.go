package main

import (
	"encoding/json"
	"errors"
	"strings"

	"headrace.dev/go/headrace"
	headracev1 "headrace.dev/go/headrace/v1"
)

type object = map[string]any

// reading is what one reader of a run was given.
type reading struct {
	RunID    string      `json:"run_id"`
	Messages []object    `json:"messages"`
	Texts    [][3]string `json:"texts"` // predictor, field, text
	Outputs  *string     `json:"outputs"`
	Error    object      `json:"error"`
	State    string      `json:"state"`
	Cursor   int32       `json:"cursor"`
	Listed   *[]string   `json:"listed,omitempty"`
	Inputs   *string     `json:"inputs,omitempty"`

	Resolved  object `json:"resolved,omitempty"`
	Record    object `json:"record,omitempty"`
	Described object `json:"described,omitempty"`
}

func blank() reading { return reading{Messages: []object{}, Texts: [][3]string{}} }

// read reads a run to its end, behind the events that were read before, and closes it.
func read(run *headrace.Run, err error, events ...*headracev1.StreamEvent) reading {
	if err != nil {
		told := blank()
		told.Error = failure(err)

		return told
	}

	return readWith(run, func(*headracev1.StreamEvent) {}, events...)
}

// readWith does so, and something at each event.
func readWith(
	run *headrace.Run, meet func(*headracev1.StreamEvent), events ...*headracev1.StreamEvent,
) reading {
	defer run.Close()
	told := blank()
	told.RunID = run.ID()

	for event, err := range run.Events() {
		if err != nil {
			told.Error = failure(err)
			break
		}

		meet(event)
		events = append(events, event)
	}

	names := map[[2]string]bool{}

	for _, event := range events {
		told.Messages = append(told.Messages, message(event))

		if token := event.GetToken(); token != nil {
			names[[2]string{token.Predictor, token.Field}] = true
		}
	}

	for name := range names {
		told.Texts = append(told.Texts, [3]string{name[0], name[1], run.Text(name[0] + "." + name[1])})
	}

	if told.Error == nil {
		prediction, err := run.Prediction()
		check(err)
		told.Outputs = outputs(prediction)
	}

	told.Cursor = run.Cursor()

	return told
}

// outputs are those of a prediction, as JSON text; nil where there is none, or they were not asked for.
func outputs(prediction *headracev1.Prediction) *string {
	if prediction.GetOutputsJson() == "" && prediction.GetOutputs() == nil {
		return nil
	}

	var value json.RawMessage
	check(headrace.Outputs(prediction, &value))
	text := string(value)

	return &text
}

func failure(err error) object {
	var failed *headrace.Error

	if !errors.As(err, &failed) {
		check(err)
	}

	kind, state := "ServerFault", ""

	for name, sentinel := range map[string]error{
		"RequestRefused": headrace.ErrRefused, "RunFailed": headrace.ErrRunFailed,
		"ServerUnreachable": headrace.ErrUnreachable, "RunSuspended": headrace.ErrSuspended,
	} {
		if errors.Is(err, sentinel) {
			kind = name
		}
	}

	if errors.Is(err, headrace.ErrSuspended) {
		state = failed.RunState
	}

	violations := []string{}

	for _, violation := range failed.Violations {
		violations = append(violations, violation.Field)
	}

	return object{
		"kind": kind, "code": codeName(failed.Code.String()), "reason": failed.Reason, "message": failed.Message,
		"run_id": failed.RunID, "retry_delay": failed.RetryDelay.Seconds(), "violations": violations,
		"metadata": failed.Metadata, "state": state, "run_state": failed.RunState,
		"lm_calls": lmCalls(failed),
	}
}

func lmCalls(failed *headrace.Error) *int32 {
	if failed.Usage == nil {
		return nil
	}

	return &failed.Usage.LmCallCount
}

// codeName turns Go's DeadlineExceeded into DEADLINE_EXCEEDED.
func codeName(name string) string {
	if name == "Canceled" {
		return "CANCELLED"
	}

	var spelt strings.Builder

	for i, letter := range name {
		if i > 0 && letter >= 'A' && letter <= 'Z' {
			spelt.WriteByte('_')
		}

		spelt.WriteRune(letter)
	}

	return strings.ToUpper(spelt.String())
}
