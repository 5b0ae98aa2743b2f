package invite

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/zone"
)

func mustZone(t testing.TB) *zone.Zone {
	t.Helper()
	z, err := zone.New("acme.example.org")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

var (
	testKeys = Keys{"k1": []byte(strings.Repeat("a", 32)), "k2": []byte(strings.Repeat("b", 32))}
	end      = time.Unix(1798761600, 0)
)

// vectors are those of docs/owner-page.md: name, key, expires, scope, domain, signature.
func vectors(t *testing.T) (list [][]string) {
	t.Helper()
	b, err := os.ReadFile("../../docs/owner-page.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(.*)` \\| `(.*)` \\| `(.*)` \\| `(.*)` \\| `(.*)` \\| `([0-9a-f]{64})` \\|$").FindAllStringSubmatch(string(b), -1) {
		list = append(list, m[1:])
	}
	if len(list) < 3 {
		t.Fatalf("docs/owner-page.md has %d vectors", len(list))
	}
	return list
}

// The vectors come out alike in Go, in Python and with OpenSSL.
func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		name, key, expires, scope, domain, want := v[0], v[1], v[2], v[3], v[4], v[5]
		text := strings.Join([]string{"signpost-invite-v1", name, expires, scope, domain}, "\n")
		seconds, err := strconv.ParseInt(expires, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		keys := Keys{name: []byte(key)}
		path, err := keys.Sign(mustZone(t), Link{Scope: scope, Domain: domain, Expires: time.Unix(seconds, 0)})
		if err != nil || path != "/v1/"+strings.Join([]string{name, expires, scope, domain, want}, "/") {
			t.Errorf("Go: %s, %v", path, err)
		}
		if l, err := keys.Open(mustZone(t), path, end.Add(-time.Hour)); err != nil || l.Domain != domain || l.Scope != scope {
			t.Errorf("%s: %+v, %v", path, l, err)
		}
		for program, args := range map[string][]string{
			"python3": {"-c", "import hmac,sys; print(hmac.new(sys.argv[1].encode(), sys.stdin.buffer.read(), 'sha256').hexdigest())", key},
			"openssl": {"dgst", "-sha256", "-r", "-hmac", key},
		} {
			cmd := exec.CommandContext(t.Context(), program, args...)
			cmd.Stdin = strings.NewReader(text)
			out, err := cmd.Output()
			if got, _, _ := strings.Cut(strings.TrimSpace(string(out)), " "); err != nil || got != want {
				t.Errorf("%s: %q, %v, want %s", program, out, err, want)
			}
		}
	}
}

// Whatever is changed in a link, it does not open.
func TestForgedLinks(t *testing.T) {
	z, now := mustZone(t), end.Add(-time.Hour)
	path, err := testKeys.Sign(z, Link{Scope: "team-a", Domain: "shop.example.com", Expires: end})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := testKeys.Open(z, path, now); err != nil {
		t.Fatal(err)
	}
	for i := range path {
		for _, c := range []byte{path[i] ^ 1, path[i] ^ 0x20, '/', '.', '0', '%'} {
			if c == path[i] {
				continue
			}
			changed := path[:i] + string(c) + path[i+1:]
			if l, err := testKeys.Open(z, changed, now); !errors.Is(err, ErrInvalid) {
				t.Errorf("%s opens: %+v, %v", changed, l, err)
			}
		}
		if _, err := testKeys.Open(z, path[:i]+path[i+1:], now); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s without its octet %d opens: %v", path, i, err)
		}
	}
	f := strings.Split(path, "/")
	for what, changed := range map[string]string{
		"another domain":        strings.Replace(path, "shop.example.com", "other.example.com", 1),
		"another namespace":     strings.Replace(path, "team-a", "team-b", 1),
		"a longer life":         strings.Replace(path, f[3], "4102444800", 1),
		"the other key's name":  strings.Replace(path, "/k2/", "/k1/", 1),
		"a key that is not":     strings.Replace(path, "/k2/", "/k3/", 1),
		"no key":                strings.Replace(path, "/k2/", "//", 1),
		"another version":       strings.Replace(path, "/v1/", "/v2/", 1),
		"fields moved":          "/v1/k2/" + f[3] + "/team-a/shop/example.com/" + f[6],
		"a slash behind":        path + "/",
		"a slash in front":      "/" + path,
		"a dot segment":         "/." + path,
		"capital letters":       strings.Replace(path, "shop", "SHOP", 1),
		"a capital signature":   strings.Replace(path, f[6], strings.ToUpper(f[6]), 1),
		"no signature":          strings.TrimSuffix(path, f[6]),
		"half a signature":      path[:len(path)-32],
		"a sign":                strings.Replace(path, "/"+f[3]+"/", "/+"+f[3]+"/", 1),
		"a zero":                strings.Replace(path, "/"+f[3]+"/", "/0"+f[3]+"/", 1),
		"a number out of range": strings.Replace(path, f[3], strings.Repeat("9", 30), 1),
		"nothing":               "",
		"very much":             path + strings.Repeat("x", 1<<20),
	} {
		if l, err := testKeys.Open(z, changed, now); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s opens: %+v, %v", what, l, err)
		}
	}
	// A line feed cannot make two links sign alike.
	if _, err := testKeys.Sign(z, Link{Scope: "a\nb", Domain: "example.com", Expires: end}); err == nil {
		t.Error("a scope with a line feed was signed")
	}
	if (Keys{}).mac("", Link{Expires: end}) == nil {
		t.Fatal("no mac")
	}
	if _, err := (Keys{}).Open(z, path, now); !errors.Is(err, ErrInvalid) {
		t.Errorf("without keys: %v", err)
	}
}

