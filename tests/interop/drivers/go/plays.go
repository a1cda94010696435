package main

import (
	"context"
	"time"

	"headrace.dev/go/headrace"
	headracev1 "headrace.dev/go/headrace/v1"
)

func readEach(ctx context.Context, client *headrace.Client, told order) []reading {
	var readings []reading

	for _, asked := range told.Runs {
		readings = append(readings, read(begin(ctx, client, asked)))
	}

	return readings
}

func cancelAfterBegin(ctx context.Context, client *headrace.Client, told order) []reading {
	run := begun(begin(ctx, client, told.Runs[0]))
	_, err := run.Cancel(ctx, "enough")
	check(err)

	return []reading{read(run, nil)}
}

func leaveAfterFirstEvent(ctx context.Context, client *headrace.Client, told order) []reading {
	run := begun(begin(ctx, client, told.Runs[0]))
	_, err := run.Recv()
	check(err)
	run.Close()

	return []reading{read(attach(ctx, client, told.Runs[0]))}
}

func detachAndAttachForAWhile(ctx context.Context, client *headrace.Client, told order) []reading {
	run := begun(begin(ctx, client, told.Runs[0]))
	run.Detach()
	run.Close()

	while, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	attached := read(attach(while, client, told.Runs[0]))
	record, err := client.GetRun(ctx, run.ID())
	check(err)
	attached.State = record.State.String()
	_, err = client.Cancel(ctx, run.ID(), "")
	check(err)

	return []reading{attached}
}

func attachEach(ctx context.Context, client *headrace.Client, told order) []reading {
	var readings []reading

	for _, asked := range told.Runs {
		readings = append(readings, read(attach(ctx, client, asked)))
	}

	return readings
}

func attachAndJoinAgain(ctx context.Context, client *headrace.Client, told order) []reading {
	return []reading{
		read(begin(ctx, client, told.Runs[0])),
		read(attach(ctx, client, told.Runs[0])),
		read(begin(ctx, client, told.Runs[0])),
	}
}

func attachBehindTheEnd(ctx context.Context, client *headrace.Client, told order) []reading {
	whole := read(begin(ctx, client, told.Runs[0]))

	return []reading{whole, read(client.Attach(ctx, told.Runs[0].RunID, whole.Cursor))}
}

func stallUntilOver(ctx context.Context, client *headrace.Client, told order) []reading {
	run := begun(begin(ctx, client, told.Runs[0]))
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

func listRuns(ctx context.Context, client *headrace.Client, told order) []reading {
	readEach(ctx, client, told)
	var readings []reading

	for _, filter := range told.Filters {
		one := blank()
		one.Listed = &[]string{}

		for run, err := range client.Runs(ctx, filter.runs()) {
			check(err)
			*one.Listed = append(*one.Listed, run.RunId)
		}

		readings = append(readings, one)
	}

	return readings
}

func deleteAfterEnd(ctx context.Context, client *headrace.Client, told order) []reading {
	whole := read(begin(ctx, client, told.Runs[0]))
	check(client.Delete(ctx, told.Runs[0].RunID))

	return []reading{whole, read(attach(ctx, client, told.Runs[0]))}
}

func cancelBeforeBegin(ctx context.Context, client *headrace.Client, told order) []reading {
	answer, err := client.Cancel(ctx, told.Runs[0].RunID, "not yet")
	check(err)
	refused := read(begin(ctx, client, told.Runs[0]))

	if answer.Run == nil && answer.RefusedUntil != nil {
		refused.State = "REFUSED"
	}

	return []reading{refused}
}

func getFull(ctx context.Context, client *headrace.Client, told order) []reading {
	whole := read(begin(ctx, client, told.Runs[0]))
	record, err := client.GetRun(ctx, told.Runs[0].RunID,
		headrace.WithView(headracev1.RunView_RUN_VIEW_FULL),
		headrace.WithOutputForm(headracev1.OutputForm_OUTPUT_FORM_JSON))
	check(err)

	full := blank()
	full.RunID = record.RunId
	full.State = record.State.String()
	full.Inputs = &record.InputsJson
	outputs := record.GetPrediction().GetOutputsJson()
	full.Outputs = &outputs

	return []reading{whole, full}
}

func begun(run *headrace.Run, err error) *headrace.Run {
	check(err)

	return run
}
