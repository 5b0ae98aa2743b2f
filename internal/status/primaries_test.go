package status

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestMarkPrimaries(t *testing.T) {
	for name, tc := range map[string]struct {
		marks map[string]string
		err   error
		want  string // primary and others, of this replica and the other one
	}{
		"no secondaries":     {marks: map[string]string{}, want: "false false, false false"},
		"the same":           {marks: map[string]string{"a": "x", "b": "x"}, want: "true false, true false"},
		"others":             {marks: map[string]string{"a": "x", "b": "y"}, want: "true false, true true"},
		"the other has none": {marks: map[string]string{"a": "x"}, want: "true false, false true"},
		"this one has none":  {marks: map[string]string{"b": "x"}, want: "false false, true true"},
		"not known":          {err: errors.New("no Redis"), want: "false false, false false"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &Collector{Config: Config{Address: "a", Primaries: func(context.Context) (map[string]string, error) { return tc.marks, tc.err }}}
			list := []Replica{{Address: "a", Self: true}, {Address: "b"}}
			c.markPrimaries(t.Context(), list)
			if got := fmt.Sprintf("%v %v, %v %v", list[0].Primary, list[0].Others, list[1].Primary, list[1].Others); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}
