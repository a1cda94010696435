package headrace

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"

	headracev1 "headrace.dev/go/headrace/v1"
)

func pieces(t *testing.T, run *Run, selector string) []string {
	t.Helper()
	var read []string

	for piece, err := range run.Field(selector) {
		if err != nil {
			t.Error(err)
		}

		read = append(read, piece)
	}

	return read
}

// twoFields is a run that writes two fields in turns, which make 100 tokens.
func twoFields() []*headracev1.StreamEvent {
	var events []*headracev1.StreamEvent

	for i := range int32(50) {
		events = append(events, token("answer", "é", i), token("other", "長", i))
	}

	return numbered(append(events, prediction("{}"))...)
}

func TestTheTextOfAFieldComesAsItIsWritten(t *testing.T) {
	run := start(t, serve(t, &scripted{events: composed()}))

	equal(t, pieces(t, run, "compose.answer"), []string{"Grö", "ße ", "→ ", "長さ"})
	equal(t, pieces(t, run, "answer"), []string{whole}) // whoever comes late gets all of it
	equal(t, len(pieces(t, run, "none")), 0)
	_, err := run.Recv()
	equal(t, err, io.EOF)
}

func TestFieldsAreReadSideBySideAndEachGetsAllOfItsText(t *testing.T) {
	for _, batched := range []int{1, 7} {
		service := &scripted{events: twoFields(), batched: batched}
		service.endings = []ending{{code: codes.Unavailable, after: 31}}
		run := start(t, serve(t, service))
		read := [3]string{}
		var readers sync.WaitGroup

		for i, selector := range []string{"answer", "other", "compose.answer"} {
			readers.Go(func() { read[i] = strings.Join(pieces(t, run, selector), "") })
		}

		readers.Wait()
		equal(t, read, [3]string{strings.Repeat("é", 50), strings.Repeat("長", 50), strings.Repeat("é", 50)})
		equal(t, run.Cursor(), int32(101))
	}
}

func TestATextIsLookedAtWhileAnotherReads(t *testing.T) {
	service := &scripted{events: composed()[:4], holds: true}
	ctx, cancel := context.WithCancel(context.Background())
	run, err := serve(t, service).Run(ctx, "composer", map[string]any{})
	equal(t, err, nil)
	var read []string
	var reader sync.WaitGroup
	came := make(chan struct{}, 4)

	reader.Go(func() {
		for piece, err := range run.Field("answer") {
			if err != nil {
				equal(t, errors.Is(err, context.Canceled), true)
				return
			}

			read = append(read, piece)
			came <- struct{}{}
		}
	})

	for range 4 {
		<-came
	}

	equal(t, run.Text("answer"), whole) // though the reader waits for more
	equal(t, run.Cursor(), int32(4))
	cancel()
	reader.Wait()
	run.Close()
	equal(t, strings.Join(read, ""), whole)
	equal(t, service.cancelled, []string{run.ID()})
}

func TestCallsOfAPredictorFollowEachOtherInItsField(t *testing.T) {
	events := numbered(slices.Concat(composed()[:4], composed())...)

	for _, event := range events[:4] {
		event.GetToken().CallId = 9
	}

	run := start(t, serve(t, &scripted{events: events}))
	equal(t, strings.Join(pieces(t, run, "answer"), ""), whole+whole)
	equal(t, run.Text("answer"), whole)
}

func TestAFieldOfARunThatFailsEndsWithItsError(t *testing.T) {
	service := &scripted{events: composed()}
	service.endings = []ending{{code: codes.Internal, reason: "PROGRAM_ERROR", state: "FAILED", after: 2}}
	run := start(t, serve(t, service))
	var read []string
	var last error

	for piece, err := range run.Field("answer") {
		read, last = append(read, piece), err
	}

	equal(t, read, []string{"Grö", "ße ", ""})
	equal(t, failure(t, last).Reason, "PROGRAM_ERROR")
}

func TestAFieldMayBeLeftAndTheRunReadOn(t *testing.T) {
	run := start(t, serve(t, &scripted{events: composed()}))

	for range run.Field("answer") {
		break
	}

	equal(t, sequences(t, run), []int32{2, 3, 4, 5})
	equal(t, run.Text("answer"), whole)
}
