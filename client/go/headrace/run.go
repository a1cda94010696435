package headrace

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	headracev1 "headrace.dev/go/headrace/v1"
)

const (
	longestFarewell = 2 * time.Second // to wait for the OK behind a prediction
	goodbye         = 3 * time.Second // to stop a run that is left
)

// Run is one run as its reader sees it, made by [Client.Run] and [Client.Attach]. Goroutines may share it,
// but close it when none reads it any more; to end a reading from outside, cancel its context.
type Run struct {
	id      string
	client  *Client
	stream  *eventStream
	form    headracev1.OutputForm
	release context.CancelFunc
	stops   bool       // leaving it stops it
	turn    sync.Mutex // of whoever takes the next event

	mu         sync.Mutex // guards what follows, which others look at meanwhile
	taken      int        // events, and the end
	cursor     int32
	transcript *transcript
	prediction *headracev1.Prediction
	err        error // how reading ended
}

// ID is the run's name, for Attach, GetRun and Cancel.
func (r *Run) ID() string { return r.id }

// Cursor is the last position read: Attach goes on from it.
func (r *Run) Cursor() int32 {
	r.mu.Lock()
	defer r.mu.Unlock()

	return r.cursor
}

// Recv gives the next event; io.EOF behind the last one of a run that succeeded, an [Error] otherwise.
// Heartbeats stay inside, and batches are unpacked. A broken connection is mended without loss or
// repetition of positions; tokens inside a merged group may come again, which [Run.Text] knows to handle.
func (r *Run) Recv() (*headracev1.StreamEvent, error) {
	r.turn.Lock()
	defer r.turn.Unlock()

	return r.take()
}

// take is for whoever has the turn.
func (r *Run) take() (*headracev1.StreamEvent, error) {
	if r.err != nil {
		return nil, r.err
	}

	event, err := r.stream.recv()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken++

	if err != nil {
		r.err = err
		return nil, err
	}

	r.cursor = max(r.cursor, event.Sequence)

	if token := event.GetToken(); token != nil {
		r.transcript.apply(token)
	}

	if prediction := event.GetPrediction(); prediction != nil {
		r.prediction = prediction
	}

	return event, nil
}

// Events are the events that are left, in order; an error comes last.
func (r *Run) Events() iter.Seq2[*headracev1.StreamEvent, error] {
	return func(yield func(*headracev1.StreamEvent, error) bool) {
		for {
			event, err := r.Recv()

			if errors.Is(err, io.EOF) {
				return
			}

			if !yield(event, err) || err != nil {
				return
			}
		}
	}
}

// Prediction reads to the end and gives the run's result.
func (r *Run) Prediction() (*headracev1.Prediction, error) {
	for {
		_, err := r.Recv()

		if errors.Is(err, io.EOF) {
			break
		}

		if err != nil {
			return nil, err
		}
	}

	r.mu.Lock()
	prediction := r.prediction
	r.mu.Unlock()

	if prediction == nil { // read from behind it
		return r.recorded()
	}

	return prediction, nil
}

// recorded gives the prediction in the run's record.
func (r *Run) recorded() (*headracev1.Prediction, error) {
	record, err := r.client.GetRun(r.stream.ctx, r.id, FormOption(r.form))

	if err == nil && record.Prediction == nil {
		err = &Error{
			Code: codes.Internal, Message: "the run ended well without a prediction", RunID: r.id, kind: ErrFault,
		}
	}

	return record.GetPrediction(), err
}

// Result reads to the end and decodes the run's outputs into out, as [Outputs] does.
func (r *Run) Result(out any) error {
	prediction, err := r.Prediction()

	if err != nil {
		return err
	}

	return Outputs(prediction, out)
}

// Cancel stops the run, whoever else reads it, as [Client.Cancel] does.
func (r *Run) Cancel(ctx context.Context, reason string) (*headracev1.CancelRunResponse, error) {
	return r.client.Cancel(ctx, r.id, reason)
}

// Detach lets the run go on after Close, for as long as its linger without a reader.
func (r *Run) Detach() { r.stops = false }

// Close ends the reading. A run of [Client.Run] that is not over is stopped, in at most 3 seconds; where
// that fails, its linger ends it. Closing again does nothing.
func (r *Run) Close() {
	if r.stops && r.leavesEarly() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.stream.ctx), goodbye)
		_, _ = r.client.Cancel(ctx, r.id, "the reader left")
		cancel()
	}

	r.stops = false
	r.stream.close()
	r.release()
}

// accepted gives the run once the server has taken the request.
func (r *Run) accepted() (*Run, error) {
	if err := r.stream.accept(); err != nil && !errors.Is(err, io.EOF) {
		r.err = err
		r.Close() // it may have been accepted all the same

		return nil, err
	}

	return r, nil
}

// leavesEarly tells whether the run may still go on and nothing but its reader ended the reading.
func (r *Run) leavesEarly() bool {
	return !r.stream.over && (r.err == nil || contextEnded(r.err))
}
