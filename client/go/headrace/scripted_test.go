package headrace

import (
	"context"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	headracev1 "headrace.dev/go/headrace/v1"
)

func TestMain(m *testing.M) {
	firstDelay, longestDelay = time.Millisecond, 5*time.Millisecond

	os.Exit(m.Run())
}

// ending is how a call ends other than OK.
type ending struct {
	code       codes.Code
	reason     string
	state      string // headrace-run-state
	retryDelay time.Duration
	violation  string // path of a field
	metadata   map[string]string
	usage      *headracev1.Usage
	plain      bool // no rich details, only trailers
	after      int  // for streams: how many events are sent before it
}

func (e ending) trailer() metadata.MD {
	trailer := metadata.MD{}

	for name, value := range map[string]string{
		"headrace-run-state": e.state, "headrace-error-reason": e.reason,
	} {
		if value != "" {
			trailer.Set(name, value)
		}
	}

	if e.usage != nil {
		bytes, _ := proto.Marshal(e.usage)
		trailer.Set("headrace-usage-bin", string(bytes))
	}

	return trailer
}

func (e ending) err() error {
	st := status.New(e.code, "scripted")

	if e.reason == "" || e.plain {
		return st.Err()
	}

	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{
		Domain: "headrace.dev", Reason: e.reason, Metadata: e.metadata,
	}}

	if e.retryDelay > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(e.retryDelay)})
	}

	if e.violation != "" {
		details = append(details, &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: e.violation, Description: "unknown"},
		}})
	}

	rich, err := st.WithDetails(details...)

	if err != nil {
		panic(err)
	}

	return rich.Err()
}

// scripted is a server that plays one log from any cursor; endings holds one entry per call, and once
// they are used up calls end OK.
type scripted struct {
	headracev1.UnimplementedHeadraceServiceServer

	mu        sync.Mutex
	events    []*headracev1.StreamEvent
	batched   int // how many of them go into one message; 0 or 1 for each alone
	endings   []ending
	holds     bool   // calls stay open behind their last event
	asked     func() // called at every predict that stays open
	state     string // headrace-run-state of streams that end OK
	recorded  *headracev1.Run
	runs      []*headracev1.RunRequest
	attaches  []*headracev1.AttachRequest
	predicts  []*headracev1.PredictRequest
	records   []*headracev1.GetRunRequest
	lists     []*headracev1.ListRunsRequest
	inputs    []*headracev1.SendInputRequest
	cursors   []int32
	cancelled []string
	deleted   []string
	metadata  metadata.MD
}

func (s *scripted) Run(r *headracev1.RunRequest, stream grpc.ServerStreamingServer[headracev1.StreamEvent]) error {
	s.mu.Lock()
	s.runs = append(s.runs, r)
	s.metadata, _ = metadata.FromIncomingContext(stream.Context())
	s.mu.Unlock()

	return s.play(r.AfterSequence, stream)
}

func (s *scripted) Attach(r *headracev1.AttachRequest, stream grpc.ServerStreamingServer[headracev1.StreamEvent]) error {
	s.mu.Lock()
	s.attaches = append(s.attaches, r)
	s.mu.Unlock()

	return s.play(r.AfterSequence, stream)
}

func (s *scripted) Predict(ctx context.Context, r *headracev1.PredictRequest) (*headracev1.PredictResponse, error) {
	s.mu.Lock()
	s.predicts = append(s.predicts, r)
	s.mu.Unlock()

	if end := s.next(); end != nil {
		_ = grpc.SetTrailer(ctx, end.trailer())
		return nil, end.err()
	}

	if s.holds {
		s.asked()
		<-ctx.Done()

		return nil, status.FromContextError(ctx.Err()).Err()
	}

	return &headracev1.PredictResponse{Prediction: s.events[len(s.events)-1].GetPrediction()}, nil
}

func (s *scripted) play(after int32, stream grpc.ServerStreamingServer[headracev1.StreamEvent]) error {
	end := s.next()
	s.mu.Lock()
	s.cursors = append(s.cursors, after)
	events, holds := s.behind(after), s.holds
	s.mu.Unlock()

	if end != nil {
		events = events[:min(end.after, len(events))]
	}

	for messages := range slices.Chunk(events, max(s.batched, 1)) {
		if err := stream.Send(together(messages)); err != nil {
			return err
		}
	}

	if s.state != "" {
		stream.SetTrailer(metadata.Pairs("headrace-run-state", s.state))
	}

	switch {
	case end != nil:
		stream.SetTrailer(end.trailer())
		return end.err()
	case holds:
		<-stream.Context().Done()

		return status.FromContextError(stream.Context().Err()).Err()
	}

	return nil
}

// together is one message of events: the event itself, or a batch.
func together(events []*headracev1.StreamEvent) *headracev1.StreamEvent {
	if len(events) == 1 {
		return events[0]
	}

	return &headracev1.StreamEvent{
		RunId: "r", Event: &headracev1.StreamEvent_Batch{Batch: &headracev1.EventBatch{Events: events}},
	}
}

// behind are the events after a position; those of a merged group come with its last one.
func (s *scripted) behind(after int32) []*headracev1.StreamEvent {
	if after == 0 {
		return s.events
	}

	for i, event := range s.events {
		if event.Sequence == after {
			return s.events[i+1:]
		}
	}

	return nil
}

func (s *scripted) next() *ending {
	s.mu.Lock()
	defer s.mu.Unlock()

	if len(s.endings) == 0 {
		return nil
	}

	end := s.endings[0]
	s.endings = s.endings[1:]

	return &end
}

// serve gives a client of the scripted server.
func serve(t *testing.T, service *scripted, options ...ClientOption) *Client {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	headracev1.RegisterHeadraceServiceServer(server, service)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)

	dialer := grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return listener.DialContext(ctx)
	})
	client, err := NewClient("passthrough:///localhost", append(options, WithDialOptions(dialer))...)

	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = client.Close() })

	return client
}

// Events, in short

func numbered(events ...*headracev1.StreamEvent) []*headracev1.StreamEvent {
	for i, event := range events {
		event.Sequence, event.EventCount = int32(i+1), 1
	}

	return events
}

func token(field, chunk string, offset int32) *headracev1.StreamEvent {
	return &headracev1.StreamEvent{Event: &headracev1.StreamEvent_Token{Token: &headracev1.Token{
		Predictor: "compose", Field: field, Chunk: chunk, Offset: offset, CallId: 2,
	}}}
}

func heartbeat() *headracev1.StreamEvent {
	return &headracev1.StreamEvent{Event: &headracev1.StreamEvent_Heartbeat{Heartbeat: &headracev1.Heartbeat{}}}
}

func prediction(outputsJSON string) *headracev1.StreamEvent {
	return &headracev1.StreamEvent{Event: &headracev1.StreamEvent_Prediction{
		Prediction: &headracev1.Prediction{OutputsJson: outputsJSON},
	}}
}

// composed is a run that says "Größe → 長さ" in tokens.
func composed() []*headracev1.StreamEvent {
	return numbered(
		token("answer", "Grö", 0), token("answer", "ße ", 3), token("answer", "→ ", 6),
		token("answer", "長さ", 8), prediction(`{"answer": "Größe → 長さ"}`),
	)
}
