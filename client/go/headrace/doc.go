// Package headrace runs programs of a headrace server and streams what happens inside them.
//
//	client, err := headrace.NewClient("127.0.0.1:50051")
//	...
//	defer client.Close()
//
//	run, err := client.Run(ctx, "composer", map[string]any{"question": "why?"})
//	...
//	defer run.Close()
//
//	for event, err := range run.Events() {
//		...
//		switch event := event.Event.(type) {
//		case *headracev1.StreamEvent_Token:
//			fmt.Print(event.Token.Chunk)
//		case *headracev1.StreamEvent_Status:
//			fmt.Println(event.Status.Message)
//		}
//	}
//
//	var answer struct{ Answer string }
//	err = run.Result(&answer)
//
// Events are the messages of the wire, from package headracev1. A run that asks is answered with
// [Run.Answer] or, from anywhere, with [Client.Answer]. A connection that breaks is mended
// underneath, without loss; what cannot be mended is an [Error].
package headrace
