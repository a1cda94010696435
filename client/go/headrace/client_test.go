package headrace

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestPredictIsMadeAgainWithTheSameRunID(t *testing.T) {
	service := &scripted{events: composed(), endings: []ending{{code: codes.Unavailable}, {code: codes.Internal}}}
	prediction, err := serve(t, service).Predict(context.Background(), "composer", struct{ Question string }{"why?"})

	if err != nil {
		t.Fatal(err)
	}

	equal(t, prediction.OutputsJson, `{"answer": "Größe → 長さ"}`)
	equal(t, len(service.predicts), 3)
	equal(t, service.predicts[2].RunId, service.predicts[0].RunId)
	equal(t, service.predicts[0].GetInputsJson(), `{"Question":"why?"}`)
}

func TestLeavingAPredictStopsItsRun(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	service := &scripted{events: composed(), holds: true, asked: cancel}
	_, err := serve(t, service).Predict(ctx, "composer", map[string]any{})

	equal(t, errors.Is(err, context.Canceled), true)
	equal(t, service.cancelled, []string{service.predicts[0].RunId})
}

func TestARefusalNamesTheFields(t *testing.T) {
	refusal := ending{code: codes.InvalidArgument, reason: "INPUT_INVALID", violation: "inputs.qestion"}
	service := &scripted{endings: []ending{refusal}}
	_, err := serve(t, service).Predict(context.Background(), "composer", map[string]any{"qestion": "?"})
	refused := failure(t, err)

	equal(t, errors.Is(err, ErrRefused), true)
	equal(t, refused.Reason, "INPUT_INVALID")
	equal(t, refused.Violations, []Violation{{"inputs.qestion", "unknown"}})
	equal(t, status.Code(err), codes.InvalidArgument)
}

func TestPlainTrailersDoWhereDetailsAreMissing(t *testing.T) {
	service := &scripted{endings: []ending{
		{code: codes.ResourceExhausted, reason: "LM_RATE_LIMITED", state: "FAILED", plain: true},
	}}
	_, err := serve(t, service).Predict(context.Background(), "composer", map[string]any{})

	equal(t, errors.Is(err, ErrRunFailed), true)
	equal(t, failure(t, err).Reason, "LM_RATE_LIMITED")
}

func TestNobodyListeningIsToldWithinSeconds(t *testing.T) {
	client, _ := NewClient("127.0.0.1:1")
	defer client.Close()
	_, err := client.Predict(context.Background(), "composer", map[string]any{})

	equal(t, errors.Is(err, ErrUnreachable), true)
	equal(t, strings.HasPrefix(err.Error(), "headrace: no server answers at 127.0.0.1:1: "), true)
}

func TestATokenDoesNotCrossTheNetworkInClearText(t *testing.T) {
	token := WithToken(func() string { return "secret" })

	for _, address := range []string{"example.org:443", "10.0.0.1:50051", "dns:///example.org"} {
		_, err := NewClient(address, token)
		equal(t, err != nil, true)

		_, err = NewClient(address, token, WithTLS(&tls.Config{}))
		equal(t, err, nil)
	}

	for _, address := range []string{"localhost:50051", "127.0.0.1:50051", "[::1]:50051", "unix:/tmp/s"} {
		_, err := NewClient(address, token)
		equal(t, err, nil)
	}
}

func TestInputsMustBeAnObject(t *testing.T) {
	client := serve(t, &scripted{})

	for _, inputs := range []any{nil, "text", []int{1}, map[string]any{"f": func() {}}} {
		_, err := client.Run(context.Background(), "composer", inputs)
		equal(t, err != nil, true)
	}
}

func TestDelaysDoubleUpToTheLongest(t *testing.T) {
	shortest, longest := firstDelay, longestDelay
	firstDelay, longestDelay = 100*time.Millisecond, 5*time.Second
	defer func() { firstDelay, longestDelay = shortest, longest }()

	backoff := retryBackoff{retries: 8, reached: true}
	want := []time.Duration{100, 200, 400, 800, 1600, 3200, 5000, 5000}

	for _, milliseconds := range want {
		delay, more := backoff.next(0)
		most := milliseconds * time.Millisecond
		equal(t, more && most/2 <= delay && delay <= most, true)
	}

	_, more := backoff.next(0)
	equal(t, more, false)
}
