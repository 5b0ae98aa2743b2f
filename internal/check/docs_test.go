package check_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Every check is explained in docs/troubleshooting.md, and nothing else is.
func TestEveryCheckIsExplained(t *testing.T) {
	doc, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	var explained []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| [^|]{10,} \\| [^|]{5,} \\|$").FindAllSubmatch(doc, -1) {
		explained = append(explained, string(m[1]))
	}
	identifiers := constants(t, "ids.go")
	if len(identifiers) < 30 {
		t.Fatalf("only %d identifiers: %q", len(identifiers), identifiers)
	}
	for _, id := range identifiers {
		if !slices.Contains(explained, id) {
			t.Errorf("docs/troubleshooting.md does not explain %s", id)
		}
	}
	for _, id := range explained {
		if !slices.Contains(identifiers, id) {
			t.Errorf("docs/troubleshooting.md explains %s, which is no check", id)
		}
	}
}

// constants returns the values of all string constants in a file.
func constants(t *testing.T, file string) (out []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			s, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, s)
		}
		return true
	})
	return out
}

// A Finding's check is one of the constants, and so is explained.
func TestChecksAreConstants(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range files {
		if strings.HasSuffix(e.Name(), "_test.go") || !strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if kv, ok := n.(*ast.KeyValueExpr); ok {
				if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Check" {
					if lit, ok := kv.Value.(*ast.BasicLit); ok {
						t.Errorf("%s: Check: %s; name it in identifiers.go", e.Name(), lit.Value)
					}
				}
			}
			return true
		})
	}
}
