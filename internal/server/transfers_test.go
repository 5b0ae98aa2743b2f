package server

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/zone"
)

const keyText = `key "transfer" { algorithm hmac-sha256; secret "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="; };`

// A file with keys that is broken and then mended has a line in the log for each, and what
// it held before stays meanwhile.
func TestKeysThatCannotBeReadForAWhile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "transfer.key")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	o := transferOptions{keyFiles: []string{file}}
	files := o.keyFileReader(slog.New(slog.NewTextHandler(&out, nil)))
	get := func() int { files.at = time.Time{}; return len(files.get()) }
	for range 2 {
		for _, text := range []string{keyText, "key {", "", keyText} {
			write(text)
			if n := get(); n != 1 {
				t.Errorf("%d keys after %q", n, text)
			}
		}
	}
	for _, line := range []string{"cannot be read; those read before stay", "the keys of zone transfers can be read again"} {
		if n := strings.Count(out.String(), line); n != 2 {
			t.Errorf("%d lines with %q:\n%s", n, line, &out)
		}
	}
}

// A file that everybody may write to is no file with secrets; one that everybody may read
// is how Kubernetes mounts a Secret.
func TestKeyFileModes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "transfer.key")
	if err := os.WriteFile(file, []byte(keyText), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, well := range map[os.FileMode]bool{0o600: true, 0o640: true, 0o644: true, 0o660: true, 0o666: false, 0o602: false} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		_, err := readKeys(file)
		if well != (err == nil) || !well && !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("%04o: %v", mode, err)
		}
	}
}

// At the start the log names each secondary, and those that anybody may pretend to be.
func TestSecondariesInTheLog(t *testing.T) {
	z, err := zone.New("acme.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for text, tc := range map[string]struct {
		files []string
		warns string
	}{
		"ns1.example.net=9.9.9.9,key=transfer":                   {[]string{"f"}, ""},
		"ns1.example.net=10.0.0.1":                               {nil, ""},
		"ns1.example.net=9.9.9.9":                                {nil, "at a public address"},
		"ns1.example.net=10.0.0.1,notify=9.9.9.9":                {nil, "at a public address"},
		"ns1.example.net=10.0.0.1,notify=10.0.0.2":               {[]string{"f"}, "although there are keys"},
		"ns1.example.net=9.9.9.9,notify=9.9.9.8:54,key=transfer": {[]string{"f"}, ""},
	} {
		list, err := z.Secondaries([]string{text})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		o := transferOptions{keyFiles: tc.files}
		o.log(list, slog.New(slog.NewTextHandler(&out, nil)))
		if got := out.String(); !strings.Contains(got, "secondary=ns1.example.net addresses=\"["+list[0].Servers[0].String()+"]\" notify=") && !strings.Contains(got, "addresses=["+list[0].Servers[0].String()+"] notify=") {
			t.Errorf("%s: %s", text, got)
		}
		if got := out.String(); strings.Contains(got, "WARN") != (tc.warns != "") || !strings.Contains(got, tc.warns) {
			t.Errorf("%s: %s", text, got)
		}
	}
}
