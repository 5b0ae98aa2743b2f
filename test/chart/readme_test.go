package chart

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the table of values in the chart's README")

// The README's table is what values.yaml says, and every value has a comment.
func TestReadmeSaysWhatTheValuesAre(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(chartDir, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(source, &doc); err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| Value | Default | What it is |\n|---|---|---|\n")
	rows(t, &table, "", doc.Content[0])

	file := filepath.Join(chartDir, "README.md")
	readme, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- values -->\n", "<!-- /values -->\n"
	head, rest, ok := strings.Cut(string(readme), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no %q and %q", file, begin, end)
	}
	want := head + begin + table.String() + end + tail
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(readme) != want {
		t.Errorf("%s is not what values.yaml says; run go test ./chart -update in test/", file)
	}
}

// rows writes one row for each value that has a comment; such a value is shown
// whole. A map without a comment is a group, and its values are shown.
func rows(t *testing.T, table *strings.Builder, prefix string, node *yaml.Node) {
	t.Helper()
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		name := prefix + key.Value
		comment := key.HeadComment
		if j := strings.LastIndex(comment, "\n\n"); j >= 0 { // an own paragraph is not the value's
			comment = comment[j+2:]
		}
		comment = strings.Join(strings.Fields(strings.ReplaceAll(comment, "#", " ")), " ")
		if comment == "" && value.Kind == yaml.MappingNode && len(value.Content) > 0 {
			rows(t, table, name+".", value)
			continue
		}
		if comment == "" {
			t.Errorf("%s has no comment in values.yaml", name)
		}
		fmt.Fprintf(table, "| `%s` | `%s` | %s |\n", name, jsonOf(t, value), strings.ReplaceAll(comment, "|", `\|`))
	}
}

func jsonOf(t *testing.T, node *yaml.Node) string {
	t.Helper()
	var v any
	if err := node.Decode(&v); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

// Every value is in the schema, and nothing is in the schema that is no value:
// a typing error in either would go unseen.
func TestSchemaAndValuesAgree(t *testing.T) {
	c := load(t)
	var s map[string]any
	if err := json.Unmarshal(c.Schema, &s); err != nil {
		t.Fatal(err)
	}
	agree(t, "", s, c.Values)
}

func agree(t *testing.T, path string, schema, values map[string]any) {
	t.Helper()
	properties, ok := schema["properties"].(map[string]any)
	if !ok {
		return
	}
	if schema["additionalProperties"] != false {
		t.Errorf("the schema takes anything in %q", path)
	}
	for name, p := range properties {
		value, ok := values[name]
		if !ok {
			t.Errorf("the schema has %s%s, values.yaml does not", path, name)
			continue
		}
		if group, ok := value.(map[string]any); ok {
			agree(t, path+name+".", p.(map[string]any), group)
		}
	}
	for name := range values {
		if _, ok := properties[name]; !ok {
			t.Errorf("values.yaml has %s%s, the schema does not", path, name)
		}
	}
}
