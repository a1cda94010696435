package headrace

import (
	"context"
	"encoding/json"
	"fmt"

	headracev1 "headrace.dev/go/headrace/v1"
)

// Answer answers an open question of a run, and gives how it was resolved. reason may be empty.
//
// value is anything whose JSON form fits the question's schema. To an approval it is the arguments object
// to call the tool with, or true for those proposed. What does not fit is refused with violations, and
// the question stays open. The same answer again counts once; another one is refused with INPUT_RESOLVED.
func (c *Client) Answer(ctx context.Context, runID, inputID string, value any, reason string) (*headracev1.InputResolved, error) {
	text, err := json.Marshal(value)

	if err != nil {
		return nil, fmt.Errorf("headrace: the answer has no JSON form: %w", err)
	}

	return c.sendInput(ctx, &headracev1.SendInputRequest{
		RunId:   runID,
		InputId: inputID,
		Input:   &headracev1.SendInputRequest_AnswerJson{AnswerJson: string(text)},
		Reason:  reason,
	})
}

// Decline tells a run that its question will not be answered, or that its tool must not be called; the
// program, or an agent's model, is told the reason, which may be empty.
func (c *Client) Decline(ctx context.Context, runID, inputID, reason string) (*headracev1.InputResolved, error) {
	return c.sendInput(ctx, &headracev1.SendInputRequest{
		RunId:   runID,
		InputId: inputID,
		Input:   &headracev1.SendInputRequest_Decline{Decline: true},
		Reason:  reason,
	})
}

func (c *Client) sendInput(ctx context.Context, request *headracev1.SendInputRequest) (*headracev1.InputResolved, error) {
	response, err := ask(ctx, c, request.RunId, c.service.SendInput, request)

	return response.GetResolved(), err
}

// Answer answers an open question of this run, as [Client.Answer] does.
func (r *Run) Answer(ctx context.Context, inputID string, value any, reason string) (*headracev1.InputResolved, error) {
	return r.client.Answer(ctx, r.id, inputID, value, reason)
}

// Decline declines to answer a question of this run, as [Client.Decline] does.
func (r *Run) Decline(ctx context.Context, inputID, reason string) (*headracev1.InputResolved, error) {
	return r.client.Decline(ctx, r.id, inputID, reason)
}
