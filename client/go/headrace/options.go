package headrace

import (
	"crypto/tls"
	"maps"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	headracev1 "headrace.dev/go/headrace/v1"
)

const (
	defaultLinger  = 30 * time.Second
	defaultRetries = 10

	// Asked of the server, so that a much longer silence means that the stream is dead.
	heartbeatInterval = 15 * time.Second
)

// ClientOption changes how a client connects.
type ClientOption func(*Client)

// WithTLS speaks TLS. nil checks the server's certificate against the system's roots; give a config
// with Certificates for mutual TLS.
func WithTLS(config *tls.Config) ClientOption {
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}

	return func(c *Client) { c.tls = config }
}

// WithToken sends a bearer token; it is asked for at every call, and may change. Over the network it
// needs WithTLS too.
func WithToken(token func() string) ClientOption {
	return func(c *Client) { c.token = token }
}

// WithRetries sets how often in a row reading a run may fail without anything new; 10 unless set.
func WithRetries(count int) ClientOption {
	return func(c *Client) { c.retries = count }
}

// WithDialOptions adds gRPC's own options; they win over those of this package.
func WithDialOptions(options ...grpc.DialOption) ClientOption {
	return func(c *Client) { c.dialOptions = append(c.dialOptions, options...) }
}

// RunOption is an option of [Client.Run]: a [StartOption] or a [ReadOption].
type RunOption interface {
	apply(*headracev1.RunRequest)
}

// StartOption says how a run is started.
type StartOption func(*headracev1.RunRequest)

func (o StartOption) apply(request *headracev1.RunRequest) { o(request) }

// ReadOption says what one reader of a run wants to get.
type ReadOption func(*headracev1.StreamOptions)

func (o ReadOption) apply(request *headracev1.RunRequest) { o(request.Options) }

// WithRunID names the run; a run that has this name already is joined. A fresh UUID unless set.
func WithRunID(id string) StartOption {
	return func(r *headracev1.RunRequest) { r.RunId = id }
}

// WithTimeout bounds the whole run, on the server; the run then fails with RUN_TIMEOUT. The context
// bounds only this reader.
func WithTimeout(timeout time.Duration) StartOption {
	return func(r *headracev1.RunRequest) { r.Timeout = durationpb.New(timeout) }
}

// WithLinger sets how long the run survives without a reader; 30 seconds unless set, so that a
// broken connection can be mended.
func WithLinger(linger time.Duration) StartOption {
	return func(r *headracev1.RunRequest) { r.Linger = durationpb.New(linger) }
}

// WithRevision refuses any other revision of the program.
func WithRevision(revision string) StartOption {
	return func(r *headracev1.RunRequest) { r.Revision = revision }
}

// WithLabels keeps labels on the run's record.
func WithLabels(labels map[string]string) StartOption {
	return func(r *headracev1.RunRequest) { r.Labels = maps.Clone(labels) }
}

// WithFields chooses the fields whose text is sent, such as "compose.answer", or "*". Every field of
// text unless set.
func WithFields(selectors ...string) ReadOption {
	return func(o *headracev1.StreamOptions) { o.Fields = selectors }
}

// WithoutTokens leaves out the text of all fields.
func WithoutTokens() ReadOption {
	return func(o *headracev1.StreamOptions) { o.NoTokens = true }
}

// WithStatusDetail chooses which statuses are sent.
func WithStatusDetail(detail headracev1.StatusDetail) ReadOption {
	return func(o *headracev1.StreamOptions) { o.StatusDetail = detail }
}

// WithCallContent adds the inputs and outputs of calls to statuses, where the server allows it.
func WithCallContent() ReadOption {
	return func(o *headracev1.StreamOptions) { o.IncludeData = true }
}

// WithMergeInterval lets the server gather tokens for this long: fewer messages, however fast the
// model is.
func WithMergeInterval(interval time.Duration) ReadOption {
	return func(o *headracev1.StreamOptions) { o.MergeInterval = durationpb.New(interval) }
}

func streamOptions() *headracev1.StreamOptions {
	return &headracev1.StreamOptions{
		HeartbeatInterval: durationpb.New(heartbeatInterval),
		OutputsJson:       true,
	}
}
