package headrace

import (
	"crypto/tls"
	"maps"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	headracev1 "headrace.dev/go/headrace/v1"
)

const (
	defaultLinger  = 30 * time.Second
	defaultRetries = 10
	defaultForm    = headracev1.OutputForm_OUTPUT_FORM_JSON

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

// RunOption is an option of [Client.Run]: a [StartOption], a [ReadOption] or a [FormOption].
type RunOption interface {
	forRun(*headracev1.RunRequest)
}

// AttachOption is an option of [Client.Attach]: a [ReadOption] or a [FormOption].
type AttachOption interface {
	forReader(*headracev1.StreamOptions)
}

// PredictOption is an option of [Client.Predict]: a [StartOption] or a [FormOption].
type PredictOption interface {
	forPredict(*headracev1.RunRequest) // a prediction is asked for as a run is
}

// RecordOption is an option of [Client.GetRun]: a [ViewOption] or a [FormOption].
type RecordOption interface {
	forRecord(*headracev1.GetRunRequest)
}

// StartOption says how a run is started.
type StartOption func(*headracev1.RunRequest)

func (o StartOption) forRun(request *headracev1.RunRequest)     { o(request) }
func (o StartOption) forPredict(request *headracev1.RunRequest) { o(request) }

// ReadOption says what one reader of a run wants to get.
type ReadOption func(*headracev1.StreamOptions)

func (o ReadOption) forRun(request *headracev1.RunRequest)       { o(request.Options) }
func (o ReadOption) forReader(options *headracev1.StreamOptions) { o(options) }

// FormOption is the form in which a prediction's outputs come.
type FormOption headracev1.OutputForm

func (o FormOption) forReader(options *headracev1.StreamOptions) {
	options.OutputForm = headracev1.OutputForm(o)
}

func (o FormOption) forRun(request *headracev1.RunRequest)     { o.forReader(request.Options) }
func (o FormOption) forPredict(request *headracev1.RunRequest) { o.forReader(request.Options) }

func (o FormOption) forRecord(request *headracev1.GetRunRequest) {
	request.OutputForm = headracev1.OutputForm(o)
}

// ViewOption says how much of a run's record is wanted.
type ViewOption headracev1.RunView

func (o ViewOption) forRecord(request *headracev1.GetRunRequest) {
	request.View = headracev1.RunView(o)
}

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

// WithInterfaceRevision refuses any other interface revision of the program: it changes with names,
// types and schemas alone.
func WithInterfaceRevision(revision string) StartOption {
	return func(r *headracev1.RunRequest) { r.InterfaceRevision = revision }
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

// WithTokenDetail chooses which tokens are sent: text as it comes, each field once and whole, or none.
func WithTokenDetail(detail headracev1.TokenDetail) ReadOption {
	return func(o *headracev1.StreamOptions) { o.TokenDetail = detail }
}

// WithStatusDetail chooses which statuses are sent.
func WithStatusDetail(detail headracev1.StatusDetail) ReadOption {
	return func(o *headracev1.StreamOptions) { o.StatusDetail = detail }
}

// WithAccept narrows the kinds of event that are sent beyond statuses, tokens and the prediction. All
// kinds that this package knows unless set; none of them when called without a kind. Batches always come,
// and never show: their events are given one by one.
func WithAccept(kinds ...headracev1.EventKind) ReadOption {
	return func(o *headracev1.StreamOptions) {
		o.Accept = append(slices.Clone(kinds), headracev1.EventKind_EVENT_KIND_BATCH)
	}
}

// WithCallContent adds the inputs and outputs of calls to statuses, the arguments and results of tools,
// and the answers to questions, where the server allows it.
func WithCallContent() ReadOption {
	return func(o *headracev1.StreamOptions) { o.IncludeData = true }
}

// WithMergeInterval lets the server gather tokens for this long: fewer messages, however fast the
// model is.
func WithMergeInterval(interval time.Duration) ReadOption {
	return func(o *headracev1.StreamOptions) { o.MergeInterval = durationpb.New(interval) }
}

// WithOutputForm chooses the form in which the outputs come: as JSON unless set, which keeps integers
// exact and is the smallest. [Outputs] decodes any form.
func WithOutputForm(form headracev1.OutputForm) FormOption { return FormOption(form) }

// WithView chooses how much of a run's record is given; all but its inputs unless set.
func WithView(view headracev1.RunView) ViewOption { return ViewOption(view) }

func streamOptions() *headracev1.StreamOptions {
	return &headracev1.StreamOptions{
		HeartbeatInterval: durationpb.New(heartbeatInterval),
		OutputForm:        defaultForm,
		Accept: []headracev1.EventKind{
			headracev1.EventKind_EVENT_KIND_CUSTOM,
			headracev1.EventKind_EVENT_KIND_INPUT,
			headracev1.EventKind_EVENT_KIND_BATCH,
		},
	}
}
