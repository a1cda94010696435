package headrace

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	headracev1 "headrace.dev/go/headrace/v1"
)

// callStatus is what a call that failed says: its status, and the trailers beside it.
type callStatus struct{ Error }

// cut tells whether only this stream ended, so that the same request may be made again.
func (s *callStatus) cut() bool {
	if s.RunState != "" {
		return false
	}

	switch s.Code {
	case codes.Unavailable, codes.Unknown, codes.Internal, codes.Canceled:
		return true // of the road, not of the request; our own cancel is told apart before
	default:
		return false
	}
}

// suspended tells whether the run is in a state that is not over, and in which reading on does not help.
func (s *callStatus) suspended() bool { return s.kind == ErrSuspended }

// statusOf reads the details of an error, else the plain trailers beside them.
func statusOf(err error, header, trailer metadata.MD, address, runID string) *callStatus {
	st, _ := status.FromError(err)
	read := &callStatus{Error{
		Code:       st.Code(),
		Message:    st.Message(),
		Reason:     first(trailer, "headrace-error-reason"),
		RunID:      runID,
		RunState:   first(trailer, "headrace-run-state"),
		Usage:      usageIn(trailer),
		RetryDelay: milliseconds(first(trailer, "headrace-retry-delay-ms")),
		Metadata:   map[string]string{},
	}}

	for _, detail := range st.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			read.Reason = detail.Reason
			maps.Copy(read.Metadata, detail.Metadata)
		case *errdetails.RetryInfo:
			read.RetryDelay = detail.RetryDelay.AsDuration()
		case *errdetails.BadRequest:
			for _, one := range detail.FieldViolations {
				read.Violations = append(read.Violations, Violation{one.Field, one.Description})
			}
		}
	}

	read.judge(len(header) > 0, address)

	return read
}

// judge decides what the status means for the caller, and says so where the words that came do not.
func (s *callStatus) judge(accepted bool, address string) {
	s.kind = kindOf(s.Code, s.Reason, s.RunState)

	switch {
	case s.suspended():
		s.Message = fmt.Sprintf("run %s is %s: it is not over, and cannot be read on now; ask GetRun", s.RunID, s.RunState)
	case s.Reason != "" || s.RunState != "":
	case s.Code == codes.Unavailable:
		s.Message = fmt.Sprintf("no server answers at %s: %s", address, s.Message)
	case s.Code == codes.ResourceExhausted && accepted && s.RunID != "":
		// A server refuses before it accepts, and gives its reasons: this is the limit of our own channel.
		s.Reason, s.kind = "PREDICTION_TOO_LARGE", ErrRunFailed
		s.Message = "the answer is larger than this client takes: ask for the outputs as JSON alone, " +
			"or raise grpc.MaxCallRecvMsgSize with WithDialOptions: " + s.Message
	}
}

// usageIn reads the trailer of a run that failed; nil where there is none.
func usageIn(trailer metadata.MD) *headracev1.Usage {
	usage := &headracev1.Usage{}
	packed := trailer.Get("headrace-usage-bin")

	if len(packed) == 0 || proto.Unmarshal([]byte(packed[0]), usage) != nil {
		return nil
	}

	return usage
}

func first(trailer metadata.MD, name string) string {
	if values := trailer.Get(name); len(values) > 0 {
		return values[0]
	}

	return ""
}

func milliseconds(text string) time.Duration {
	count, err := strconv.ParseUint(text, 10, 31)

	if err != nil {
		return 0
	}

	return time.Duration(count) * time.Millisecond
}
