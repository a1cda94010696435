package headrace

import (
	"context"
	"crypto/tls"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	headracev1 "headrace.dev/go/headrace/v1"
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
	request, err := runRequest(program, inputs)

	if err != nil {
		return nil, err
	}

	for _, option := range options {
		option.forRun(request)
	}

	open := func(ctx context.Context, after int32) (grpc.ServerStreamingClient[headracev1.StreamEvent], error) {
		request.AfterSequence = after

		return c.service.Run(ctx, request)
	}

	ctx, release := bounded(ctx, request.Timeout)
	run := c.reader(ctx, request.RunId, 0, request.Options.OutputForm, open)
	run.release, run.stops = release, true

	return run.accepted()
}

// Attach reads a run that exists, live or ended, after a position; 0 reads it from its start. Closing
// it does not stop it.
func (c *Client) Attach(ctx context.Context, runID string, after int32, options ...AttachOption) (*Run, error) {
	request := &headracev1.AttachRequest{RunId: runID, Options: streamOptions()}

	for _, option := range options {
		option.forReader(request.Options)
	}

	open := func(ctx context.Context, after int32) (grpc.ServerStreamingClient[headracev1.StreamEvent], error) {
		request.AfterSequence = after

		return c.service.Attach(ctx, request)
	}

	return c.reader(ctx, runID, after, request.Options.OutputForm, open).accepted()
}

// Predict runs a program and gives its prediction; [Outputs] decodes it. When ctx is done before that,
// the run is stopped.
func (c *Client) Predict(ctx context.Context, program string, inputs any, options ...PredictOption) (*headracev1.Prediction, error) {
	run, err := runRequest(program, inputs)

	if err != nil {
		return nil, err
	}

	for _, option := range options {
		option.forPredict(run)
	}

	request := predictRequest(run)
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

func (c *Client) predicted(ctx context.Context, request *headracev1.PredictRequest) (*headracev1.Prediction, error) {
	resumption := c.resumption(ctx, request.RunId)

	for {
		var header, trailer metadata.MD
		resumption.asking()
		response, err := c.service.Predict(ctx, request, grpc.Header(&header), grpc.Trailer(&trailer))

		if err == nil {
			return response.Prediction, nil
		}

		if len(header) > 0 {
			resumption.answered(0) // accepted, then cut: worth more tries
		}

		if err := resumption.waitAfter(statusOf(err, header, trailer, c.address, request.RunId)); err != nil {
			return nil, err
		}
	}
}

func (c *Client) reader(
	ctx context.Context, runID string, after int32, form headracev1.OutputForm, open openCall,
) *Run {
	stream := &eventStream{resumption: c.resumption(ctx, runID), open: open}
	stream.cursor = after

	return &Run{
		id: runID, client: c, stream: stream, form: form, release: func() {},
		cursor: after, transcript: newTranscript(),
	}
}

func (c *Client) resumption(ctx context.Context, runID string) resumption {
	return resumption{client: c, ctx: ctx, runID: runID, backoff: retryBackoff{retries: c.retries}}
}
