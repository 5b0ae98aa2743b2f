// Package text keeps sentences for people in several languages, as files that come with
// the program. It imports nothing of this project; its proof is in the tests of those
// whose sentences they are.
package text

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// English is the language of those for whom there is no other.
const English = "en"

// Read returns the sentences, by language and key, of the files in folder text, which are
// named after their languages: de.yaml. It panics if they cannot be read: they come with
// the program, and a test reads them.
func Read(files fs.FS) map[string]map[string]string {
	out := map[string]map[string]string{}
	list, err := fs.ReadDir(files, "text")
	if err != nil {
		panic(err)
	}
	for _, f := range list {
		sentences := map[string]string{}
		b, err := fs.ReadFile(files, "text/"+f.Name())
		if err == nil {
			err = yaml.UnmarshalStrict(b, &sentences)
		}
		if err != nil {
			panic(fmt.Sprintf("text/%s: %v", f.Name(), err))
		}
		out[strings.TrimSuffix(f.Name(), path.Ext(f.Name()))] = sentences
	}
	return out
}

// Say fills in a sentence: pairs are placeholders and what to put there. What is put
// there is not looked at for placeholders, and not escaped for any markup. In a
// language that has none it says it in English.
func Say(texts map[string]map[string]string, language, key string, pairs ...string) string {
	sentences, ok := texts[language]
	if !ok {
		sentences = texts[English]
	}
	pairs = slices.Clone(pairs)
	for i := 0; i < len(pairs); i += 2 {
		pairs[i] = "{" + pairs[i] + "}"
	}
	return strings.NewReplacer(pairs...).Replace(sentences[key])
}

var placeholder = regexp.MustCompile(`\{[a-z-]*\}`)

// Placeholders returns those of a sentence, sorted, each once.
func Placeholders(sentence string) []string {
	all := placeholder.FindAllString(sentence, -1)
	slices.Sort(all)
	return slices.Compact(all)
}
