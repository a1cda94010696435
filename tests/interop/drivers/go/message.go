package main

import (
	"encoding/json"
	"strings"

	headracev1 "headrace.dev/go/headrace/v1"
)

// message is an event as the conformance kit's journals keep it.
func message(event *headracev1.StreamEvent) object {
	kind, body := "None", object{}

	switch arm := event.Event.(type) {
	case *headracev1.StreamEvent_Token:
		kind, body = "token", token(arm.Token)
	case *headracev1.StreamEvent_Status:
		kind, body = "status", status(arm.Status)
	case *headracev1.StreamEvent_Prediction:
		kind, body = "prediction", prediction(arm.Prediction)
	case *headracev1.StreamEvent_Custom:
		kind, body = "custom", custom(arm.Custom)
	case *headracev1.StreamEvent_InputRequest:
		kind, body = "input_request", inputRequest(arm.InputRequest)
	case *headracev1.StreamEvent_InputResolved:
		kind, body = "input_resolved", inputResolved(arm.InputResolved)
	}

	return object{"sequence": event.Sequence, "count": event.EventCount, "kind": kind, "body": body}
}

func token(token *headracev1.Token) object {
	return object{
		"call": token.CallId, "predictor": token.Predictor, "field": token.Field,
		"chunk": token.Chunk, "offset": token.Offset, "is_last": token.IsLast,
	}
}

func status(status *headracev1.StatusUpdate) object {
	body := object{
		"call": status.CallId, "parent": status.ParentCallId,
		"kind":    strings.TrimPrefix(status.Kind.String(), "KIND_"),
		"phase":   strings.TrimPrefix(status.Phase.String(), "PHASE_"),
		"outcome": strings.TrimPrefix(status.Outcome.String(), "OUTCOME_"),
		"name":    status.Name, "message": status.Message,
		"attempt": status.Lm.GetAttempt(), "cached": status.Lm.GetCached(),
	}

	if tool := status.Tool; tool != nil {
		body["tool"] = object{
			"provider_call_id": tool.ProviderCallId,
			"arguments":        value(tool.ArgumentsJson), "result": value(tool.ResultJson),
		}
	}

	return body
}

func prediction(prediction *headracev1.Prediction) object {
	if prediction.OutputsJson == "" {
		return object{"outputs": object{}}
	}

	return object{"outputs": value(prediction.OutputsJson)}
}

func custom(custom *headracev1.CustomEvent) object {
	return object{"call": custom.CallId, "name": custom.Name, "data": value(custom.DataJson)}
}

func inputRequest(asked *headracev1.InputRequest) object {
	return object{
		"call": asked.CallId, "input_id": asked.InputId,
		"kind":    strings.TrimPrefix(asked.Kind.String(), "KIND_"),
		"message": asked.Message, "tool": asked.Tool,
		"answer_schema": value(asked.AnswerSchemaJson), "proposal": value(asked.ProposalJson),
	}
}

func inputResolved(resolved *headracev1.InputResolved) object {
	return object{
		"call": resolved.CallId, "input_id": resolved.InputId,
		"outcome": strings.TrimPrefix(resolved.Outcome.String(), "OUTCOME_"),
		"answer":  value(resolved.AnswerJson), "reason": resolved.Reason,
	}
}

// value is JSON text as it stands; null where there is none.
func value(text string) json.RawMessage {
	if text == "" {
		return nil
	}

	return json.RawMessage(text)
}
