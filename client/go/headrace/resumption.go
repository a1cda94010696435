package headrace

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
)

// lasting is how long a stream is alive until it is worth opening again, however often: a run that waits for
// people brings nothing new for hours.
var lasting = heartbeatInterval // shorter in tests

// resumption is what reading one run needs beyond a single call: how far it got, and how patient to be.
type resumption struct {
	client  *Client
	ctx     context.Context // of the reader: when it is done, so is the reading
	runID   string
	cursor  int32     // the last position seen: what is recorded after it is still to come
	asked   time.Time // when the latest call was made
	backoff retryBackoff
}

// asking notes that the call is made, or made again.
func (r *resumption) asking() { r.asked = time.Now() }

// answered notes that the server did, at a position if it named one. Only a new one is progress, and a call
// that has lasted.
func (r *resumption) answered(sequence int32) {
	switch {
	case sequence > r.cursor:
		r.cursor = sequence
		r.backoff.progressed()
	case time.Since(r.asked) >= lasting:
		r.backoff.progressed()
	default:
		r.backoff.answered()
	}
}

// waitAfter returns nil when the call may be made again, else what the status stands for.
func (r *resumption) waitAfter(status *callStatus) error {
	if r.ctx.Err() != nil {
		return r.stopped()
	}

	if r.client.connection.GetState() == connectivity.Shutdown {
		status.Message, status.kind = "the client is closed", ErrUnreachable

		return &status.Error
	}

	if !status.cut() {
		return r.final(status)
	}

	delay, more := r.backoff.next(status.RetryDelay)

	if !more {
		return r.givenUp(status)
	}

	if deadline, bounded := r.ctx.Deadline(); bounded && time.Until(deadline) <= delay {
		return r.late(context.DeadlineExceeded)
	}

	select {
	case <-r.ctx.Done():
		return r.stopped()
	case <-time.After(delay):
		return nil
	}
}

func (r *resumption) final(status *callStatus) error {
	switch {
	case status.RunState != "":
	case status.Code == codes.DeadlineExceeded && status.Reason == "":
		return r.late(context.DeadlineExceeded)
	case status.Reason == "RUN_NOT_FOUND" && r.backoff.reached:
		status.kind = ErrRunFailed
		status.Message = fmt.Sprintf("the server no longer knows run %s: it restarted, or let go of the run", r.runID)
	}

	return &status.Error
}

func (r *resumption) givenUp(status *callStatus) error {
	status = r.client.explained(status)

	if r.cursor > 0 {
		status.Message += fmt.Sprintf(" (run %s was read up to event %d)", r.runID, r.cursor)
	}

	return &status.Error
}

// stopped is the error of a reader whose own context is done.
func (r *resumption) stopped() error {
	if errors.Is(r.ctx.Err(), context.DeadlineExceeded) {
		return r.late(r.ctx.Err())
	}

	return &Error{
		Code:    codes.Canceled,
		Message: fmt.Sprintf("reading run %s was cancelled", r.runID),
		RunID:   r.runID,
		kind:    ErrUnreachable,
		cause:   r.ctx.Err(),
	}
}

func (r *resumption) late(cause error) error {
	return &Error{
		Code:    codes.DeadlineExceeded,
		Message: fmt.Sprintf("run %s did not end in the time given", r.runID),
		RunID:   r.runID,
		kind:    ErrUnreachable,
		cause:   cause,
	}
}
