package headrace

import (
	"context"
	"errors"
	"io"
	"reflect"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"

	headracev1 "headrace.dev/go/headrace/v1"
)

const whole = "Größe → 長さ"

func start(t *testing.T, client *Client, options ...RunOption) *Run {
	t.Helper()
	run, err := client.Run(context.Background(), "composer", map[string]any{"question": "why?"}, options...)

	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(run.Close)

	return run
}

func attach(t *testing.T, ctx context.Context, client *Client, after int32) *Run {
	t.Helper()
	run, err := client.Attach(ctx, "r", after)

	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(run.Close)

	return run
}

func sequences(t *testing.T, run *Run) []int32 {
	t.Helper()
	var read []int32

	for event, err := range run.Events() {
		if err != nil {
			t.Fatal(err)
		}

		read = append(read, event.Sequence)
	}

	return read
}

func failure(t *testing.T, err error) *Error {
	t.Helper()
	var failed *Error

	if !errors.As(err, &failed) {
		t.Fatalf("not an Error: %v", err)
	}

	return failed
}

func equal(t *testing.T, got, want any) {
	t.Helper()

	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestARunGivesItsEventsTextAndResult(t *testing.T) {
	service := &scripted{events: composed()}
	run := start(t, serve(t, service))

	equal(t, sequences(t, run), []int32{1, 2, 3, 4, 5})
	equal(t, run.Text("compose.answer"), whole)
	equal(t, run.Cursor(), int32(5))

	var answer struct{ Answer string }

	if err := run.Result(&answer); err != nil {
		t.Fatal(err)
	}

	equal(t, answer.Answer, whole)
	run.Close()
	equal(t, len(service.cancelled), 0)
}

func TestARunAsksForALingerHeartbeatsExactOutputsAndAllKindsOfEventsUnderAFreshName(t *testing.T) {
	service := &scripted{events: composed()}
	client := serve(t, service, WithToken(func() string { return "secret" }))
	sequences(t, start(t, client, WithTimeout(time.Minute), WithFields("compose.answer")))

	first := service.runs[0]
	equal(t, len(first.RunId), 36)
	equal(t, first.GetInputsJson(), `{"question":"why?"}`)
	equal(t, first.Linger.AsDuration(), 30*time.Second)
	equal(t, first.Timeout.AsDuration(), time.Minute)
	equal(t, first.Options.Fields, []string{"compose.answer"})
	equal(t, first.Options.HeartbeatInterval.AsDuration(), 15*time.Second)
	equal(t, first.Options.OutputForm, headracev1.OutputForm_OUTPUT_FORM_JSON)
	equal(t, first.Options.Accept, []headracev1.EventKind{
		headracev1.EventKind_EVENT_KIND_CUSTOM, headracev1.EventKind_EVENT_KIND_INPUT,
		headracev1.EventKind_EVENT_KIND_BATCH,
	})
	equal(t, service.metadata.Get("authorization"), []string{"Bearer secret"})
}

func TestWhereverAStreamIsCutNothingIsLostNorComesTwice(t *testing.T) {
	for _, code := range []codes.Code{codes.Unavailable, codes.Unknown, codes.Internal, codes.Canceled} {
		for first := range 5 {
			for second := range 3 {
				service := &scripted{events: composed()}
				service.endings = []ending{{code: code, after: first}, {code: code, after: second}}
				run := start(t, serve(t, service))

				equal(t, sequences(t, run), []int32{1, 2, 3, 4, 5})
				equal(t, run.Text("compose.answer"), whole)
				equal(t, service.cursors[:2], []int32{0, int32(first)})
			}
		}
	}
}

func TestACutInsideAMergedGroupLeavesTextsWhole(t *testing.T) {
	events := []*headracev1.StreamEvent{
		token("answer", "one ", 0), token("answer", "two ", 4), token("other", "uno", 0),
		token("answer", "three", 8), prediction("{}"),
	}

	for i, sequence := range []int32{1, 0, 0, 5, 6} {
		events[i].Sequence = sequence
	}

	service := &scripted{events: events, endings: []ending{{code: codes.Unavailable, after: 3}}}
	run := start(t, serve(t, service))

	equal(t, sequences(t, run), []int32{1, 0, 0, 0, 0, 5, 6})
	equal(t, service.cursors, []int32{0, 1})
	equal(t, run.Text("compose.answer"), "one two three")
	equal(t, run.Text("compose.other"), "uno")
}

func TestSilenceCountsAsACut(t *testing.T) {
	usual := longestSilence
	longestSilence = 200 * time.Millisecond
	defer func() { longestSilence = usual }()

	service := &scripted{events: composed()[:3], holds: true}
	run := start(t, serve(t, service))

	for range 3 {
		_, _ = run.Recv()
	}

	service.mu.Lock()
	service.events, service.holds = composed(), false
	service.mu.Unlock()
	equal(t, sequences(t, run), []int32{4, 5})
	equal(t, service.cursors, []int32{0, 3})
}

func TestProgressRenewsTheBackoff(t *testing.T) {
	service := &scripted{events: composed()}

	for range 4 {
		service.endings = append(service.endings, ending{code: codes.Unavailable, after: 1})
	}

	run := start(t, serve(t, service, WithRetries(1)))
	equal(t, sequences(t, run), []int32{1, 2, 3, 4, 5})
}

func TestWithoutProgressTheReaderGivesUpAndSaysWhere(t *testing.T) {
	events := slices.Insert(composed(), 2, heartbeat()) // alive, but nothing new
	service := &scripted{events: events, endings: []ending{{code: codes.Unavailable, after: 3}}}

	for range 9 {
		service.endings = append(service.endings, ending{code: codes.Unavailable})
	}

	run := start(t, serve(t, service, WithRetries(5)))
	_, err := run.Prediction()

	equal(t, errors.Is(err, ErrUnreachable), true)
	equal(t, failure(t, err).RunID, run.ID())
	equal(t, service.cursors, []int32{0, 2, 2, 2, 2, 2})
	run.Close()
	equal(t, len(service.cancelled), 0) // it may be attached to again
}

func TestAStreamThatLastsIsOpenedAgainHoweverOften(t *testing.T) {
	usual := lasting
	lasting = 0
	defer func() { lasting = usual }()

	events := slices.Insert(composed(), 2, heartbeat()) // of a run that waits for people
	service := &scripted{events: events}

	for range 9 {
		service.endings = append(service.endings, ending{code: codes.Unavailable, reason: "STREAM_AGED", after: 3})
	}

	for i := range service.endings[1:] {
		service.endings[i+1].after = 1 // behind event 2: the heartbeat
	}

	run := start(t, serve(t, service, WithRetries(1)))
	equal(t, sequences(t, run), []int32{1, 2, 3, 4, 5})
	equal(t, len(service.cursors), 10)
}

func TestAServerThatNeverAnsweredIsGivenUpSooner(t *testing.T) {
	service := &scripted{events: composed()}

	for range 20 {
		service.endings = append(service.endings, ending{code: codes.Unavailable})
	}

	_, err := serve(t, service).Run(context.Background(), "composer", map[string]any{})

	equal(t, errors.Is(err, ErrUnreachable), true)
	equal(t, len(service.cursors), 5)
}

func TestABusyServerIsAskedAgainNoSoonerThanItSaid(t *testing.T) {
	busy := ending{code: codes.Unavailable, reason: "SERVER_BUSY", retryDelay: 150 * time.Millisecond}
	service := &scripted{events: composed(), endings: []ending{busy}}
	before := time.Now()
	equal(t, sequences(t, start(t, serve(t, service))), []int32{1, 2, 3, 4, 5})
	equal(t, time.Since(before) >= busy.retryDelay, true)
}

func TestAFailedRunIsNotAskedForAgain(t *testing.T) {
	service := &scripted{events: composed()}
	service.endings = []ending{{code: codes.Aborted, reason: "LM_UNAVAILABLE", state: "FAILED", after: 2}}
	service.endings[0].metadata = map[string]string{"model": "m"}
	run := start(t, serve(t, service))
	_, err := run.Prediction()
	failed := failure(t, err)

	equal(t, errors.Is(err, ErrRunFailed), true)
	equal(t, []any{failed.Code, failed.Reason, failed.RunID}, []any{codes.Aborted, "LM_UNAVAILABLE", run.ID()})
	equal(t, failed.Metadata, map[string]string{"model": "m"})
	equal(t, service.cursors, []int32{0})

	_, again := run.Recv()
	equal(t, again, err)
	run.Close()
	equal(t, len(service.cancelled), 0)
}

func TestARefusedRunDoesNotBegin(t *testing.T) {
	service := &scripted{endings: []ending{{code: codes.NotFound, reason: "PROGRAM_NOT_FOUND"}}}
	run, err := serve(t, service).Run(context.Background(), "compozer", map[string]any{})

	equal(t, run, (*Run)(nil))
	equal(t, errors.Is(err, ErrRefused), true)
	equal(t, len(service.cancelled), 0)
}

func TestTheCursorIsWhatTheReaderHasRead(t *testing.T) {
	run := start(t, serve(t, &scripted{events: composed()}))
	equal(t, run.Cursor(), int32(0)) // though the first event came with the acceptance
	_, _ = run.Recv()
	equal(t, run.Cursor(), int32(1))
}

func TestARunThatTheServerForgotHasFailed(t *testing.T) {
	service := &scripted{events: composed()}
	service.endings = []ending{{code: codes.Unavailable, after: 2}, {code: codes.NotFound, reason: "RUN_NOT_FOUND"}}
	_, err := start(t, serve(t, service)).Prediction()

	equal(t, errors.Is(err, ErrRunFailed), true)
	equal(t, failure(t, err).Reason, "RUN_NOT_FOUND")
}

func TestLeavingARunStopsItAndDetachingDoesNot(t *testing.T) {
	service := &scripted{events: composed()[:3], holds: true}
	client := serve(t, service)

	left := start(t, client)
	_, _ = left.Recv()
	left.Close()
	left.Close()
	equal(t, service.cancelled, []string{left.ID()})

	detached := start(t, client)
	detached.Detach()
	detached.Close()
	attach(t, context.Background(), client, 0).Close()
	equal(t, service.cancelled, []string{left.ID()})
}

func TestAContextThatIsCancelledEndsTheReadingAndTheRun(t *testing.T) {
	service := &scripted{events: composed()[:1], holds: true}
	ctx, cancel := context.WithCancel(context.Background())
	run, err := serve(t, service).Run(ctx, "composer", map[string]any{})

	if err != nil {
		t.Fatal(err)
	}

	_, _ = run.Recv()
	cancel()
	_, err = run.Recv()
	run.Close()

	equal(t, errors.Is(err, context.Canceled), true)
	equal(t, failure(t, err).Code, codes.Canceled)
	equal(t, service.cancelled, []string{run.ID()})
}

func TestClosingTheClientEndsItsReaders(t *testing.T) {
	client := serve(t, &scripted{events: composed()[:1], holds: true})
	run := start(t, client)
	_, _ = run.Recv()
	_ = client.Close()
	before := time.Now()
	_, err := run.Recv()

	equal(t, errors.Is(err, ErrUnreachable), true)
	equal(t, failure(t, err).Message, "the client is closed")
	equal(t, time.Since(before) < 5*time.Second, true)
}

func TestADeadlineEndsTheReadingAndAttachingLeavesTheRunAlone(t *testing.T) {
	service := &scripted{events: composed()[:1], holds: true}
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	run := attach(t, ctx, serve(t, service), 0)
	_, err := run.Prediction()
	run.Close()

	equal(t, errors.Is(err, context.DeadlineExceeded), true)
	equal(t, errors.Is(err, ErrUnreachable), true)
	equal(t, len(service.cancelled), 0)
}

func TestWaitingToTryAgainDoesNotPassTheDeadline(t *testing.T) {
	busy := ending{code: codes.Unavailable, reason: "SERVER_BUSY", retryDelay: time.Minute}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, err := serve(t, &scripted{endings: []ending{busy}}).Attach(ctx, "r", 0)

	equal(t, errors.Is(err, context.DeadlineExceeded), true)
	equal(t, ctx.Err(), nil)
}

func TestAPredictionReadFromBehindItIsAskedFor(t *testing.T) {
	outputs, _ := structpb.NewStruct(map[string]any{"answer": "as recorded"})
	record := &headracev1.Run{Prediction: &headracev1.Prediction{Outputs: outputs}}
	service := &scripted{events: composed(), recorded: record}
	run := attach(t, context.Background(), serve(t, service), 5)
	var answer map[string]string

	if err := run.Result(&answer); err != nil {
		t.Fatal(err)
	}

	equal(t, answer, map[string]string{"answer": "as recorded"})
	_, err := run.Recv()
	equal(t, err, io.EOF)
}
