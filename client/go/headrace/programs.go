package headrace

import (
	"context"

	headracev1 "headrace.dev/go/headrace/v1"
)

// Programs are the hosted programs, by name.
func (c *Client) Programs(ctx context.Context) ([]*headracev1.Program, error) {
	var programs []*headracev1.Program
	request := &headracev1.ListProgramsRequest{}

	for {
		page, err := ask(ctx, c, "", c.service.ListPrograms, request)

		if err != nil {
			return nil, err
		}

		programs = append(programs, page.Programs...)

		if page.NextPageToken == "" {
			return programs, nil
		}

		request.PageToken = page.NextPageToken
	}
}

// Describe gives one program: its fields, schemas, predictors, tools and inputs to try. Schemas are
// JSON text, whose properties keep the order of the signature.
func (c *Client) Describe(ctx context.Context, program string) (*headracev1.Program, error) {
	response, err := ask(ctx, c, "", c.service.GetProgram, &headracev1.GetProgramRequest{Name: program})

	return response.GetProgram(), err
}

// ServerInfo gives the server's version, features and limits.
func (c *Client) ServerInfo(ctx context.Context) (*headracev1.GetServerInfoResponse, error) {
	return ask(ctx, c, "", c.service.GetServerInfo, &headracev1.GetServerInfoRequest{})
}
