package headrace

import (
	"context"
	"errors"
	"testing"
)

func TestAllPagesOfProgramsAreRead(t *testing.T) {
	programs, err := serve(t, &scripted{}).Programs(context.Background())
	var names []string

	for _, program := range programs {
		names = append(names, program.Name)
	}

	equal(t, err, nil)
	equal(t, names, []string{"composer", "qa"})
}

func TestAProgramIsDescribedWithItsSchemasInTheOrderOfItsSignature(t *testing.T) {
	client := serve(t, &scripted{})
	program, err := client.Describe(context.Background(), "composer")
	equal(t, err, nil)
	equal(t, program.InputSchemaJson, schema)

	_, err = client.Describe(context.Background(), "compozer")
	equal(t, errors.Is(err, ErrRefused), true)
	equal(t, failure(t, err).Reason, "PROGRAM_NOT_FOUND")
}

func TestTheServerTellsOfItself(t *testing.T) {
	info, err := serve(t, &scripted{}).ServerInfo(context.Background())
	equal(t, err, nil)
	equal(t, info.Version, "1.2.3")
	equal(t, info.Features, []string{"attach"})
}
