package status

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/cluster"
)

// directories runs a server with ACME directories, and returns its URL and how often
// it was asked.
func directories(t *testing.T) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch {
		case strings.HasPrefix(r.URL.Path, "/dir"):
			fmt.Fprint(w, `{"newOrder":"https://ca.example/order","meta":{"caaIdentities":["ca.example"]}}`)
		case r.URL.Path == "/elsewhere":
			http.Redirect(w, r, "/dir", http.StatusFound)
		case r.URL.Path == "/many":
			fmt.Fprintf(w, `{"meta":{"caaIdentities":["%s"%s]}}`, strings.Repeat("x", 300), strings.Repeat(`,"ca.example"`, 1000))
		case r.URL.Path == "/large":
			fmt.Fprintf(w, `{"x":"%s","meta":{"caaIdentities":["ca.example"]}}`, strings.Repeat("x", authorityMaxSize))
		}
	}))
	before := http.DefaultTransport
	http.DefaultTransport = server.Client().Transport
	t.Cleanup(func() { http.DefaultTransport = before; server.Close() })
	return server.URL, asked
}

func certificateOf(namespace, issuer, directory string, ready bool) cluster.Certificate {
	return cluster.Certificate{Namespace: namespace, Issuer: issuer, Directory: directory, IssuerReady: ready}
}

