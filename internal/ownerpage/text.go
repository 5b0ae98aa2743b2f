package ownerpage

import (
	"embed"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/signpost-acme/signpost/internal/provider"
	"github.com/signpost-acme/signpost/internal/text"
)

// English is the language of those for whom there is no other.
const English = text.English

// Texts are the sentences by language and key.
type Texts map[string]map[string]string

//go:embed text/*.yaml
var textFiles embed.FS

// Known returns the texts that come with the program.
func Known() Texts { return text.Read(textFiles) }

// languageName is a file's, without .yaml: a language tag of BCP 47.
var languageName = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)

// providerKey begins the keys of a file's sentences that are internal/provider's.
const providerKey = "provider-"

// Read adds the languages that are files of a directory, as de.yaml, and replaces
// single sentences of those that are known. What a file leaves out stays English. The
// error names a sentence that does not exist, or whose placeholders are not those of
// the English one.
func (t Texts) Read(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		language := strings.TrimSuffix(filepath.Base(file), ".yaml")
		if !languageName.MatchString(language) {
			return fmt.Errorf("%s: name the file after its language, for example fr.yaml", file)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		sentences := map[string]string{}
		if err := yaml.UnmarshalStrict(b, &sentences); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := t.add(language, sentences); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

func (t Texts) add(language string, sentences map[string]string) error {
	all, providers := maps.Clone(t[English]), map[string]string{}
	maps.Copy(all, t[language])
	for _, key := range slices.Sorted(maps.Keys(sentences)) {
		sentence := sentences[key]
		if rest, ok := strings.CutPrefix(key, providerKey); ok {
			providers[rest] = sentence
			continue
		}
		english, ok := t[English][key]
		switch {
		case !ok:
			return fmt.Errorf("there is no sentence %q", key)
		case !slices.Equal(text.Placeholders(sentence), text.Placeholders(english)):
			return fmt.Errorf("%s: has the placeholders %q, and English has %q", key, text.Placeholders(sentence), text.Placeholders(english))
		}
		all[key] = sentence
	}
	t[language] = all
	return provider.Translate(language, providers)
}

// say fills in a sentence. See text.Say.
func (t Texts) say(language, key string, pairs ...string) string {
	return text.Say(t, language, key, pairs...)
}

// Has reports whether there is a language.
func (t Texts) Has(language string) bool { return t[language] != nil }

// Languages are those that there are, in alphabetical order.
func (t Texts) Languages() []string { return slices.Sorted(maps.Keys(t)) }

// maxPreferences bounds how much of an Accept-Language header is read.
const maxPreferences = 20

// choose returns the language for who asks: the one in the query, or the first of the
// browser's that there is (RFC 9110 section 12.5.4; browsers send the best first).
func (t Texts) choose(asked, accept string) string {
	if t.Has(asked) {
		return asked
	}
	for i, preference := range strings.SplitN(accept, ",", maxPreferences+1) {
		tag, _, _ := strings.Cut(strings.TrimSpace(preference), ";")
		for i < maxPreferences && tag != "" {
			for _, language := range t.Languages() {
				if strings.EqualFold(language, tag) {
					return language
				}
			}
			cut := strings.LastIndexByte(tag, '-') // de-AT is de (RFC 4647 section 3.4)
			tag = tag[:max(cut, 0)]
		}
	}
	return English
}
