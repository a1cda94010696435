package headrace

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/durationpb"

	headracev1 "headrace.dev/go/headrace/v1"
)

const (
	callTimeout = 10 * time.Second // of calls with one answer, where the context has none

	// A run's own timeout is kept by the server; this much later its reader stops waiting.
	overtime = 5 * time.Second
)

// Client runs programs of one server. Goroutines may share it; one connection carries all runs.
type Client struct {
	address     string
	token       func() string
	tls         *tls.Config
	retries     int
	dialOptions []grpc.DialOption
	connection  *grpc.ClientConn
	service     headracev1.HeadraceServiceClient
}

// NewClient connects at the first call. Close it.
func NewClient(address string, options ...ClientOption) (*Client, error) {
	client := &Client{address: address, retries: defaultRetries}

	for _, option := range options {
		option(client)
	}

	connection, err := client.dial()

	if err != nil {
		return nil, err
	}

	client.connection = connection
	client.service = headracev1.NewHeadraceServiceClient(connection)

	return client, nil
}

// Close ends the connection and everything that is still read over it.
func (c *Client) Close() error { return c.connection.Close() }

// Service is the generated client over the same connection, for calls that have no method here.
func (c *Client) Service() headracev1.HeadraceServiceClient { return c.service }

// Run starts a run of a program, or joins the run of the same name, and reads it. It returns once the
// server has accepted the request.
//
// inputs is a map or struct whose JSON form holds the program's inputs. When ctx is done, reading
// ends. Close the run: one that is not over is then stopped.
func (c *Client) Run(ctx context.Context, program string, inputs any, options ...RunOption) (*Run, error) {
	request, err := runRequest(program, inputs, options)

	if err != nil {
		return nil, err
	}

	open := func(ctx context.Context, after int32) (grpc.ServerStreamingClient[headracev1.StreamEvent], error) {
		request.AfterSequence = after

		return c.service.Run(ctx, request)
	}

	ctx, release := bounded(ctx, request.Timeout)
	run := c.reader(ctx, request.RunId, 0, open)
	run.release, run.stops = release, true

	return run.accepted()
}

// Attach reads a run that exists, live or ended, after a position; 0 reads it from its start. Closing
// it does not stop it.
func (c *Client) Attach(ctx context.Context, runID string, after int32, options ...ReadOption) (*Run, error) {
	request := &headracev1.AttachRequest{RunId: runID, Options: streamOptions()}

	for _, option := range options {
		option(request.Options)
	}

	open := func(ctx context.Context, after int32) (grpc.ServerStreamingClient[headracev1.StreamEvent], error) {
		request.AfterSequence = after

		return c.service.Attach(ctx, request)
	}

	return c.reader(ctx, runID, after, open).accepted()
}

// Predict runs a program and gives its prediction; [Outputs] decodes it. When ctx is done before that,
// the run is stopped.
func (c *Client) Predict(ctx context.Context, program string, inputs any, options ...StartOption) (*headracev1.Prediction, error) {
	all := make([]RunOption, len(options))

	for i, option := range options {
		all[i] = option
	}

	run, err := runRequest(program, inputs, all)

	if err != nil {
		return nil, err
	}

	request := &headracev1.PredictRequest{
		Program: run.Program, Input: &headracev1.PredictRequest_InputsJson{InputsJson: run.GetInputsJson()},
		RunId: run.RunId, Timeout: run.Timeout, Linger: run.Linger, Revision: run.Revision,
		Labels: run.Labels, OutputsJson: true,
	}
	reading, release := bounded(ctx, request.Timeout)
	defer release()
	prediction, err := c.predicted(reading, request)

	if contextEnded(err) {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
		defer cancel()
		_, _ = c.Cancel(stopping, request.RunId, "the caller left")
	}

	return prediction, err
}

