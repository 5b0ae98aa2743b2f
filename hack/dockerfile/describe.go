package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"
)

// description is what BuildKit would make, as far as that can be said without
// running anything.
type description struct {
	Config any      `json:"config"` // of the image, as the OCI has it
	Copies []copied `json:"copies"` // into the last stage
	Runs   []string `json:"runs"`   // scripts of the stage that is copied from
}

type copied struct {
	From    string   `json:"from"`
	Sources []string `json:"sources"`
	To      string   `json:"to"`
}

// describe writes, as JSON, what a Dockerfile makes with VERSION set.
func describe(out io.Writer, text []byte, version string) error {
	made, err := dockerfile2llb.Dockerfile2LLB(context.Background(), text, dockerfile2llb.ConvertOpt{
		MetaResolver: anyImage{}, Config: dockerui.Config{BuildArgs: map[string]string{"VERSION": version}},
	})
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return err
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return err
	}
	d := description{Config: made.Image.Config}
	from := ""
	for _, command := range stages[len(stages)-1].Commands {
		if c, ok := command.(*instructions.CopyCommand); ok {
			d.Copies = append(d.Copies, copied{c.From, c.SourcePaths, c.DestPath})
			from = c.From
		}
	}
	for _, stage := range stages {
		if stage.Name != from {
			continue
		}
		for _, command := range stage.Commands {
			if r, ok := command.(*instructions.RunCommand); ok {
				d.Runs = append(d.Runs, strings.Join(r.CmdLine, " "))
			}
		}
	}
	if len(d.Copies) == 0 || len(d.Runs) == 0 {
		return fmt.Errorf("%d files are copied into the last stage, from %q with %d RUN", len(d.Copies), from, len(d.Runs))
	}
	return json.NewEncoder(out).Encode(d)
}
