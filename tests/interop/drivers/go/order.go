package main

import (
	"context"
	"encoding/json"
	"log"
	"time"

	"headrace.dev/go/headrace"
	headracev1 "headrace.dev/go/headrace/v1"
)

type order struct {
	Address string   `json:"address"`
	Token   string   `json:"token"`
	TLS     *files   `json:"tls"`
	Play    string   `json:"play"`
	Runs    []asked  `json:"runs"`
	Filters []filter `json:"filters"`
	Replies []reply  `json:"replies"`
}

type files struct {
	Authority   string `json:"authority"`
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
}

// asked is a run, and how it is read and answered. What is absent is left to the client.
type asked struct {
	Program           string            `json:"program"`
	Inputs            map[string]any    `json:"inputs"`
	RunID             string            `json:"run_id"`
	Timeout           float64           `json:"timeout"` // seconds
	Labels            map[string]string `json:"labels"`
	InterfaceRevision string            `json:"interface_revision"`
	Fields            []string          `json:"fields"`
	IncludeData       bool              `json:"include_data"`
	Accept            *[]string         `json:"accept"`
	TokenDetail       string            `json:"token_detail"`
	OutputForm        string            `json:"output_form"`
	Answers           []answer          `json:"answers"`
}

type answer struct {
	Value   json.RawMessage `json:"value"`
	Decline bool            `json:"decline"`
	Reason  string          `json:"reason"`
}

// reply is an answer to a question of a run that somebody else may read.
type reply struct {
	RunID   string `json:"run_id"`
	InputID string `json:"input_id"`
	answer
}

type filter struct {
	Program       string            `json:"program"`
	States        []string          `json:"states"`
	Labels        map[string]string `json:"labels"`
	CreatedAfter  float64           `json:"created_after"` // Unix seconds
	CreatedBefore float64           `json:"created_before"`
}

var kinds = map[string]headracev1.EventKind{
	"custom": headracev1.EventKind_EVENT_KIND_CUSTOM,
	"input":  headracev1.EventKind_EVENT_KIND_INPUT,
}

var details = map[string]headracev1.TokenDetail{
	"all":   headracev1.TokenDetail_TOKEN_DETAIL_ALL,
	"whole": headracev1.TokenDetail_TOKEN_DETAIL_WHOLE,
	"none":  headracev1.TokenDetail_TOKEN_DETAIL_NONE,
}

var forms = map[string]headracev1.OutputForm{
	"struct": headracev1.OutputForm_OUTPUT_FORM_STRUCT,
	"json":   headracev1.OutputForm_OUTPUT_FORM_JSON,
	"both":   headracev1.OutputForm_OUTPUT_FORM_BOTH,
	"none":   headracev1.OutputForm_OUTPUT_FORM_NONE,
}

func begin(ctx context.Context, client *headrace.Client, asked asked) (*headrace.Run, error) {
	options := []headrace.RunOption{headrace.WithRunID(asked.RunID)}

	if asked.Timeout > 0 {
		options = append(options, headrace.WithTimeout(time.Duration(asked.Timeout*float64(time.Second))))
	}

	if asked.Labels != nil {
		options = append(options, headrace.WithLabels(asked.Labels))
	}

	if asked.InterfaceRevision != "" {
		options = append(options, headrace.WithInterfaceRevision(asked.InterfaceRevision))
	}

	for _, option := range reads(asked) {
		options = append(options, option)
	}

	if asked.OutputForm != "" {
		options = append(options, form(asked))
	}

	return client.Run(ctx, asked.Program, asked.Inputs, options...)
}

func attach(ctx context.Context, client *headrace.Client, asked asked) (*headrace.Run, error) {
	var options []headrace.AttachOption

	for _, option := range reads(asked) {
		options = append(options, option)
	}

	if asked.OutputForm != "" {
		options = append(options, form(asked))
	}

	return client.Attach(ctx, asked.RunID, 0, options...)
}

func reads(asked asked) []headrace.ReadOption {
	options := []headrace.ReadOption{headrace.WithFields(asked.Fields...)}

	if asked.IncludeData {
		options = append(options, headrace.WithCallContent())
	}

	if asked.TokenDetail != "" {
		options = append(options, headrace.WithTokenDetail(named(details, asked.TokenDetail)))
	}

	if asked.Accept != nil {
		var accepted []headracev1.EventKind

		for _, name := range *asked.Accept {
			accepted = append(accepted, named(kinds, name))
		}

		options = append(options, headrace.WithAccept(accepted...))
	}

	return options
}

func form(asked asked) headrace.FormOption {
	return headrace.WithOutputForm(named(forms, asked.OutputForm))
}

func (f filter) runs() headrace.RunFilter {
	wanted := headrace.RunFilter{
		Program: f.Program, Labels: f.Labels,
		CreatedAfter: moment(f.CreatedAfter), CreatedBefore: moment(f.CreatedBefore),
	}

	for _, name := range f.States {
		wanted.States = append(wanted.States, headracev1.Run_State(named(headracev1.Run_State_value, name)))
	}

	return wanted
}

func moment(seconds float64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}

	return time.UnixMicro(int64(seconds * 1e6))
}

func named[Value any](values map[string]Value, name string) Value {
	value, known := values[name]

	if !known {
		log.Fatalf("no %T is called %q", value, name)
	}

	return value
}
