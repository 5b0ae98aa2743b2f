package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Every warning and error in the log is explained in docs/troubleshooting.md.
func TestEveryLogLineIsExplained(t *testing.T) {
	t.Chdir("../..")
	b, err := os.ReadFile("docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	lines := logLines(t)
	if len(lines) < 15 {
		t.Fatalf("only %d lines were found: %q", len(lines), lines)
	}
	for _, line := range lines {
		begin, _, cut := strings.Cut(line, "; ") // the doc leaves out what follows
		explained := strings.Contains(doc, "`"+begin+"`") || cut && strings.Contains(doc, "`"+begin+"; …`") ||
			strings.Contains(doc, strings.SplitAfter(begin, ": ")[0]+"…`")
		if !explained {
			t.Errorf("docs/troubleshooting.md does not explain the log line %q", line)
		}
	}
}

// logLines returns the text of every Warn and Error of the product.
func logLines(t *testing.T) (lines []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && (path == "test" || path == "hack" || strings.HasPrefix(e.Name(), ".") && path != "."):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			if fun, ok := call.Fun.(*ast.SelectorExpr); ok && (fun.Sel.Name == "Warn" || fun.Sel.Name == "Error") {
				if lit, ok := call.Args[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
					text, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Fatal(err)
					}
					lines = append(lines, text)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// The tests that docs/security.md calls as witnesses exist.
func TestSecurityIsShown(t *testing.T) {
	t.Chdir("../..")
	b, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	err = filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllSubmatch(source, -1) {
			tests[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)`").FindAllSubmatch(b, -1)
	if len(named) < 10 {
		t.Errorf("docs/security.md names only %d tests", len(named))
	}
	for _, m := range named {
		if !tests[string(m[1])] {
			t.Errorf("docs/security.md names %s, which is not there", m[1])
		}
	}
}