func TestAuthorities(t *testing.T) {
	url, asked := directories(t)
	var a authorities
	var all []cluster.Certificate
	for i, d := range []string{"/dir", "/elsewhere", "/none", "/many", "/large"} {
		all = append(all, certificateOf(fmt.Sprint(i), "Issuer/i", url+d, true))
	}
	a.use(append(all, certificateOf("web", "Issuer/i", "http://ca.example/dir", true), certificateOf("web", "Issuer/i", "", true)), true)
	for range 2 { // the second time it is known
		if got := a.identities(t.Context(), url+"/dir"); !slices.Equal(got, []string{"ca.example"}) {
			t.Errorf("identities = %q", got)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("the CA was asked %d times", asked.Load())
	}
	for _, directory := range []string{"", "http://ca.example/dir", url + "/elsewhere", url + "/none", url + "/large"} {
		if got := a.identities(t.Context(), directory); got != nil {
			t.Errorf("%s: identities = %q", directory, got)
		}
	}
	if got := a.identities(t.Context(), url+"/many"); len(got) != maxIdentities || slices.ContainsFunc(got, func(s string) bool { return len(s) > maxIdentitySize }) {
		t.Errorf("of many identities %d are kept", len(got))
	}
}

// Whoever may create Issuers can make us ask and keep little: only for Issuers that
// are Ready, only what the Internet reaches, a few for each namespace, and no longer
// than an Issuer has it.
func TestAuthoritiesAreBounded(t *testing.T) {
	url, asked := directories(t)
	public := certificateOf("web", "ClusterIssuer/letsencrypt", url+"/dir/public", true)
	ask := func(a *authorities, directory string) bool { return a.identities(t.Context(), url+directory) != nil }

	var a authorities // without private addresses
	a.use([]cluster.Certificate{public}, false)
	if ask(&a, "/dir/public") || asked.Load() != 0 {
		t.Error("a loopback address was asked")
	}

	a = authorities{}
	notReady := certificateOf("web", "Issuer/i", url+"/dir/1", false)
	a.use([]cluster.Certificate{public, notReady}, true)
	if ask(&a, "/dir/1") || ask(&a, "/dir/unused") || asked.Load() != 0 {
		t.Error("was asked for an Issuer that is not Ready, or is not there")
	}
	notReady.IssuerReady = true
	a.use([]cluster.Certificate{public, notReady}, true)
	if !ask(&a, "/dir/1") || !ask(&a, "/dir/public") {
		t.Error("was not asked for an Issuer that is Ready")
	}
	notReady.IssuerReady = false
	a.use([]cluster.Certificate{public, notReady}, true)
	if !ask(&a, "/dir/1") {
		t.Error("what was known is forgotten because the Issuer is not Ready for a moment")
	}
	a.use([]cluster.Certificate{public}, true)
	if len(a.known) != 1 || ask(&a, "/dir/1") {
		t.Errorf("%d CAs are known, of one in use", len(a.known))
	}

	var many []cluster.Certificate
	for i := range 1000 { // of one tenant, and of a hundred
		many = append(many,
			certificateOf("tenant", "Issuer/i", fmt.Sprintf("%s/dir/%d", url, i), true),
			certificateOf(fmt.Sprint("tenant-", i%100), "Issuer/i", fmt.Sprintf("%s/dir/a-%d", url, i), true),
			certificateOf("tenant", "ClusterIssuer/x", url+"/dir/"+strings.Repeat("x", maxURLSize), true))
	}
	shared := []cluster.Certificate{certificateOf("x", "Issuer/i", url+"/dir/z", true), certificateOf("y", "Issuer/i", url+"/dir/z", true)}
	a.use(slices.Concat(many, shared, []cluster.Certificate{public}), true)
	for i := range 1000 {
		ask(&a, fmt.Sprint("/dir/", i))
		ask(&a, fmt.Sprint("/dir/a-", i))
	}
	if !ask(&a, "/dir/public") || !ask(&a, "/dir/z") {
		t.Error("what many use is crowded out by what few use")
	}
	if len(a.known) > maxAuthorities || len(a.used) > maxAuthorities {
		t.Errorf("%d CAs are known, %d count", len(a.known), len(a.used))
	}
	a.use(many, true)
	own := 0
	for d := range a.used {
		if !strings.Contains(d, "/a-") {
			own++
		}
	}
	if own > maxAuthoritiesOfOne {
		t.Errorf("%d of one namespace count", own)
	}
}

// Which addresses are connected to, whatever a name resolves to.
func TestAuthorityAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"8.8.8.8:443": true, "[2606:4700::1]:14000": true, "[64:ff9b::808:808]:443": true, "[::ffff:8.8.8.8]:443": true,
		"127.0.0.1:443": false, "[::1]:443": false, "10.96.0.1:443": false, "169.254.169.254:443": false, "[fe80::1%eth0]:443": false,
		"[fd00::1]:443": false, "[::ffff:10.0.0.1]:443": false, "[64:ff9b::a00:1]:443": false, "0.0.0.0:443": false, "x": false,
	} {
		if err := permits("tcp", address, nil); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// One CA is asked once at a time, and while it does not answer nobody waits for it
// but the one who asks.
func TestAuthorityAskedOnce(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		<-r.Context().Done()
	}))
	defer server.Close()
	var a authorities
	a.use([]cluster.Certificate{certificateOf("web", "Issuer/i", server.URL, true)}, true)
	ctx, cancel := context.WithCancel(t.Context())
	before := http.DefaultTransport
	http.DefaultTransport = server.Client().Transport
	defer func() { http.DefaultTransport = before }()
	done := make(chan struct{})
	go func() { a.identities(ctx, server.URL); close(done) }()
	for asked.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	a.identities(t.Context(), server.URL)
	cancel()
	<-done
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

// A CAA record is shown only for a domain that has one CA and one account.
func TestBinding(t *testing.T) {
	const directory, account = "https://ca.example/directory", "https://ca.example/acct/1"
	a := authorities{known: map[string]authority{directory: {identities: []string{"CA.example", "other.example"}}, "bad": {identities: []string{"no name"}}}}
	for what, tc := range map[string]struct {
		of   ca
		want string
	}{
		"known":        {ca{directory: directory, account: account}, "ca.example " + account},
		"several":      {ca{directory: directory, account: account, several: true}, " "},
		"no account":   {ca{directory: directory}, " "},
		"bad account":  {ca{directory: directory, account: `https://x/"; y`}, " "},
		"unknown CA":   {ca{directory: "https://new.example", account: account}, " "},
		"no CA's name": {ca{directory: "bad", account: account}, " "},
	} {
		if identity, account := a.binding(tc.of); identity+" "+account != tc.want {
			t.Errorf("%s: %q", what, identity+" "+account)
		}
	}
}
