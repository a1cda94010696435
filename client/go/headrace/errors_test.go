package headrace

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	headracev1 "headrace.dev/go/headrace/v1"
)

func TestARunThatFailedSaysWhatItUsedWithoutBeingAskedAgain(t *testing.T) {
	cost := 0.25
	something := &headracev1.Usage{InputTokenCount: 7, LmCallCount: 2, CostUsd: &cost}

	for _, usage := range []*headracev1.Usage{something, {}} {
		for _, plain := range []bool{false, true} {
			failing := ending{code: codes.Aborted, reason: "LM_UNAVAILABLE", state: "FAILED", usage: usage, plain: plain}
			service := &scripted{events: composed(), endings: []ending{failing, failing}}
			client := serve(t, service)
			_, running := client.Run(context.Background(), "composer", map[string]any{})
			_, predicting := client.Predict(context.Background(), "composer", map[string]any{})

			for _, err := range []error{running, predicting} {
				equal(t, failure(t, err).RunState, "FAILED")
				equal(t, proto.Equal(failure(t, err).Usage, usage), true)
			}

			equal(t, len(service.records), 0)
		}
	}
}

func TestAnErrorOfNoRunHasNoUsage(t *testing.T) {
	service := &scripted{endings: []ending{{code: codes.NotFound, reason: "PROGRAM_NOT_FOUND"}}}
	_, err := serve(t, service).Predict(context.Background(), "compozer", map[string]any{})
	equal(t, failure(t, err).Usage, (*headracev1.Usage)(nil))
	equal(t, failure(t, err).Metadata, map[string]string{})
}

func TestARunStateThatIsNotOverEndsTheReadingOnce(t *testing.T) {
	for _, code := range []codes.Code{
		codes.OK, codes.Unavailable, codes.Aborted, codes.Internal, codes.Canceled, codes.DeadlineExceeded,
	} {
		service := &scripted{events: composed()[:3]}

		if code == codes.OK {
			service.state = "PAUSED"
		} else {
			service.endings = []ending{{code: code, state: "PAUSED", after: 3}}
		}

		run := start(t, serve(t, service))
		_, err := run.Prediction()
		failed := failure(t, err)

		equal(t, errors.Is(err, ErrSuspended), true)
		equal(t, errors.Is(err, ErrRunFailed) || errors.Is(err, ErrUnreachable), false)
		equal(t, failed.Code != codes.OK, true)
		equal(t, []any{failed.RunState, failed.RunID}, []any{"PAUSED", run.ID()})
		equal(t, failed.Message, "run "+run.ID()+" is PAUSED: it is not over, and cannot be read on now; ask GetRun")
		equal(t, run.Cursor(), int32(3))

		_, again := run.Recv()
		equal(t, again, err)
		run.Close()
		equal(t, service.cursors, []int32{0})
		equal(t, len(service.cancelled), 0) // it may be attached to later
	}
}

func TestAPredictionOfARunThatIsNotOverIsAskedForOnce(t *testing.T) {
	service := &scripted{endings: []ending{{code: codes.Unavailable, state: "PAUSED"}}}
	_, err := serve(t, service).Predict(context.Background(), "composer", map[string]any{})

	equal(t, errors.Is(err, ErrSuspended), true)
	equal(t, len(service.predicts), 1)
	equal(t, len(service.cancelled), 0)
}

func TestAReasonOrAStateSaysWhatAnErrorMeans(t *testing.T) {
	cases := []struct {
		ending
		kind error
	}{
		{ending{code: codes.DeadlineExceeded, reason: "INPUT_EXPIRED", state: "FAILED"}, ErrRunFailed},
		{ending{code: codes.FailedPrecondition, reason: "INPUT_DECLINED", state: "FAILED"}, ErrRunFailed},
		{ending{code: codes.NotFound, reason: "INPUT_NOT_FOUND"}, ErrRefused},
		{ending{code: codes.AlreadyExists, reason: "INPUT_RESOLVED"}, ErrRefused},
		{ending{code: codes.FailedPrecondition, reason: "REVISION_MISMATCH"}, ErrRefused},
		{ending{code: codes.DeadlineExceeded, state: "FAILED"}, ErrRunFailed}, // a reason of a later version
	}

	for _, one := range cases {
		_, err := serve(t, &scripted{endings: []ending{one.ending}}).Predict(context.Background(), "p", map[string]any{})
		equal(t, errors.Is(err, one.kind), true)
		equal(t, failure(t, err).Reason, one.reason)
	}
}
