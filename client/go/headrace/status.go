package headrace

import (
	"fmt"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// callStatus is what a call that failed says: its status, and the trailers beside it.
type callStatus struct {
	Error
	runState string // SUCCEEDED, FAILED or CANCELLED once the run is over; else empty
}

// cut tells whether only this stream ended, so that the same request may be made again.
func (s *callStatus) cut() bool {
	if s.runState != "" {
		return false
	}

	switch s.Code {
	case codes.Unavailable, codes.Unknown, codes.Internal, codes.Canceled:
		return true // of the road, not of the request; our own cancel is told apart before
	default:
		return false
	}
}

// statusOf reads the details of an error, else the plain trailers beside them.
func statusOf(err error, trailer metadata.MD, address, runID string) *callStatus {
	st, _ := status.FromError(err)
	read := &callStatus{
		Error: Error{
			Code:       st.Code(),
			Message:    st.Message(),
			Reason:     first(trailer, "headrace-error-reason"),
			RunID:      runID,
			RetryDelay: milliseconds(first(trailer, "headrace-retry-delay-ms")),
			Metadata:   map[string]string{},
		},
		runState: first(trailer, "headrace-run-state"),
	}

	for _, detail := range st.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			read.Reason, read.Metadata = detail.Reason, detail.Metadata
		case *errdetails.RetryInfo:
			read.RetryDelay = detail.RetryDelay.AsDuration()
		case *errdetails.BadRequest:
			for _, one := range detail.FieldViolations {
				read.Violations = append(read.Violations, Violation{one.Field, one.Description})
			}
		}
	}

	read.kind = kindOf(read.Code, read.Reason, read.runState)

	if read.Code == codes.Unavailable && read.Reason == "" {
		read.Message = fmt.Sprintf("no server answers at %s: %s", address, read.Message)
	}

	return read
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
