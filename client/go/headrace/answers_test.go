package headrace

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"

	headracev1 "headrace.dev/go/headrace/v1"
)

// asking is a run that tells of itself, calls a tool and asks.
func asking() []*headracev1.StreamEvent {
	return numbered(
		&headracev1.StreamEvent{Event: &headracev1.StreamEvent_Custom{Custom: &headracev1.CustomEvent{
			Name: "progress", CallId: 2, DataJson: `{"done": 3}`,
		}}},
		&headracev1.StreamEvent{Event: &headracev1.StreamEvent_Status{Status: &headracev1.StatusUpdate{
			Kind: headracev1.StatusUpdate_KIND_TOOL, CallId: 3, Tool: &headracev1.ToolCall{ArgumentsJson: `{"to": "ann"}`},
		}}},
		&headracev1.StreamEvent{Event: &headracev1.StreamEvent_InputRequest{InputRequest: &headracev1.InputRequest{
			InputId: "q1", CallId: 3, Kind: headracev1.InputRequest_KIND_APPROVAL, ProposalJson: `{"to": "ann"}`,
		}}},
		&headracev1.StreamEvent{Event: &headracev1.StreamEvent_InputResolved{InputResolved: &headracev1.InputResolved{
			InputId: "q1", CallId: 3, Outcome: headracev1.InputResolved_OUTCOME_ANSWERED,
		}}},
		prediction("{}"),
	)
}

func TestWhatARunTellsAndAsksComesAsEvents(t *testing.T) {
	for _, batched := range []int{1, 5} {
		run := start(t, serve(t, &scripted{events: asking(), batched: batched}))
		var told []any

		for event, err := range run.Events() {
			equal(t, err, nil)

			switch event := event.Event.(type) {
			case *headracev1.StreamEvent_Custom:
				told = append(told, event.Custom.DataJson)
			case *headracev1.StreamEvent_Status:
				told = append(told, event.Status.Tool.ArgumentsJson)
			case *headracev1.StreamEvent_InputRequest:
				told = append(told, event.InputRequest.InputId)
			case *headracev1.StreamEvent_InputResolved:
				told = append(told, event.InputResolved.Outcome)
			}
		}

		equal(t, told, []any{`{"done": 3}`, `{"to": "ann"}`, "q1", headracev1.InputResolved_OUTCOME_ANSWERED})
	}
}

func TestQuestionsAreAnsweredWithAnyJSONByTheRunOrTheClient(t *testing.T) {
	service := &scripted{events: asking()}
	client, ctx := serve(t, service), context.Background()
	run := start(t, client)

	resolved, err := run.Answer(ctx, "q1", map[string]any{"to": "bob"}, "she is away")
	equal(t, err, nil)
	equal(t, resolved.Outcome, headracev1.InputResolved_OUTCOME_ANSWERED)
	equal(t, resolved.Reason, "she is away")

	for _, value := range []any{true, "yes", 9007199254740993, nil, []string{"a"}} {
		_, err = client.Answer(ctx, "r", "q2", value, "")
		equal(t, err, nil)
	}

	var sent []string

	for _, request := range service.inputs {
		sent = append(sent, request.GetAnswerJson())
	}

	equal(t, sent, []string{`{"to":"bob"}`, "true", `"yes"`, "9007199254740993", "null", `["a"]`})
	equal(t, service.inputs[0].RunId, run.ID())
	equal(t, service.inputs[1].RunId, "r")
	equal(t, service.inputs[1].InputId, "q2")
}

func TestQuestionsAreDeclinedByTheRunOrTheClient(t *testing.T) {
	service := &scripted{events: asking()}
	client, ctx := serve(t, service), context.Background()
	run := start(t, client)

	for _, decline := range []func() (*headracev1.InputResolved, error){
		func() (*headracev1.InputResolved, error) { return run.Decline(ctx, "q1", "too dear") },
		func() (*headracev1.InputResolved, error) { return client.Decline(ctx, run.ID(), "q1", "too dear") },
	} {
		resolved, err := decline()
		equal(t, err, nil)
		equal(t, resolved.Outcome, headracev1.InputResolved_OUTCOME_DECLINED)
		last := service.inputs[len(service.inputs)-1]
		equal(t, []any{last.RunId, last.InputId, last.GetDecline(), last.Reason}, []any{run.ID(), "q1", true, "too dear"})
	}
}

func TestAnAnswerThatIsNotTakenSaysWhy(t *testing.T) {
	cases := []ending{
		{code: codes.InvalidArgument, reason: "INPUT_INVALID", violation: "answer.to"},
		{code: codes.NotFound, reason: "INPUT_NOT_FOUND"},
		{code: codes.AlreadyExists, reason: "INPUT_RESOLVED", metadata: map[string]string{"outcome": "EXPIRED"}},
	}

	for _, one := range cases {
		_, err := serve(t, &scripted{endings: []ending{one}}).Answer(context.Background(), "r", "q1", true, "")
		refused := failure(t, err)
		equal(t, errors.Is(err, ErrRefused), true)
		equal(t, []any{refused.Code, refused.Reason, refused.RunID}, []any{one.code, one.reason, "r"})
		equal(t, refused.Metadata["outcome"], one.metadata["outcome"])
		equal(t, len(refused.Violations) > 0, one.violation != "")
	}
}

func TestAnAnswerWithoutAJSONFormIsNotSent(t *testing.T) {
	service := &scripted{}
	_, err := serve(t, service).Answer(context.Background(), "r", "q1", func() {}, "")

	equal(t, err != nil, true)
	equal(t, len(service.inputs), 0)
}
