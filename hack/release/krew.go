package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"text/template"
)

// krew fills in .krew.yaml, which is a template of krew-release-bot, from the
// archives that were made. It has the function and the field that the bot has.
func krew(f facts, sums map[string]string) (string, error) {
	file := filepath.Join(f.Root, ".krew.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	t, err := template.New(".krew.yaml").Funcs(template.FuncMap{
		"addURIAndSha": func(address, tag string) (string, error) {
			address = strings.ReplaceAll(address, "{{ .TagName }}", tag)
			sum, ok := sums[path.Base(address)]
			if !ok {
				return "", fmt.Errorf("no archive %s was made", path.Base(address))
			}
			return fmt.Sprintf("uri: %s\nsha256: %s", address, sum), nil
		},
		"indent": func(n int, s string) string { return strings.ReplaceAll(s, "\n", "\n"+strings.Repeat(" ", n)) },
	}).Parse(string(text))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, map[string]string{"TagName": "v" + f.Version})
	return b.String(), err
}
