package headrace

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	headracev1 "headrace.dev/go/headrace/v1"
)

// The calls of the scripted server that have one answer. Each is noted, and ends as endings say.

var refusedUntil = time.Date(2031, 7, 1, 12, 0, 0, 0, time.UTC)

func (s *scripted) GetRun(ctx context.Context, r *headracev1.GetRunRequest) (*headracev1.GetRunResponse, error) {
	s.mu.Lock()
	s.records = append(s.records, r)
	s.mu.Unlock()

	return answered(ctx, s, &headracev1.GetRunResponse{Run: s.recorded})
}

func (s *scripted) ListRuns(ctx context.Context, r *headracev1.ListRunsRequest) (*headracev1.ListRunsResponse, error) {
	s.mu.Lock()
	s.lists = append(s.lists, r)
	s.mu.Unlock()

	if r.PageToken == "" {
		runs := []*headracev1.Run{{RunId: "c"}, {RunId: "b"}}

		return answered(ctx, s, &headracev1.ListRunsResponse{Runs: runs, NextPageToken: "b"})
	}

	return answered(ctx, s, &headracev1.ListRunsResponse{Runs: []*headracev1.Run{{RunId: "a"}}})
}

func (s *scripted) CancelRun(ctx context.Context, r *headracev1.CancelRunRequest) (*headracev1.CancelRunResponse, error) {
	s.mu.Lock()
	s.cancelled = append(s.cancelled, r.RunId)
	s.mu.Unlock()

	if r.RunId == "unknown" {
		return answered(ctx, s, &headracev1.CancelRunResponse{RefusedUntil: timestamppb.New(refusedUntil)})
	}

	return answered(ctx, s, &headracev1.CancelRunResponse{Run: &headracev1.Run{State: headracev1.Run_STATE_CANCELLED}})
}

func (s *scripted) DeleteRun(ctx context.Context, r *headracev1.DeleteRunRequest) (*headracev1.DeleteRunResponse, error) {
	s.mu.Lock()
	s.deleted = append(s.deleted, r.RunId)
	s.mu.Unlock()

	return answered(ctx, s, &headracev1.DeleteRunResponse{})
}

func (s *scripted) SendInput(ctx context.Context, r *headracev1.SendInputRequest) (*headracev1.SendInputResponse, error) {
	s.mu.Lock()
	s.inputs = append(s.inputs, r)
	s.mu.Unlock()
	outcome := headracev1.InputResolved_OUTCOME_ANSWERED

	if r.GetDecline() {
		outcome = headracev1.InputResolved_OUTCOME_DECLINED
	}

	return answered(ctx, s, &headracev1.SendInputResponse{
		Resolved: &headracev1.InputResolved{InputId: r.InputId, Outcome: outcome, Reason: r.Reason},
	})
}

func (s *scripted) ListPrograms(_ context.Context, r *headracev1.ListProgramsRequest) (*headracev1.ListProgramsResponse, error) {
	if r.PageToken == "" {
		return &headracev1.ListProgramsResponse{
			Programs: []*headracev1.Program{{Name: "composer"}}, NextPageToken: "composer",
		}, nil
	}

	return &headracev1.ListProgramsResponse{Programs: []*headracev1.Program{{Name: "qa"}}}, nil
}

func (s *scripted) GetProgram(ctx context.Context, r *headracev1.GetProgramRequest) (*headracev1.GetProgramResponse, error) {
	if r.Name != "composer" {
		s.endings = []ending{{code: codes.NotFound, reason: "PROGRAM_NOT_FOUND"}}
	}

	return answered(ctx, s, &headracev1.GetProgramResponse{
		Program: &headracev1.Program{Name: r.Name, InputSchemaJson: schema},
	})
}

func (s *scripted) GetServerInfo(ctx context.Context, _ *headracev1.GetServerInfoRequest) (*headracev1.GetServerInfoResponse, error) {
	return answered(ctx, s, &headracev1.GetServerInfoResponse{Version: "1.2.3", Features: []string{"attach"}})
}

// answered gives a response, unless an ending is next.
func answered[Response any](ctx context.Context, s *scripted, response *Response) (*Response, error) {
	if end := s.next(); end != nil {
		_ = grpc.SetTrailer(ctx, end.trailer())
		return nil, end.err()
	}

	return response, nil
}

// schema has its properties in an order that is not the alphabet's.
const schema = `{"type": "object", "properties": {"question": {"type": "string"}, "depth": {"type": "integer"}}}`
