package provider

import (
	"embed"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// English is the language of those for whom there is no other.
const English = "en"

//go:embed text/*.yaml
var textFiles embed.FS

// texts are the sentences by language and key.
var texts = mustReadTexts()

func mustReadTexts() map[string]map[string]string {
	out := map[string]map[string]string{}
	files, err := textFiles.ReadDir("text")
	if err != nil {
		panic(err)
	}
	for _, f := range files {
		sentences := map[string]string{}
		b, err := textFiles.ReadFile("text/" + f.Name())
		if err == nil {
			err = yaml.UnmarshalStrict(b, &sentences)
		}
		if err != nil {
			panic(fmt.Sprintf("text/%s: %v", f.Name(), err)) // a test reads them
		}
		out[strings.TrimSuffix(f.Name(), path.Ext(f.Name()))] = sentences
	}
	return out
}

// Translate adds sentences of a language, or replaces some of them. What is left out
// stays English. It is for the start of the program: nothing else may run meanwhile.
// The error names a sentence that does not exist, or has other placeholders.
func Translate(language string, sentences map[string]string) error {
	all := maps.Clone(texts[English])
	maps.Copy(all, texts[language])
	for _, key := range slices.Sorted(maps.Keys(sentences)) {
		english, ok := texts[English][key]
		switch {
		case !ok:
			return fmt.Errorf("there is no sentence provider-%s", key)
		case !slices.Equal(placeholders(sentences[key]), placeholders(english)):
			return fmt.Errorf("provider-%s: has the placeholders %q, and English has %q", key, placeholders(sentences[key]), placeholders(english))
		}
		all[key] = sentences[key]
	}
	texts[language] = all
	return nil
}

var placeholder = regexp.MustCompile(`\{[a-z-]*\}`)

func placeholders(s string) []string {
	all := placeholder.FindAllString(s, -1)
	slices.Sort(all)
	return slices.Compact(all)
}

// Names joins the names of providers as a language does.
func Names(language string, providers []Provider) string {
	names := make([]string, len(providers))
	for i, p := range providers {
		names[i] = p.Name
	}
	return list(language, names)
}

// say fills in a sentence: pairs are placeholders and what to put there. What is put
// there is not looked at for placeholders, and not escaped for any markup. In a
// language that has none it says it in English.
func say(language, key string, pairs ...string) string {
	sentences, ok := texts[language]
	if !ok {
		sentences = texts[English]
	}
	for i := 0; i < len(pairs); i += 2 {
		pairs[i] = "{" + pairs[i] + "}"
	}
	return strings.NewReplacer(pairs...).Replace(sentences[key])
}

// list joins names as a language does.
func list(language string, names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return say(language, "and", "list", strings.Join(names[:last], ", "), "last", names[last])
}
