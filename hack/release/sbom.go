package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// what says what an SBOM is about: an archive or an image.
type what struct {
	Name   string // of the archive, or the image's repository
	SHA256 string
	PURL   string
	Extra  []module // that are in it, but not in the program
}

type module struct{ Path, Version string }

// authoritiesModule is where the public CAs of the image are from.
const authoritiesModule = "golang.org/x/crypto/x509roots/fallback"

// sbom lists, as SPDX 2.3, the modules that a program says it was built from.
func sbom(f facts, w what, binary string) ([]byte, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	d := &v2_3.Document{
		SPDXVersion: "SPDX-2.3", DataLicense: "CC0-1.0", SPDXIdentifier: "DOCUMENT", DocumentName: w.Name,
		DocumentNamespace: fmt.Sprintf("https://github.com/signpost-acme/signpost/releases/download/v%s/%s.spdx.json#%s", f.Version, w.Name, w.SHA256),
		CreationInfo: &v2_3.CreationInfo{
			Created: f.Time.Format(time.RFC3339), Creators: []common.Creator{{CreatorType: "Tool", Creator: "signpost-hack-release"}},
		},
	}
	whole := newPackage("whole", w.Name, f.Version, w.PURL)
	whole.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: w.SHA256}}
	d.Packages = append(d.Packages, whole)
	d.Relationships = append(d.Relationships, related("DOCUMENT", "DESCRIBES", "whole"))
	add := func(parent, relation string, p *v2_3.Package) {
		d.Packages = append(d.Packages, p)
		d.Relationships = append(d.Relationships, related(parent, relation, string(p.PackageSPDXIdentifier)))
	}
	main := newPackage("main", info.Main.Path, f.Version, golang(module{info.Main.Path, "v" + f.Version}))
	main.PackageSourceInfo = "git commit " + f.Commit
	main.PackageLicenseDeclared, main.PackageLicenseConcluded = "Apache-2.0", "Apache-2.0"
	add("whole", "CONTAINS", main)
	add("main", "DEPENDS_ON", modulePackage(module{"stdlib", strings.TrimPrefix(info.GoVersion, "go")}))
	for _, dep := range info.Deps {
		dep = cmp.Or(dep.Replace, dep)
		add("main", "DEPENDS_ON", modulePackage(module{dep.Path, dep.Version}))
	}
	for _, m := range w.Extra {
		add("whole", "CONTAINS", modulePackage(m))
	}
	var b bytes.Buffer
	if err := json.Write(d, &b, json.Indent(" ")); err != nil {
		return nil, err
	}
	return append(b.Bytes(), '\n'), nil
}

// ownModule finds the version of a module that this program was built with.
func ownModule(path string) (module, error) {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, dep := range info.Deps {
			if dep.Path == path {
				return module{dep.Path, dep.Version}, nil
			}
		}
	}
	return module{}, fmt.Errorf("this program does not know with which version of %s it was built", path)
}

var notInID = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

func modulePackage(m module) *v2_3.Package {
	return newPackage("go-"+notInID.ReplaceAllString(m.Path, "-"), m.Path, m.Version, golang(m))
}

func newPackage(id, name, version, purl string) *v2_3.Package {
	const unknown = "NOASSERTION" // SPDX's word for it
	return &v2_3.Package{
		PackageSPDXIdentifier: common.ElementID(id), PackageName: name, PackageVersion: version, PackageDownloadLocation: unknown,
		PackageLicenseConcluded: unknown, PackageLicenseDeclared: unknown, PackageCopyrightText: unknown,
		PackageExternalReferences: []*v2_3.PackageExternalReference{{Category: "PACKAGE-MANAGER", RefType: "purl", Locator: purl}},
	}
}

func related(a, relation, b string) *v2_3.Relationship {
	return &v2_3.Relationship{RefA: common.MakeDocElementID("", a), RefB: common.MakeDocElementID("", b), Relationship: relation}
}

func golang(m module) string {
	return "pkg:golang/" + m.Path + "@" + strings.ReplaceAll(m.Version, "+", "%2B")
}

func sum(content []byte) string {
	s := sha256.Sum256(content)
	return hex.EncodeToString(s[:])
}
