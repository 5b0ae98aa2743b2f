// Package version says which version of Signpost this program is.
package version

import "runtime/debug"

// version is set at link time for releases.
var version = ""

// String returns the version: that of the release, or else of the module, or "(devel)".
func String() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
