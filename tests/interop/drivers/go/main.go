// Plays an interop order with the Go client: reads it from stdin, prints what was read as JSON.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log"
	"os"

	"headrace.dev/go/headrace"
)

type play func(ctx context.Context, client *headrace.Client, told order) []reading

var plays = map[string]play{
	"read_each":                     readEach,
	"cancel_after_begin":            cancelAfterBegin,
	"leave_after_first_event":       leaveAfterFirstEvent,
	"detach_and_attach_for_a_while": detachAndAttachForAWhile,
	"attach_each":                   attachEach,
	"attach_and_join_again":         attachAndJoinAgain,
	"attach_behind_the_end":         attachBehindTheEnd,
	"stall_until_over":              stallUntilOver,
	"answer_each":                   answerEach,
	"answer_by_client":              answerByClient,
	"answer_again":                  answerAgain,
	"list_runs":                     listRuns,
	"delete_after_end":              deleteAfterEnd,
	"cancel_before_begin":           cancelBeforeBegin,
	"get_full":                      getFull,
	"send_inputs":                   sendInputs,
	"cancel_each":                   cancelEach,
	"get_each":                      getEach,
	"predict_each":                  predictEach,
	"describe_each":                 describeEach,
}

func main() {
	var told order
	check(json.NewDecoder(os.Stdin).Decode(&told))
	play, known := plays[told.Play]

	if !known {
		log.Fatalf("no play %q", told.Play)
	}

	client, err := headrace.NewClient(told.Address, options(told)...)
	check(err)
	defer client.Close()
	check(json.NewEncoder(os.Stdout).Encode(play(context.Background(), client, told)))
}

func options(told order) []headrace.ClientOption {
	var options []headrace.ClientOption

	if told.Token != "" {
		options = append(options, headrace.WithToken(func() string { return told.Token }))
	}

	if told.TLS != nil {
		options = append(options, headrace.WithTLS(told.TLS.config()))
	}

	return options
}

func (f *files) config() *tls.Config {
	authority, err := os.ReadFile(f.Authority)
	check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	own, err := tls.LoadX509KeyPair(f.Certificate, f.Key)
	check(err)

	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
