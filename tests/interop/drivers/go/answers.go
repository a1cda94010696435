package main

import (
	"context"
	"log"

	"headrace.dev/go/headrace"
	headracev1 "headrace.dev/go/headrace/v1"
)

// respond sends an answer to a question.
type respond func(inputID string, answer answer) (*headracev1.InputResolved, error)

func answerEach(ctx context.Context, client *headrace.Client, told order) []reading {
	run := begun(begin(ctx, client, told.Runs[0]))

	return []reading{readAnswering(run, told.Runs[0].Answers, byRun(ctx, run))}
}

func answerByClient(ctx context.Context, client *headrace.Client, told order) []reading {
	run := begun(begin(ctx, client, told.Runs[0]))

	return []reading{readAnswering(run, told.Runs[0].Answers, byClient(ctx, client, run.ID()))}
}

// readAnswering reads a run to its end, and answers each of its questions with the next answer.
func readAnswering(run *headrace.Run, answers []answer, send respond) reading {
	return readWith(run, func(event *headracev1.StreamEvent) {
		if asked := event.GetInputRequest(); asked != nil {
			_, err := send(asked.InputId, answers[0])
			check(err)
			answers = answers[1:]
		}
	})
}

// answerAgain answers one question with the first answer twice, then with the second.
func answerAgain(ctx context.Context, client *headrace.Client, told order) []reading {
	run := begun(begin(ctx, client, told.Runs[0]))
	answers, send := told.Runs[0].Answers, byClient(ctx, client, run.ID())
	refused := blank()

	whole := readWith(run, func(event *headracev1.StreamEvent) {
		asked := event.GetInputRequest()

		if asked == nil {
			return
		}

		for range 2 {
			resolved, err := send(asked.InputId, answers[0])
			check(err)

			if resolved.Outcome != headracev1.InputResolved_OUTCOME_ANSWERED {
				log.Fatalf("it was resolved as %s", resolved.Outcome)
			}
		}

		if _, err := send(asked.InputId, answers[1]); err != nil {
			refused.Error = failure(err)
		}
	})

	return []reading{whole, refused}
}

func byRun(ctx context.Context, run *headrace.Run) respond {
	return func(inputID string, answer answer) (*headracev1.InputResolved, error) {
		if answer.Decline {
			return run.Decline(ctx, inputID, answer.Reason)
		}

		return run.Answer(ctx, inputID, answer.Value, answer.Reason)
	}
}

func byClient(ctx context.Context, client *headrace.Client, runID string) respond {
	return func(inputID string, answer answer) (*headracev1.InputResolved, error) {
		if answer.Decline {
			return client.Decline(ctx, runID, inputID, answer.Reason)
		}

		return client.Answer(ctx, runID, inputID, answer.Value, answer.Reason)
	}
}
