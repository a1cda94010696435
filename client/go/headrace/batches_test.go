package headrace

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"

	headracev1 "headrace.dev/go/headrace/v1"
)

func TestTheEventsOfABatchAreReadAsIfEachHadComeAlone(t *testing.T) {
	for batched := range 7 {
		run := start(t, serve(t, &scripted{events: composed(), batched: batched}))

		equal(t, sequences(t, run), []int32{1, 2, 3, 4, 5})
		equal(t, run.Text("answer"), whole)
		equal(t, run.Cursor(), int32(5))
	}
}

func TestWhereverAStreamOfBatchesIsCutNothingIsLostNorComesTwice(t *testing.T) {
	for batched := 1; batched < 6; batched++ {
		for first := range 5 {
			for second := range 5 {
				service := &scripted{events: composed(), batched: batched}
				service.endings = []ending{
					{code: codes.Unavailable, after: first}, {code: codes.Unavailable, after: second},
				}
				run := start(t, serve(t, service))

				equal(t, sequences(t, run), []int32{1, 2, 3, 4, 5})
				equal(t, run.Text("answer"), whole)
				equal(t, service.cursors[:2], []int32{0, int32(first)})
			}
		}
	}
}

func TestAReaderThatLeavesInsideABatchGoesOnInsideIt(t *testing.T) {
	client := serve(t, &scripted{events: composed(), batched: 5})

	for left := 1; left < 5; left++ {
		t.Run(fmt.Sprint("after ", left), func(t *testing.T) {
			leaving := attach(t, context.Background(), client, 0)

			for range left {
				_, _ = leaving.Recv()
			}

			equal(t, leaving.Cursor(), int32(left))
			leaving.Close()

			rest := attach(t, context.Background(), client, leaving.Cursor())
			equal(t, sequences(t, rest), []int32{1, 2, 3, 4, 5}[left:])
		})
	}
}

func TestABatchMayHoldMergedGroupsHeartbeatsAndArmsOfLaterVersions(t *testing.T) {
	later := &headracev1.StreamEvent{}
	events := []*headracev1.StreamEvent{
		token("answer", "one ", 0), token("answer", "two ", 4), token("answer", "three", 8),
		heartbeat(), later, prediction("{}"),
	}

	for i, sequence := range []int32{1, 0, 3, 3, 4, 5} {
		events[i].Sequence = sequence
	}

	service := &scripted{events: events, batched: 6, endings: []ending{{code: codes.Unavailable, after: 2}}}
	run := start(t, serve(t, service))

	equal(t, sequences(t, run), []int32{1, 0, 0, 3, 4, 5})
	equal(t, service.cursors, []int32{0, 1})
	equal(t, run.Text("answer"), "one two three")
}

func TestARunWhosePredictionCameInABatchIsOverForWhoeverLeaves(t *testing.T) {
	service := &scripted{events: composed(), batched: 5}
	run := start(t, serve(t, service))
	_, _ = run.Recv()
	run.Close()

	equal(t, len(service.cancelled), 0)
}
