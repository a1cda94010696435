package headrace

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	headracev1 "headrace.dev/go/headrace/v1"
)

// longestSilence is three heartbeats: after it the stream is dead, whatever the connection says.
var longestSilence = 3 * heartbeatInterval // shorter in tests

// openCall asks for the events after a position.
type openCall func(ctx context.Context, after int32) (grpc.ServerStreamingClient[headracev1.StreamEvent], error)

// eventStream gives the events of one run in order, across as many calls as it takes.
type eventStream struct {
	resumption
	open    openCall
	call    grpc.ServerStreamingClient[headracev1.StreamEvent]
	hangUp  context.CancelFunc        // of the call
	silence *time.Timer               // hangs up
	pending []*headracev1.StreamEvent // of messages that came, still to be read
	over    bool                      // the prediction came: only the OK behind it is left
}

// accept waits until the server has taken the request, which shows in the first message it sends.
func (s *eventStream) accept() error { return s.fetch() }

// recv gives the next event that was recorded; io.EOF behind the last one of a run that succeeded.
func (s *eventStream) recv() (*headracev1.StreamEvent, error) {
	for {
		for len(s.pending) > 0 {
			event := s.pending[0]
			s.pending = s.pending[1:]

			if event.GetHeartbeat() == nil {
				return event, nil
			}
		}

		if err := s.fetch(); err != nil {
			return nil, err
		}
	}
}

// fetch waits for the next message of any kind, over as many calls as it takes.
func (s *eventStream) fetch() error {
	for !s.over {
		message, err := s.receive()

		switch {
		case err == nil:
			s.unpack(message)

			return nil
		case errors.Is(err, io.EOF):
			return s.ended()
		default:
			if err := s.waitAfter(s.failed(err)); err != nil {
				return err
			}
		}
	}

	return io.EOF
}

// unpack takes in the events of a message: one, or those of a batch, as if each had come alone.
func (s *eventStream) unpack(message *headracev1.StreamEvent) {
	s.pending = []*headracev1.StreamEvent{message}

	if batch := message.GetBatch(); batch != nil {
		s.pending = batch.Events
	}

	for _, event := range s.pending {
		s.answered(event.Sequence)
		s.over = s.over || event.GetPrediction() != nil
	}
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
	s.asking()
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

// ended gives io.EOF for a call that ended with OK, unless its trailer says that the run is not over.
func (s *eventStream) ended() error {
	if status := s.failed(nil); status.suspended() {
		status.Code = codes.Unavailable // an error cannot be OK

		return &status.Error
	}

	s.over = true

	return io.EOF
}

// failed reads the status of the call, which is over.
func (s *eventStream) failed(err error) *callStatus {
	if s.call == nil {
		return statusOf(err, nil, nil, s.client.address, s.runID)
	}

	header, _ := s.call.Header() // there, or none came: the call is over
	status := statusOf(err, header, s.call.Trailer(), s.client.address, s.runID)
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