// GetRun gives a run's record: its state, and its prediction or failure once it has ended.
func (c *Client) GetRun(ctx context.Context, runID string) (*headracev1.Run, error) {
	response, err := ask(ctx, c, runID, c.service.GetRun, &headracev1.GetRunRequest{RunId: runID})

	return response.GetRun(), err
}

// Cancel stops a run and gives its record; one that had ended comes back unchanged.
func (c *Client) Cancel(ctx context.Context, runID, reason string) (*headracev1.Run, error) {
	request := &headracev1.CancelRunRequest{RunId: runID, Reason: reason}
	response, err := ask(ctx, c, runID, c.service.CancelRun, request)

	return response.GetRun(), err
}

// Programs are the hosted programs, by name.
func (c *Client) Programs(ctx context.Context) ([]*headracev1.Program, error) {
	var programs []*headracev1.Program
	request := &headracev1.ListProgramsRequest{}

	for {
		page, err := ask(ctx, c, "", c.service.ListPrograms, request)

		if err != nil {
			return nil, err
		}

		programs = append(programs, page.Programs...)

		if page.NextPageToken == "" {
			return programs, nil
		}

		request.PageToken = page.NextPageToken
	}
}

func (c *Client) predicted(ctx context.Context, request *headracev1.PredictRequest) (*headracev1.Prediction, error) {
	resumption := c.resumption(ctx, request.RunId)

	for {
		var header, trailer metadata.MD
		response, err := c.service.Predict(ctx, request, grpc.Header(&header), grpc.Trailer(&trailer))

		if err == nil {
			return response.Prediction, nil
		}

		if len(header) > 0 {
			resumption.answered(0) // accepted, then cut: worth more tries
		}

		if err := resumption.waitAfter(statusOf(err, trailer, c.address, request.RunId)); err != nil {
			return nil, err
		}
	}
}

func (c *Client) reader(ctx context.Context, runID string, after int32, open openCall) *Run {
	stream := &eventStream{resumption: c.resumption(ctx, runID), open: open}
	stream.cursor = after

	return &Run{
		id: runID, client: c, stream: stream, release: func() {}, cursor: after, transcript: newTranscript(),
	}
}

func (c *Client) resumption(ctx context.Context, runID string) resumption {
	return resumption{client: c, ctx: ctx, runID: runID, backoff: retryBackoff{retries: c.retries}}
}

// ask makes a call with one answer.
func ask[Request, Response any](
	ctx context.Context, c *Client, runID string,
	method func(context.Context, *Request, ...grpc.CallOption) (*Response, error), request *Request,
) (*Response, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callTimeout)
		defer cancel()
	}

	var trailer metadata.MD
	response, err := method(ctx, request, grpc.Trailer(&trailer))

	if err == nil {
		return response, nil
	}

	status := c.explained(statusOf(err, trailer, c.address, runID))
	status.cause = ctx.Err()

	return nil, &status.Error
}

func runRequest(program string, inputs any, options []RunOption) (*headracev1.RunRequest, error) {
	text, err := json.Marshal(inputs)

	if err != nil {
		return nil, fmt.Errorf("headrace: the inputs have no JSON form: %w", err)
	}

	if text[0] != '{' {
		return nil, errors.New("headrace: inputs must be a map or a struct, whose JSON form is an object")
	}

	request := &headracev1.RunRequest{
		Program: program,
		Input:   &headracev1.RunRequest_InputsJson{InputsJson: string(text)},
		RunId:   uuid.NewString(),
		Options: streamOptions(),
		Linger:  durationpb.New(defaultLinger),
	}

	for _, option := range options {
		option.apply(request)
	}

	return request, nil
}

// bounded gives reading a deadline a little behind the run's own.
func bounded(ctx context.Context, timeout *durationpb.Duration) (context.Context, context.CancelFunc) {
	if timeout == nil {
		return context.WithCancel(ctx)
	}

	return context.WithTimeout(ctx, timeout.AsDuration()+overtime)
}
