// Runs the composer and prints what its branches write, as it comes.
//
//	go run ./example 127.0.0.1:50051 "Why do parallel branches feel faster?"
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	"headrace.dev/go/headrace"
	headracev1 "headrace.dev/go/headrace/v1"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: go run ./example ADDRESS QUESTION")
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt) // Ctrl-C stops the run, too
	defer stop()

	if err := ask(ctx, os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func ask(ctx context.Context, address, question string) error {
	client, err := headrace.NewClient(address)

	if err != nil {
		return err
	}

	defer client.Close()
	run, err := client.Run(ctx, "composer", map[string]string{"question": question})

	if err != nil {
		return err
	}

	defer run.Close()

	for event, err := range run.Events() {
		if err != nil {
			return err
		}

		show(event)
	}

	var answer struct{ Answer string }

	if err := run.Result(&answer); err != nil {
		return err
	}

	fmt.Printf("\n%s\n", answer.Answer)

	return nil
}

func show(event *headracev1.StreamEvent) {
	switch event := event.Event.(type) {
	case *headracev1.StreamEvent_Token:
		fmt.Printf("%s.%s: %q\n", event.Token.Predictor, event.Token.Field, event.Token.Chunk)
	case *headracev1.StreamEvent_Status:
		if event.Status.Message != "" {
			fmt.Println(event.Status.Message)
		}
	case *headracev1.StreamEvent_Custom:
		fmt.Println(event.Custom.Name, event.Custom.DataJson)
	case *headracev1.StreamEvent_InputRequest:
		fmt.Println("asks:", event.InputRequest.Message)
	}
}
