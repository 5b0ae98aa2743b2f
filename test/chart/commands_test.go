package chart

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/yaml"
)

// TestCommandsWorkTogether runs, as far as that goes without a cluster, every command
// that init, NOTES.txt and the documents tell people to type: flags exist, the chart
// takes the values, all of them mean the same namespace, and it is there.
func TestCommandsWorkTogether(t *testing.T) {
	signpost := filepath.Join(t.TempDir(), "signpost")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", signpost, ".")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	helm4, err := filepath.Abs("../../.cache/bin/helm4")
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir() // where people are: a copy of the repository, and the values file of init
	if err := os.Symlink(filepath.Join(root, "charts"), filepath.Join(dir, "charts")); err != nil {
		t.Fatal(err)
	}
	c := &commands{dir: dir, signpost: signpost, helm4: helm4}

	proposal := c.output(t, signpost, "init", "example.com", "--email", "you@example.com")
	_, rest, ok := strings.Cut(proposal, "1. Save this as signpost-values.yaml:\n\n")
	values, _, ok2 := strings.Cut(rest, "\n2. Install")
	if !ok || !ok2 {
		t.Fatalf("init prints\n%s", proposal)
	}
	if err := os.WriteFile(filepath.Join(dir, "signpost-values.yaml"), []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	var typed []string
	for line := range strings.Lines(proposal) {
		if strings.HasPrefix(line, "helm ") || strings.HasPrefix(line, "signpost ") {
			typed = append(typed, strings.TrimSpace(line))
		}
	}
	if len(typed) != 2 {
		t.Fatalf("init tells %q", typed)
	}
	c.session(t, "signpost init", typed)

	// The chart says the same after it as init did before.
	var set map[string]any
	if err := yaml.Unmarshal([]byte(values), &set); err != nil {
		t.Fatal(err)
	}
	r, err := renderValues(t, set, engine.Render)
	if err != nil {
		t.Fatal(err)
	}
	if check := strings.TrimSuffix(typed[1], " 'example.com'"); !strings.Contains(r.notes, check+"\n") {
		t.Errorf("init says %q, the notes\n%s", check, r.notes)
	}

	// In the tests the release's namespace is called dns.
	var noted []string
	for line := range strings.Lines(r.notes) {
		if line = strings.TrimSpace(line); regexp.MustCompile(`^(helm|signpost|kubectl) `).MatchString(line) && !strings.HasSuffix(line, ".") {
			noted = append(noted, strings.ReplaceAll(line, "--namespace dns", "--namespace signpost"))
		}
	}
	if len(noted) < 4 {
		t.Errorf("the notes tell %q", noted)
	}
	c.session(t, "NOTES.txt", append([]string{"kubectl create namespace signpost"}, noted...))

	documents, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range append(documents, "../../README.md", "../../charts/signpost/README.md") {
		document = strings.TrimPrefix(document, "../../")
		for heading, list := range blocks(t, document, "console") {
			for _, block := range list {
				var typed []string
				for _, command := range strings.Split("\n"+strings.ReplaceAll(block, "\\\n", " "), "\n$ ")[1:] {
					command, _, _ = strings.Cut(command, "\n") // what follows is printed
					typed = append(typed, command)
				}
				c.session(t, document+", "+heading, typed)
			}
		}
		for _, inline := range regexp.MustCompile("`((?:helm|kubectl|signpost) [^`]*)`").FindAllStringSubmatch(strings.ReplaceAll(withoutBlocks(read(t, document)), "\n", " "), -1) {
			c.command(t, document, inline[1], true)
		}
	}
	if c.n < 25 {
		t.Errorf("only %d commands were seen", c.n)
	}
}

func withoutBlocks(document string) string {
	return regexp.MustCompile("(?ms)^```.*?^```").ReplaceAllString(document, "")
}

type commands struct {
	dir, signpost, helm4 string
	n                    int
}

func (c *commands) output(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "KUBECONFIG=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", strings.Join(append([]string{filepath.Base(name)}, args...), " "), err, out)
	}
	return string(out)
}

