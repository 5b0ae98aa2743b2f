package invite

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// minKey is how many octets a key has at least: as many as the hash.
const minKey = 32

// maxName is how long a key's name may be.
const maxName = 32

// Keys are the keys that links are signed with, by name. The name is in the link. All
// of them open links; the one whose name is the last in alphabetical order signs new
// ones, so that a key called 2026-12 takes over from 2026-11.
type Keys map[string][]byte

func (k Keys) last() (name string, ok bool) {
	names := slices.Sorted(maps.Keys(k))
	if len(names) == 0 {
		return "", false
	}
	return names[len(names)-1], true
}

// NewKeys returns the keys of a Secret's data, or of a directory's files: the content
// without white space around it, as it is. The error says what is wrong with one, and
// never what is in it.
func NewKeys(data map[string][]byte) (Keys, error) {
	k := Keys{}
	for _, name := range slices.Sorted(maps.Keys(data)) {
		key := []byte(strings.TrimSpace(string(data[name])))
		switch {
		case len(name) == 0 || len(name) > maxName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
			return nil, fmt.Errorf("key %q: the name of a key has at most %d characters, of a-z, 0-9 and -", name, maxName)
		case len(key) < minKey:
			return nil, fmt.Errorf("key %s: has %d octets, and needs %d: openssl rand -hex 32 makes one", name, len(key), minKey)
		}
		k[name] = key
	}
	if len(k) == 0 {
		return nil, fmt.Errorf("there is no key: openssl rand -hex 32 makes one")
	}
	return k, nil
}

// ReadKeys reads the keys in a directory, one a file. Names that begin with a dot are
// left out: Kubernetes has them beside the files of a Secret.
func ReadKeys(dir string) (Keys, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	data := map[string][]byte{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if data[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	return NewKeys(data)
}

// reread is how old keys may be.
const reread = 10 * time.Second

// Directory are the keys in a directory as they are now: a Secret that is mounted
// changes while the process runs. It may be used by many goroutines at once.
type Directory struct {
	Path string

	mu   sync.Mutex
	keys Keys
	at   time.Time
}

// Keys returns the keys, at most 10 s old. If they cannot be read any more, those that
// could: a Secret that is half replaced must not end every link.
func (d *Directory) Keys() Keys {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Since(d.at) < reread {
		return d.keys
	}
	d.at = time.Now()
	if k, err := ReadKeys(d.Path); err == nil {
		d.keys = k
	}
	return d.keys
}
