package web_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/signpost-acme/signpost/internal/status"
)

// commandOf returns the command that a page offers, as a browser copies it.
func commandOf(t *testing.T, body string) (out string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		for _, a := range n.Attr {
			if a.Key == "id" && a.Val == "form-command" {
				out = n.FirstChild.FirstChild.Data
			}
		}
	}
	return out
}

// withIssuer is a cluster in which a Certificate names an Issuer so.
func withIssuer(issuers ...string) status.Snapshot {
	s := good()
	for _, issuer := range issuers {
		d := s.Domains[0]
		d.Certificates = append(d.Certificates[:0:0], d.Certificates...)
		d.Certificates[0].Issuer = issuer
		s.Domains = append(s.Domains, d)
	}
	return s
}

// The command gives kubectl the Certificate that the page shows, octet by octet, and a
// shell runs nothing else of it, whatever was typed.
func TestFormCommand(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, typed := range []string{"*.example.com", "bücher.example", "_x.1.example", "end.example", "$(touch-pwned).example", "`touch pwned`.example",
		"'; touch pwned; '.example", "a.example\nEND\ntouch pwned", "a.example\r\nEND\r\ntouch pwned", "END", "$HOME.example", `"x".example`, "<script>.example", "a: b.example", "- a.example", "#.example"} {
		for _, s := range []status.Snapshot{good(), withIssuer("ClusterIssuer/x\nEND\ntouch pwned"), withIssuer("ClusterIssuer/$(touch pwned)"), withIssuer("ClusterIssuer/x' && touch pwned")} {
			dir := t.TempDir()
			kubectl := "#!/bin/sh\necho \"$@\" > \"$OUT/arguments\"\ncat > \"$OUT/stdin\"\n"
			if err := os.WriteFile(filepath.Join(dir, "kubectl"), []byte(kubectl), 0o700); err != nil { //nolint:gosec // it has to run
				t.Fatal(err)
			}
			body := page(t, s, "?"+query(typed, ""))
			text := commandOf(t, body)
			if text == "" { // refused
				if !strings.Contains(body, `id="form-error"`) {
					t.Errorf("%q: neither a command nor an error", typed)
				}
				continue
			}
			cmd := exec.Command(shell, "-c", text) //nolint:gosec // that is what is tested
			cmd.Dir, cmd.Env = dir, []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "OUT=" + dir, "HOME=/nowhere"}
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%q: %v, %s\n%s", typed, err, out, text)
			}
			_, manifest := answer(t, s, typed, "")
			got, _ := os.ReadFile(filepath.Join(dir, "stdin"))
			arguments, _ := os.ReadFile(filepath.Join(dir, "arguments"))
			if string(got) != manifest || strings.TrimSpace(string(arguments)) != "apply -f -" || manifest == "" {
				t.Errorf("%q: kubectl %s got\n%s\nwant\n%s", typed, arguments, got, manifest)
			}
			if _, err := os.Stat(filepath.Join(dir, "pwned")); err == nil {
				t.Errorf("%q: the shell ran something else", typed)
			}
		}
	}
}

// Of the Issuers that are known one is chosen, and of others none.
func TestFormIssuer(t *testing.T) {
	s := withIssuer("ClusterIssuer/another", "ClusterIssuer/another", "Issuer/own", "ClusterIssuer/Not A Name", "ClusterIssuer/")
	for issuer, want := range map[string]string{"": "another", "letsencrypt": "letsencrypt", "another": "another", "own": "another", "x\nkind: Secret": "another", "<b>": "another"} {
		body := page(t, s, "?"+query("example.com", issuer))
		if got := commandOf(t, body); !strings.Contains(got, "\n    name: "+want+"\n") || strings.Contains(got, "Secret\n") {
			t.Errorf("%q: %s", issuer, got)
		}
		_, choice, _ := strings.Cut(body, `<select id="form-issuer"`)
		choice, _, _ = strings.Cut(choice, "</select>")
		if strings.Count(choice, "<option") != 2 || !strings.Contains(choice, "<option selected>"+want+"</option>") {
			t.Errorf("%q: other choices than the two ClusterIssuers", issuer)
		}
	}
	if body := page(t, good(), "?"+query("example.com", "")); strings.Contains(body, `id="form-issuer"`) {
		t.Error("a choice of one")
	}
}

func query(domain, issuer string) string {
	return url.Values{"domain": {domain}, "namespace": {""}, "issuer": {issuer}}.Encode()
}