// session is what somebody types one after the other. A namespace has to be made
// before it is used, by the session or by another step of the same guide.
func (c *commands) session(t *testing.T, where string, typed []string) {
	t.Helper()
	made := false
	for _, command := range typed {
		if strings.HasPrefix(command, "kubectl create namespace signpost") {
			made = true
		}
		if installs := strings.HasPrefix(command, "helm install "); installs && !made && !strings.Contains(command, "--create-namespace") {
			t.Errorf("%s: nothing makes the namespace before %q", where, command)
		}
		if strings.HasPrefix(command, "kubectl label namespace") && !made {
			t.Errorf("%s: nothing makes the namespace before %q", where, command)
		}
		c.command(t, where, command, false)
	}
}

// ours are names of objects of an installation in the namespace signpost.
var ours = regexp.MustCompile(`\b(signpost-[a-z-]+|deployment/signpost|app\.kubernetes\.io/name=signpost)\b`)

// released is the chart in a registry, for which that of the repository stands here.
// make release-rehearsal installs the one in a registry.
var released = regexp.MustCompile(`"?oci://\$REGISTRY/signpost-acme/charts/signpost"?( --version [0-9.]+)?`)

// command runs one command as far as that goes. Inside of a sentence it may be cut short.
func (c *commands) command(t *testing.T, where, command string, cut bool) {
	t.Helper()
	command, _, _ = strings.Cut(command, " | ")
	command, _, _ = strings.Cut(command, " # ")
	command = released.ReplaceAllString(command, "charts/signpost")
	args := words(t, command)
	if len(args) < 2 {
		return
	}
	switch args[0] {
	case "helm":
		c.n++
		if !cut && !strings.Contains(command, "--namespace signpost") {
			t.Errorf("%s: %q is for another namespace than the others", where, command)
		}
		c.output(t, c.helm4, append(slices.Clone(args[1:]), "--help")...) // refuses what it does not know
		if args[1] == "install" && len(args) > 3 {
			c.output(t, c.helm4, append(slices.DeleteFunc(slices.Clone(args[1:]), func(a string) bool { return a == "--wait" }), "--dry-run=client")...)
		}
		if args[1] == "upgrade" && len(args) > 3 {
			template := slices.DeleteFunc(append([]string{"template"}, args[2:]...), func(a string) bool { return strings.HasSuffix(a, "reuse-values") })
			c.output(t, c.helm4, append(template, "--set", minimal)...)
		}
	case "signpost":
		c.n++
		out := c.output(t, c.signpost, append(slices.Clone(args[1:]), "--help")...)
		if strings.HasPrefix(args[1], "-") || !strings.Contains(out, "signpost "+args[1]) {
			t.Errorf("%s: there is no %q", where, command)
		}
	case "kubectl":
		c.n++
		clusterScoped := regexp.MustCompile(`\b(namespace|validatingwebhookconfiguration|apiservice|can-i)\b`).MatchString(command)
		if name := ours.FindString(command); name != "" && !clusterScoped && !strings.Contains(command, "namespace signpost") && !strings.Contains(command, "-n <namespace>") {
			t.Errorf("%s: %q names %s without its namespace", where, command, name)
		}
		known := must(t, "issuer.email=me@example.com", "dnsService.splitProtocols=false").keys()
		for _, name := range regexp.MustCompile(`\bsignpost-[a-z-]+\b`).FindAllString(command, -1) {
			if !strings.Contains(command, "create secret") && !slices.ContainsFunc(known, func(key string) bool { return strings.HasSuffix(key, "/"+name) }) {
				t.Errorf("%s: %q names %s, which the chart does not make", where, command, name)
			}
		}
	}
}

// words splits a command as a shell does, as far as the documents need it.
func words(t *testing.T, command string) (list []string) {
	t.Helper()
	quoted, word, begun := rune(0), "", false
	for _, r := range command {
		switch {
		case quoted == 0 && (r == '\'' || r == '"'):
			quoted, begun = r, true
		case r == quoted:
			quoted = 0
		case quoted == 0 && r == ' ':
			if word != "" || begun {
				list = append(list, word)
			}
			word, begun = "", false
		default:
			word += string(r)
		}
	}
	if quoted != 0 {
		t.Errorf("a quotation mark is missing in %q", command)
	}
	if word != "" || begun {
		list = append(list, word)
	}
	return list
}
