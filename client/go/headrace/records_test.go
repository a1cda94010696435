package headrace

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	headracev1 "headrace.dev/go/headrace/v1"
)

func TestCallsWithOneAnswerAreRepeatedByTheChannel(t *testing.T) {
	ctx := context.Background()
	calls := map[string]func(*Client) error{
		"GetRun":     func(c *Client) error { _, err := c.GetRun(ctx, "r"); return err },
		"Cancel":     func(c *Client) error { _, err := c.Cancel(ctx, "r", ""); return err },
		"Delete":     func(c *Client) error { return c.Delete(ctx, "r") },
		"Answer":     func(c *Client) error { _, err := c.Answer(ctx, "r", "q", true, ""); return err },
		"Describe":   func(c *Client) error { _, err := c.Describe(ctx, "composer"); return err },
		"ServerInfo": func(c *Client) error { _, err := c.ServerInfo(ctx); return err },
	}

	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			service := &scripted{endings: []ending{{code: codes.Unavailable}, {code: codes.Unavailable}}}
			equal(t, call(serve(t, service)), nil)
			equal(t, len(service.endings), 0)
		})
	}
}

func TestARecordComesInTheViewAndFormAskedFor(t *testing.T) {
	service := &scripted{recorded: &headracev1.Run{RunId: "r", InputsJson: `{"question": "why?"}`}}
	client := serve(t, service)
	record, err := client.GetRun(context.Background(), "r")
	equal(t, err, nil)
	equal(t, record.InputsJson, `{"question": "why?"}`)
	_, err = client.GetRun(context.Background(), "r",
		WithView(headracev1.RunView_RUN_VIEW_FULL), WithOutputForm(headracev1.OutputForm_OUTPUT_FORM_NONE))
	equal(t, err, nil)

	first, second := service.records[0], service.records[1]
	equal(t, []any{first.RunId, first.View, first.OutputForm},
		[]any{"r", headracev1.RunView_RUN_VIEW_UNSPECIFIED, headracev1.OutputForm_OUTPUT_FORM_JSON})
	equal(t, []any{second.View, second.OutputForm},
		[]any{headracev1.RunView_RUN_VIEW_FULL, headracev1.OutputForm_OUTPUT_FORM_NONE})
}

func TestRunsAreListedOverAllPagesWithEveryFilter(t *testing.T) {
	service := &scripted{}
	after := time.Date(2031, 7, 1, 12, 0, 0, 500, time.UTC)
	var ids []string

	for run, err := range serve(t, service).Runs(context.Background(), RunFilter{
		Program: "composer", States: []headracev1.Run_State{headracev1.Run_STATE_WAITING},
		Labels: map[string]string{"tenant": "a"}, CreatedAfter: after, CreatedBefore: after.Add(time.Hour),
	}) {
		equal(t, err, nil)
		ids = append(ids, run.RunId)
	}

	equal(t, ids, []string{"c", "b", "a"})
	equal(t, len(service.lists), 2)

	for i, pageToken := range []string{"", "b"} {
		asked := service.lists[i]
		equal(t, asked.PageToken, pageToken)
		equal(t, asked.Program, "composer")
		equal(t, asked.States, []headracev1.Run_State{headracev1.Run_STATE_WAITING})
		equal(t, asked.Labels, map[string]string{"tenant": "a"})
		equal(t, asked.CreatedAfter.AsTime(), after)
		equal(t, asked.CreatedBefore.AsTime(), after.Add(time.Hour))
	}
}

func TestOfRunsOnlyThePagesThatAreLookedAtAreAskedFor(t *testing.T) {
	service := &scripted{}

	for range serve(t, service).Runs(context.Background(), RunFilter{}) {
		break
	}

	equal(t, len(service.lists), 1)
	equal(t, service.lists[0].CreatedAfter == nil && service.lists[0].CreatedBefore == nil, true)
}

func TestAListThatFailsSaysSoLast(t *testing.T) {
	service := &scripted{endings: []ending{{code: codes.InvalidArgument, reason: "REQUEST_INVALID"}}}
	var errs []error

	for run, err := range serve(t, service).Runs(context.Background(), RunFilter{}) {
		equal(t, run, (*headracev1.Run)(nil))
		errs = append(errs, err)
	}

	equal(t, len(errs), 1)
	equal(t, failure(t, errs[0]).Reason, "REQUEST_INVALID")
}

func TestCancellingGivesTheRecordOrUntilWhenTheNameIsRefused(t *testing.T) {
	client, ctx := serve(t, &scripted{events: composed()[:1], holds: true}), context.Background()
	stopped, err := start(t, client).Cancel(ctx, "enough")
	equal(t, err, nil)
	equal(t, stopped.Run.State, headracev1.Run_STATE_CANCELLED)
	equal(t, stopped.RefusedUntil == nil, true)

	unknown, err := client.Cancel(ctx, "unknown", "")
	equal(t, err, nil)
	equal(t, unknown.Run == nil, true)
	equal(t, unknown.RefusedUntil.AsTime(), refusedUntil)
}

func TestARunThatWasCancelledBeforeItCameIsNotAskedForAgain(t *testing.T) {
	service := &scripted{endings: []ending{{code: codes.Canceled, reason: "RUN_CANCELLED", state: "CANCELLED"}}}
	_, err := serve(t, service).Run(context.Background(), "composer", map[string]any{})

	equal(t, errors.Is(err, ErrRunFailed), true)
	equal(t, failure(t, err).Reason, "RUN_CANCELLED")
	equal(t, service.cursors, []int32{0})
}

func TestDeletingForgetsARun(t *testing.T) {
	service := &scripted{}
	client := serve(t, service)
	equal(t, client.Delete(context.Background(), "r"), nil)
	equal(t, service.deleted, []string{"r"})

	service.endings = []ending{{code: codes.NotFound, reason: "RUN_NOT_FOUND"}}
	err := client.Delete(context.Background(), "r")
	equal(t, errors.Is(err, ErrRefused), true)
	equal(t, failure(t, err).RunID, "r")
}
