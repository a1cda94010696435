package headrace

import (
	"context"
	"iter"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	headracev1 "headrace.dev/go/headrace/v1"
)

// GetRun gives a run's record: its state, its open questions while it waits, and its prediction or
// failure once it has ended.
func (c *Client) GetRun(ctx context.Context, runID string, options ...RecordOption) (*headracev1.Run, error) {
	request := &headracev1.GetRunRequest{RunId: runID, OutputForm: defaultForm}

	for _, option := range options {
		option.forRecord(request)
	}

	response, err := ask(ctx, c, runID, c.service.GetRun, request)

	return response.GetRun(), err
}

// RunFilter says which runs are wanted: those to which all that is set applies. The zero value means all.
type RunFilter struct {
	// Program is the name of the one whose runs are wanted.
	Program string

	// States are those of which a run must be in one.
	States []headracev1.Run_State

	// Labels must all be on a run, with these values.
	Labels map[string]string

	// CreatedAfter and CreatedBefore are moments between which a run was accepted.
	CreatedAfter, CreatedBefore time.Time
}

// Runs are the caller's runs that can still be read, newest first; an error comes last. They come without
// predictions, failures and questions, which GetRun has. Pages are asked for as they are needed.
func (c *Client) Runs(ctx context.Context, filter RunFilter) iter.Seq2[*headracev1.Run, error] {
	return func(yield func(*headracev1.Run, error) bool) {
		request := filter.request()

		for {
			page, err := ask(ctx, c, "", c.service.ListRuns, request)

			if err != nil {
				yield(nil, err)
				return
			}

			for _, run := range page.Runs {
				if !yield(run, nil) {
					return
				}
			}

			if page.NextPageToken == "" {
				return
			}

			request.PageToken = page.NextPageToken
		}
	}
}

func (f RunFilter) request() *headracev1.ListRunsRequest {
	return &headracev1.ListRunsRequest{
		Program:       f.Program,
		States:        f.States,
		Labels:        f.Labels,
		CreatedAfter:  moment(f.CreatedAfter),
		CreatedBefore: moment(f.CreatedBefore),
	}
}

func moment(at time.Time) *timestamppb.Timestamp {
	if at.IsZero() {
		return nil
	}

	return timestamppb.New(at)
}

// Cancel stops a run and gives its record; one that had ended comes back unchanged. Where no run has the
// id there is no record: a Run that comes for it is refused until RefusedUntil.
func (c *Client) Cancel(ctx context.Context, runID, reason string) (*headracev1.CancelRunResponse, error) {
	return ask(ctx, c, runID, c.service.CancelRun, &headracev1.CancelRunRequest{RunId: runID, Reason: reason})
}

// Delete ends a run if need be, and forgets all of it. Its id is free again.
func (c *Client) Delete(ctx context.Context, runID string) error {
	_, err := ask(ctx, c, runID, c.service.DeleteRun, &headracev1.DeleteRunRequest{RunId: runID})

	return err
}
