package main

import (
	"encoding/json"
	"os"
	"runtime"
)

// provenance is the predicate of SLSA provenance v1: from what, by whom and with
// which parameters the release was made. Who has these can make it again.
func provenance(f facts, o buildOptions) ([]byte, error) {
	const repository = "https://github.com/signpost-acme/signpost"
	builder := os.Getenv("RELEASE_BUILDER") // the workflow's address
	if builder == "" {
		builder = repository + "/blob/main/docs/releasing.md#rehearsal"
	}
	p := map[string]any{
		"buildDefinition": map[string]any{
			"buildType": repository + "/blob/main/docs/releasing.md#what-is-made",
			"externalParameters": map[string]any{
				"version": f.Version, "imageRepository": o.repository, "platforms": o.platforms, "sourceDateEpoch": f.Time.Unix(),
			},
			"internalParameters": map[string]any{"go": runtime.Version()},
			"resolvedDependencies": []map[string]any{
				{"uri": "git+" + repository, "digest": map[string]string{"gitCommit": f.Commit}},
			},
		},
		"runDetails": map[string]any{
			"builder": map[string]any{"id": builder},
		},
	}
	b, err := json.MarshalIndent(p, "", " ")
	return append(b, '\n'), err
}
