package headrace

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	headracev1 "headrace.dev/go/headrace/v1"
)

// The kinds of [Error], by what they mean for the caller; tell them apart with errors.Is.
var (
	// ErrRefused: the server refused the request, and nothing was started.
	ErrRefused = errors.New("request refused")

	// ErrRunFailed: the run is over, and there is no prediction to be had. It stays failed; a new try is
	// a new run. With reason PREDICTION_TOO_LARGE it succeeded: ask for its outputs in another form.
	ErrRunFailed = errors.New("run failed")

	// ErrUnreachable: no answer, or the connection broke and did not come back in time. A run that
	// had begun may still go on: Attach reads it.
	ErrUnreachable = errors.New("server unreachable")

	// ErrSuspended: the run is not over, but reading on would not help now; Error.RunState says how it
	// stands. Ask GetRun, and Attach later.
	ErrSuspended = errors.New("run suspended")

	// ErrFault: an answer that the contract does not foresee.
	ErrFault = errors.New("server fault")
)

// Error is how every call of a client fails, except for inputs that have no JSON form.
//
// It wraps one of ErrRefused, ErrRunFailed, ErrUnreachable, ErrSuspended and ErrFault, and the error of
// the context where that is what ended the call.
type Error struct {
	Code    codes.Code
	Message string

	// Reason is the stable name of the cause, such as LM_RATE_LIMITED: the one to decide by. The
	// contract lists them at Failure.reason. Empty when the server gave none. Where something else
	// than a server answered it says what, such as NOT_GRPC.
	Reason string

	// RunID names the run, where there is one.
	RunID string

	// RunState is SUCCEEDED, FAILED or CANCELLED where the run is over. Any other value: it is not over,
	// and the error is an ErrSuspended. Empty where only the call ended.
	RunState string

	// Usage is the LM work done by a run that failed, where the server said so; else nil.
	Usage *headracev1.Usage

	// RetryDelay is how long to wait before trying again, where the server said so; else 0.
	RetryDelay time.Duration

	// Violations tell what is wrong with which field of the request.
	Violations []Violation

	// Metadata holds further facts, such as the model, or by whom a run was cancelled.
	Metadata map[string]string

	kind  error
	cause error
}

// Violation is one thing wrong with one field of a request.
type Violation struct {
	// Field is its path, such as "inputs.question".
	Field       string
	Description string
}

func (e *Error) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("headrace: %s", e.Message)
	}

	return fmt.Sprintf("headrace: %s (%s)", e.Message, e.Reason)
}

// Unwrap makes errors.Is work for the kind of the error and for context errors.
func (e *Error) Unwrap() []error {
	if e.cause == nil {
		return []error{e.kind}
	}

	return []error{e.kind, e.cause}
}

// GRPCStatus makes status.FromError and status.Code work.
func (e *Error) GRPCStatus() *status.Status {
	return status.New(e.Code, e.Message)
}

// contextEnded tells whether it was the caller's context that ended a call.
func contextEnded(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// kindOf decides by the run's state, then by the reason, then by the code.
func kindOf(code codes.Code, reason, runState string) error {
	switch runState {
	case "":
	case "SUCCEEDED", "FAILED", "CANCELLED":
		return ErrRunFailed
	default:
		return ErrSuspended
	}

	if kind, known := kinds[reason]; known {
		return kind
	}

	switch code {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.FailedPrecondition,
		codes.OutOfRange, codes.Unauthenticated, codes.PermissionDenied, codes.ResourceExhausted:
		return ErrRefused
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return ErrUnreachable
	default:
		return ErrFault
	}
}
