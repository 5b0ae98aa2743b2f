package provider

import (
	"embed"
	"fmt"
	"path"
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
