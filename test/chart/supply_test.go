package chart

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The image runs as whom the chart says, and listens where the chart says.
func TestImageFitsTheChart(t *testing.T) {
	dockerfile := read(t, "Dockerfile")
	last := dockerfile[strings.LastIndex(dockerfile, "\nFROM "):]
	pod := get[*appsv1.Deployment](t, must(t), "Deployment/signpost").Spec.Template.Spec
	if u := pod.SecurityContext; *u.RunAsUser != 65532 || *u.RunAsGroup != 65532 || !strings.Contains(last, "\nUSER 65532:65532\n") {
		t.Errorf("the chart runs as %d:%d, the image as in\n%s", *u.RunAsUser, *u.RunAsGroup, last)
	}
	if c := pod.Containers[0]; c.Command != nil || !slices.Equal(c.Args, []string{"serve"}) || !strings.Contains(last, "\nENTRYPOINT [\"/signpost\"]\n") {
		t.Errorf("command %q %q; the image has\n%s", c.Command, c.Args, last)
	}
	for _, p := range pod.Containers[0].Ports {
		if port := regexp.MustCompile(`EXPOSE .*\b` + regexp.QuoteMeta(fmtPort(p.ContainerPort, string(p.Protocol))) + `\b`); !port.MatchString(last) {
			t.Errorf("the image does not expose %v", p)
		}
	}
	if strings.Contains(last, "\nRUN ") {
		t.Error("the last stage runs something, but there is nothing in it that could")
	}
}

// Every package of the program is in what docker build is sent.
func TestBuildContextIsComplete(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{if .Module}}{{if .Module.Main}}{{.Dir}}{{end}}{{end}}", ".")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	ignore := strings.Split(read(t, ".dockerignore"), "\n")
	dirs := strings.Fields(string(out))
	if len(dirs) < 5 {
		t.Fatalf("packages %q", dirs)
	}
	for _, dir := range dirs {
		rel, err := filepath.Rel(root, dir)
		if err != nil {
			t.Fatal(err)
		}
		top, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
		if top != "." && !slices.Contains(ignore, "!"+top) {
			t.Errorf(".dockerignore leaves out %s, which the program needs", rel)
		}
	}
}

// Workflows may read and no more, unless a job says what for; and run only what
// was looked at.
func TestWorkflowsArePinned(t *testing.T) {
	files, err := filepath.Glob("../../.github/workflows/*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%q, %v", files, err)
	}
	uses := regexp.MustCompile(`(?m)^.*\buses:.*$`)
	pinned := regexp.MustCompile(`uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	versions := map[string]string{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var w struct {
			Permissions map[string]string
			Jobs        map[string]any
		}
		if err := yaml.Unmarshal(b, &w); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(w.Permissions) != 1 || w.Permissions["contents"] != "read" || len(w.Jobs) == 0 {
			t.Errorf("%s: permissions %v, want contents: read", file, w.Permissions)
		}
		for _, line := range uses.FindAllString(string(b), -1) {
			line = strings.TrimSpace(line)
			if !pinned.MatchString(line) {
				t.Errorf("%s: %s: is not pinned by SHA, with its version behind it", file, line)
			}
			action, rest, _ := strings.Cut(line, "@")
			if v, ok := versions[action]; ok && v != rest {
				t.Errorf("%s: %s is also used as %s", file, line, v)
			}
			versions[action] = rest
		}
	}
}

func fmtPort(port int32, protocol string) string {
	return strconv.Itoa(int(port)) + "/" + strings.ToLower(protocol)
}
