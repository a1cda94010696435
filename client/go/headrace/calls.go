package headrace

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// callTimeout bounds calls with one answer, where the context does not.
const callTimeout = 10 * time.Second

// ask makes a call with one answer.
func ask[Request, Response any](
	ctx context.Context, c *Client, runID string,
	method func(context.Context, *Request, ...grpc.CallOption) (*Response, error), request *Request,
) (*Response, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callTimeout)
		defer cancel()
	}

	var header, trailer metadata.MD
	response, err := method(ctx, request, grpc.Header(&header), grpc.Trailer(&trailer))

	if err == nil {
		return response, nil
	}

	status := c.explained(statusOf(err, header, trailer, c.address, runID))
	status.cause = ctx.Err()

	return nil, &status.Error
}
