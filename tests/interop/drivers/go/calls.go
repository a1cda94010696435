package main

import (
	"context"

	"headrace.dev/go/headrace"
)

func sendInputs(ctx context.Context, client *headrace.Client, told order) []reading {
	return each(told.Replies, func(reply reply, one *reading) error {
		resolved, err := byClient(ctx, client, reply.RunID)(reply.InputID, reply.answer)

		if err == nil {
			one.Resolved = inputResolved(resolved)
		}

		return err
	})
}

func cancelEach(ctx context.Context, client *headrace.Client, told order) []reading {
	return each(told.Runs, func(asked asked, one *reading) error {
		answer, err := client.Cancel(ctx, asked.RunID, "enough")
		one.State = answer.GetRun().GetState().String()

		return err
	})
}

func getEach(ctx context.Context, client *headrace.Client, told order) []reading {
	return each(told.Runs, func(asked asked, one *reading) error {
		var options []headrace.RecordOption

		if asked.OutputForm != "" {
			options = append(options, form(asked))
		}

		run, err := client.GetRun(ctx, asked.RunID, options...)
		questions := []object{}

		for _, question := range run.GetInputRequests() {
			questions = append(questions, inputRequest(question))
		}

		metadata := run.GetFailure().GetMetadata()

		if metadata == nil {
			metadata = map[string]string{}
		}

		one.State = run.GetState().String()
		one.Outputs = outputs(run.GetPrediction())
		one.Record = object{
			"reason": run.GetFailure().GetReason(), "metadata": metadata, "questions": questions,
		}

		return err
	})
}

func predictEach(ctx context.Context, client *headrace.Client, told order) []reading {
	return each(told.Runs, func(asked asked, one *reading) error {
		options := []headrace.PredictOption{headrace.WithRunID(asked.RunID)}

		if asked.OutputForm != "" {
			options = append(options, form(asked))
		}

		prediction, err := client.Predict(ctx, asked.Program, asked.Inputs, options...)
		one.Outputs = outputs(prediction)

		return err
	})
}

func describeEach(ctx context.Context, client *headrace.Client, told order) []reading {
	return each(told.Runs, func(asked asked, one *reading) error {
		program, err := client.Describe(ctx, asked.Program)
		tools := object{}

		for _, tool := range program.GetTools() {
			tools[tool.Name] = value(tool.ParametersSchemaJson)
		}

		one.Described = object{
			"inputs":  value(program.GetInputSchemaJson()),
			"outputs": value(program.GetOutputSchemaJson()),
			"tools":   tools,
		}

		return err
	})
}

// each makes a call for every one of what is asked; what it gave stands in a reading, or its error.
func each[Asked any](all []Asked, call func(Asked, *reading) error) []reading {
	var readings []reading

	for _, asked := range all {
		one := blank()

		if err := call(asked, &one); err != nil {
			one = blank()
			one.Error = failure(err)
		}

		readings = append(readings, one)
	}

	return readings
}
