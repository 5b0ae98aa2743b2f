package provider

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/signpost-acme/signpost/internal/text"
)

// English is the language of those for whom there is no other.
const English = text.English

//go:embed text/*.yaml
var textFiles embed.FS

// texts are the sentences by language and key.
var texts = text.Read(textFiles)

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
		case !slices.Equal(text.Placeholders(sentences[key]), text.Placeholders(english)):
			return fmt.Errorf("provider-%s: has the placeholders %q, and English has %q", key, text.Placeholders(sentences[key]), text.Placeholders(english))
		}
		all[key] = sentences[key]
	}
	texts[language] = all
	return nil
}

// Names joins the names of providers as a language does.
func Names(language string, providers []Provider) string {
	names := make([]string, len(providers))
	for i, p := range providers {
		names[i] = p.Name
	}
	return list(language, names)
}

// say fills in a sentence. See text.Say.
func say(language, key string, pairs ...string) string {
	return text.Say(texts, language, key, pairs...)
}

// list joins names as a language does.
func list(language string, names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return say(language, "and", "list", strings.Join(names[:last], ", "), "last", names[last])
}