// Who has no key may know the hash of an empty one.
func TestNoKeyIsNotAnEmptyKey(t *testing.T) {
	z := mustZone(t)
	path, err := Keys{"gone": {}}.Sign(z, Link{Scope: "team-a", Domain: "example.com", Expires: end})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := testKeys.Open(z, path, end.Add(-time.Hour)); !errors.Is(err, ErrInvalid) {
		t.Errorf("a link signed with nothing opens: %v", err)
	}
}

func TestExpiry(t *testing.T) {
	z := mustZone(t)
	path, err := testKeys.Sign(z, Link{Scope: "team-a", Domain: "*.Bücher.example", Expires: end})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(path, "/k2/1798761600/team-a/xn--bcher-kva.example/") {
		t.Errorf("path %s", path)
	}
	for offset, want := range map[time.Duration]error{-time.Second: nil, 0: ErrExpired, time.Hour: ErrExpired} {
		if _, err := testKeys.Open(z, path, end.Add(offset)); !errors.Is(err, want) {
			t.Errorf("%v after its end: %v, want %v", offset, err, want)
		}
	}
	for _, l := range []Link{
		{Scope: "", Domain: "example.com", Expires: end}, {Scope: "Team", Domain: "example.com", Expires: end},
		{Scope: "a", Domain: "com", Expires: end}, {Scope: "a", Domain: "x.acme.example.org", Expires: end}, {Scope: "a", Domain: "example.com"},
	} {
		if path, err := testKeys.Sign(z, l); err == nil {
			t.Errorf("%+v was signed: %s", l, path)
		}
	}
}

// Keys are changed without ending the links of the others.
func TestRotation(t *testing.T) {
	z, l := mustZone(t), Link{Scope: "team-a", Domain: "example.com", Expires: end}
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("2026-11", strings.Repeat("a", 32)+"\n")
	write("..data", "what Kubernetes has there")
	old, err := ReadKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	first, err := old.Sign(z, l)
	if err != nil {
		t.Fatal(err)
	}
	write("2026-12", strings.Repeat("b", 40))
	both, err := ReadKeys(dir)
	if err != nil || !slices.Equal(slices.Sorted(maps.Keys(both)), []string{"2026-11", "2026-12"}) || len(both["2026-11"]) != 32 {
		t.Fatal(both, err)
	}
	second, err := both.Sign(z, l)
	if err != nil || !strings.HasPrefix(second, "/v1/2026-12/") {
		t.Errorf("signed by another key: %s, %v", second, err)
	}
	delete(both, "2026-11")
	for path, want := range map[string]error{first: ErrInvalid, second: nil} {
		if _, err := both.Open(z, path, end.Add(-time.Hour)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}

	d := Directory{Path: dir}
	if len(d.Keys()) != 2 {
		t.Fatalf("%d keys", len(d.Keys()))
	}
	write("2027-01", "short")
	d.at = time.Time{}
	if len(d.Keys()) != 2 {
		t.Error("one bad key ends the links of all others")
	}
}

func TestBadKeys(t *testing.T) {
	good := strings.Repeat("s", 32)
	for name, data := range map[string]map[string][]byte{
		"there is no key":               {},
		"has 31 octets":                 {"k1": []byte(good[1:] + " \n")},
		`"K1": the name`:                {"K1": []byte(good)},
		`"a/b": the name`:               {"a/b": []byte(good)},
		"the name of a key has at most": {strings.Repeat("k", 33): []byte(good)},
	} {
		if _, err := NewKeys(data); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "sss") {
			t.Errorf("%v: %v, want %q", data, err, name)
		}
	}
	if _, err := ReadKeys(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a directory that is not there has keys")
	}
}
