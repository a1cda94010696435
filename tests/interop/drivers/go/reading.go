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
}

// read reads a run to its end, behind the events that were read before, and closes it.
func read(run *headrace.Run, err error, events ...*headracev1.StreamEvent) reading {
	told := reading{Messages: []object{}, Texts: [][3]string{}}

	if err != nil {
		told.Error = failure(err)
		return told
	}

	defer run.Close()
	told.RunID = run.ID()

	for event, err := range run.Events() {
		if err != nil {
			told.Error = failure(err)
			break
		}

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
		told.Texts = append(told.Texts, [3]string{name[0], name[1], run.Text(name[0], name[1])})
	}

	if told.Error == nil {
		var outputs json.RawMessage
		check(run.Result(&outputs))
		text := string(outputs)
		told.Outputs = &text
	}

	told.Cursor = run.Cursor()

	return told
}

func message(event *headracev1.StreamEvent) object {
	kind, body := "None", object{}

	switch arm := event.Event.(type) {
	case *headracev1.StreamEvent_Token:
		kind, body = "token", object{
			"call": arm.Token.CallId, "predictor": arm.Token.Predictor, "field": arm.Token.Field,
			"chunk": arm.Token.Chunk, "offset": arm.Token.Offset, "is_last": arm.Token.IsLast,
		}
	case *headracev1.StreamEvent_Status:
		kind, body = "status", object{
			"call": arm.Status.CallId, "parent": arm.Status.ParentCallId,
			"kind":    strings.TrimPrefix(arm.Status.Kind.String(), "KIND_"),
			"phase":   strings.TrimPrefix(arm.Status.Phase.String(), "PHASE_"),
			"outcome": strings.TrimPrefix(arm.Status.Outcome.String(), "OUTCOME_"),
			"name":    arm.Status.Name, "message": arm.Status.Message,
			"attempt": arm.Status.Lm.GetAttempt(), "cached": arm.Status.Lm.GetCached(),
		}
	case *headracev1.StreamEvent_Prediction:
		kind, body = "prediction", object{"outputs": json.RawMessage(arm.Prediction.OutputsJson)}
	}

	return object{"sequence": event.Sequence, "count": event.EventCount, "kind": kind, "body": body}
}

func failure(err error) object {
	var failed *headrace.Error

	if !errors.As(err, &failed) {
		check(err)
	}

	kind := "ServerFault"

	for name, sentinel := range map[string]error{
		"RequestRefused": headrace.ErrRefused, "RunFailed": headrace.ErrRunFailed,
		"ServerUnreachable": headrace.ErrUnreachable,
	} {
		if errors.Is(err, sentinel) {
			kind = name
		}
	}

	violations := []string{}

	for _, violation := range failed.Violations {
		violations = append(violations, violation.Field)
	}

	return object{
		"kind": kind, "code": codeName(failed.Code.String()), "reason": failed.Reason, "message": failed.Message,
		"run_id": failed.RunID, "retry_delay": failed.RetryDelay.Seconds(), "violations": violations,
		"metadata": failed.Metadata,
	}
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
