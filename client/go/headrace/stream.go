package headrace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"

	headracev1 "headrace.dev/go/headrace/v1"
)

// longestSilence is three heartbeats: after it the stream is dead, whatever the connection says.
var longestSilence = 3 * heartbeatInterval // shorter in tests

// openCall asks for the events after a position.
type openCall func(ctx context.Context, after int32) (grpc.ServerStreamingClient[headracev1.StreamEvent], error)

// resumption is what reading one run needs beyond a single call: how far it got, and how patient to be.
type resumption struct {
	client  *Client
	ctx     context.Context // of the reader: when it is done, so is the reading
	runID   string
	cursor  int32 // the last position seen: what is recorded after it is still to come
	backoff retryBackoff
}

func (r *resumption) answered(sequence int32) {
	if sequence > r.cursor {
		r.cursor = sequence
		r.backoff.progressed()
	} else {
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

// eventStream gives the events of one run in order, across as many calls as it takes.
type eventStream struct {
	resumption
	open    openCall
	call    grpc.ServerStreamingClient[headracev1.StreamEvent]
	hangUp  context.CancelFunc      // of the call
	silence *time.Timer             // hangs up
	over    bool                    // a prediction came: only the OK behind it is left
	ahead   *headracev1.StreamEvent // came with the acceptance, and is still to be read
}

// accept waits until the server has taken the request, which shows in the first message it sends.
func (s *eventStream) accept() error {
	event, err := s.next()
	s.ahead = event

	return err
}

// recv gives the next event that was recorded; io.EOF behind the last one of a run that succeeded.
func (s *eventStream) recv() (*headracev1.StreamEvent, error) {
	for {
		event := s.ahead
		s.ahead = nil

		if event == nil {
			var err error

			if event, err = s.next(); err != nil {
				return nil, err
			}
		}

		if event.GetHeartbeat() == nil {
			return event, nil
		}
	}
}

// next gives the next message of any kind, over as many calls as it takes.
func (s *eventStream) next() (*headracev1.StreamEvent, error) {
	for !s.over {
		event, err := s.receive()

		switch {
		case errors.Is(err, io.EOF):
			s.over = true
		case err != nil:
			if err := s.waitAfter(s.ended(err)); err != nil {
				return nil, err
			}
		default:
			s.answered(event.Sequence)
			s.over = event.GetPrediction() != nil

			return event, nil
		}
	}

	return nil, io.EOF
}

func (s *eventStream) receive() (*headracev1.StreamEvent, error) {
	if s.call == nil {
		if err := s.start(); err != nil {
			return nil, err
		}
	}

	s.silence.Reset(longestSilence)
	defer s.silence.Stop()

	return s.call.Recv()
}

func (s *eventStream) start() error {
	ctx, hangUp := context.WithCancel(s.ctx)
	call, err := s.open(ctx, s.cursor)

	if err != nil {
		hangUp()
		return err
	}

	s.call, s.hangUp = call, hangUp
	s.silence = time.AfterFunc(longestSilence, hangUp)

	return nil
}

// ended reads the status of the call, which is over.
func (s *eventStream) ended(err error) *callStatus {
	if s.call == nil {
		return statusOf(err, nil, s.client.address, s.runID)
	}

	status := statusOf(err, s.call.Trailer(), s.client.address, s.runID)
	s.hangUp()
	s.call = nil

	return status
}

// close ends the call. A reader that got its prediction waits for the OK behind it: it has not left early.
func (s *eventStream) close() {
	if s.call == nil {
		return
	}

	if s.over {
		s.silence.Reset(longestFarewell)
		_, _ = s.call.Recv()
	}

	s.silence.Stop()
	s.hangUp()
	s.call = nil
}
