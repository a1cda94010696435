package headrace

import (
	"context"
	"testing"
	"time"

	headracev1 "headrace.dev/go/headrace/v1"
)

const (
	custom = headracev1.EventKind_EVENT_KIND_CUSTOM
	input  = headracev1.EventKind_EVENT_KIND_INPUT
	batch  = headracev1.EventKind_EVENT_KIND_BATCH
)

func TestAStartSaysWhatItsOptionsSay(t *testing.T) {
	service := &scripted{events: composed()}
	client := serve(t, service)
	options := []StartOption{
		WithRunID("mine"), WithLinger(time.Hour), WithTimeout(time.Minute), WithRevision("r1"),
		WithInterfaceRevision("i1"), WithLabels(map[string]string{"tenant": "a"}),
	}
	var ofRun []RunOption
	var ofPredict []PredictOption

	for _, option := range options {
		ofRun, ofPredict = append(ofRun, option), append(ofPredict, option)
	}

	sequences(t, start(t, client, ofRun...))
	_, err := client.Predict(context.Background(), "composer", map[string]any{}, ofPredict...)
	equal(t, err, nil)

	for _, request := range []interface {
		GetRunId() string
		GetRevision() string
		GetInterfaceRevision() string
		GetLabels() map[string]string
	}{service.runs[0], service.predicts[0]} {
		equal(t, request.GetRunId(), "mine")
		equal(t, request.GetRevision(), "r1")
		equal(t, request.GetInterfaceRevision(), "i1")
		equal(t, request.GetLabels(), map[string]string{"tenant": "a"})
	}

	equal(t, service.runs[0].Linger.AsDuration(), time.Hour)
	equal(t, service.predicts[0].Linger.AsDuration(), time.Hour)
	equal(t, service.predicts[0].Timeout.AsDuration(), time.Minute)
}

func TestAReaderSaysWhatItsOptionsSay(t *testing.T) {
	service := &scripted{events: composed()}
	run, err := serve(t, service).Attach(context.Background(), "r", 0,
		WithTokenDetail(headracev1.TokenDetail_TOKEN_DETAIL_WHOLE),
		WithStatusDetail(headracev1.StatusDetail_STATUS_DETAIL_MESSAGES),
		WithOutputForm(headracev1.OutputForm_OUTPUT_FORM_BOTH),
		WithCallContent(), WithMergeInterval(time.Second),
	)
	equal(t, err, nil)
	run.Close()

	options := service.attaches[0].Options
	equal(t, options.TokenDetail, headracev1.TokenDetail_TOKEN_DETAIL_WHOLE)
	equal(t, options.StatusDetail, headracev1.StatusDetail_STATUS_DETAIL_MESSAGES)
	equal(t, options.OutputForm, headracev1.OutputForm_OUTPUT_FORM_BOTH)
	equal(t, options.IncludeData, true)
	equal(t, options.MergeInterval.AsDuration(), time.Second)
	equal(t, options.Accept, []headracev1.EventKind{custom, input, batch})
}

func TestTheKindsOfEventsAreNarrowedAndBatchesAlwaysAccepted(t *testing.T) {
	service := &scripted{events: composed()}
	client := serve(t, service)
	kinds := []headracev1.EventKind{input}
	sequences(t, start(t, client, WithAccept(kinds...)))
	sequences(t, start(t, client, WithAccept()))

	equal(t, service.runs[0].Options.Accept, []headracev1.EventKind{input, batch})
	equal(t, service.runs[1].Options.Accept, []headracev1.EventKind{batch})
	equal(t, kinds, []headracev1.EventKind{input})
}
