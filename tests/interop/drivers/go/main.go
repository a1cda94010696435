// Plays an interop order with the Go client: reads it from stdin, prints what was read as JSON.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log"
	"os"
	"time"

	"headrace.dev/go/headrace"
	headracev1 "headrace.dev/go/headrace/v1"
)

type order struct {
	Address string  `json:"address"`
	Token   string  `json:"token"`
	TLS     *files  `json:"tls"`
	Play    string  `json:"play"`
	Runs    []asked `json:"runs"`
}

type files struct {
	Authority   string `json:"authority"`
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
}

type asked struct {
	Program string         `json:"program"`
	Inputs  map[string]any `json:"inputs"`
	RunID   string         `json:"run_id"`
	Fields  []string       `json:"fields"`
	Timeout float64        `json:"timeout"` // seconds
}

type play func(ctx context.Context, client *headrace.Client, runs []asked) []reading

var plays = map[string]play{
	"read_each":                     readEach,
	"cancel_after_begin":            cancelAfterBegin,
	"leave_after_first_event":       leaveAfterFirstEvent,
	"detach_and_attach_for_a_while": detachAndAttachForAWhile,
	"attach_and_join_again":         attachAndJoinAgain,
	"attach_behind_the_end":         attachBehindTheEnd,
	"stall_until_over":              stallUntilOver,
}

func main() {
	var told order
	check(json.NewDecoder(os.Stdin).Decode(&told))
	client, err := headrace.NewClient(told.Address, options(told)...)
	check(err)
	defer client.Close()
	readings := plays[told.Play](context.Background(), client, told.Runs)
	check(json.NewEncoder(os.Stdout).Encode(readings))
}

func options(told order) []headrace.ClientOption {
	if told.TLS == nil {
		return nil
	}

	authority, err := os.ReadFile(told.TLS.Authority)
	check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	own, err := tls.LoadX509KeyPair(told.TLS.Certificate, told.TLS.Key)
	check(err)

	return []headrace.ClientOption{
		headrace.WithTLS(&tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}}),
		headrace.WithToken(func() string { return told.Token }),
	}
}

// What is played

func readEach(ctx context.Context, client *headrace.Client, runs []asked) []reading {
	var readings []reading

	for _, asked := range runs {
		readings = append(readings, read(begin(ctx, client, asked)))
	}

	return readings
}

func cancelAfterBegin(ctx context.Context, client *headrace.Client, runs []asked) []reading {
	run := begun(begin(ctx, client, runs[0]))
	_, err := run.Cancel(ctx, "enough")
	check(err)

	return []reading{read(run, nil)}
}

func leaveAfterFirstEvent(ctx context.Context, client *headrace.Client, runs []asked) []reading {
	run := begun(begin(ctx, client, runs[0]))
	_, err := run.Recv()
	check(err)
	run.Close()

	return []reading{read(attach(ctx, client, runs[0]))}
}

func detachAndAttachForAWhile(ctx context.Context, client *headrace.Client, runs []asked) []reading {
	run := begun(begin(ctx, client, runs[0]))
	run.Detach()
	run.Close()

	while, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	attached := read(attach(while, client, runs[0]))
	record, err := client.GetRun(ctx, run.ID())
	check(err)
	attached.State = record.State.String()
	_, err = client.Cancel(ctx, run.ID(), "")
	check(err)

	return []reading{attached}
}

func attachAndJoinAgain(ctx context.Context, client *headrace.Client, runs []asked) []reading {
	return []reading{
		read(begin(ctx, client, runs[0])),
		read(attach(ctx, client, runs[0])),
		read(begin(ctx, client, runs[0])),
	}
}

func attachBehindTheEnd(ctx context.Context, client *headrace.Client, runs []asked) []reading {
	whole := read(begin(ctx, client, runs[0]))

	return []reading{whole, read(client.Attach(ctx, runs[0].RunID, whole.Cursor))}
}

func stallUntilOver(ctx context.Context, client *headrace.Client, runs []asked) []reading {
	run := begun(begin(ctx, client, runs[0]))
	first, err := run.Recv()
	check(err)

	for {
		record, err := client.GetRun(ctx, run.ID())
		check(err)

		if record.State != headracev1.Run_STATE_RUNNING {
			return []reading{read(run, nil, first)}
		}

		time.Sleep(50 * time.Millisecond)
	}
}

func begin(ctx context.Context, client *headrace.Client, asked asked) (*headrace.Run, error) {
	options := []headrace.RunOption{headrace.WithRunID(asked.RunID), headrace.WithFields(asked.Fields...)}

	if asked.Timeout > 0 {
		options = append(options, headrace.WithTimeout(time.Duration(asked.Timeout*float64(time.Second))))
	}

	return client.Run(ctx, asked.Program, asked.Inputs, options...)
}

func attach(ctx context.Context, client *headrace.Client, asked asked) (*headrace.Run, error) {
	return client.Attach(ctx, asked.RunID, 0, headrace.WithFields(asked.Fields...))
}

func begun(run *headrace.Run, err error) *headrace.Run {
	check(err)

	return run
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
