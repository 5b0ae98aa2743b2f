# Releases; docs/releasing.md says how. The workflow runs the same targets.

DIST     ?= $(CURDIR)/dist
# The image's repository, as the chart names it, with the registry's host if it has one.
IMAGE_REPOSITORY ?= signpost-acme/signpost
# Where to push to, if it is not the host in IMAGE_REPOSITORY.
REGISTRY ?=
# Key to sign or verify with; keyless, if empty. Then IDENTITY and ISSUER say whose signature is wanted.
KEY      ?=
IDENTITY ?=
ISSUER   ?=
RELEASE  := $(BIN)/release
# VERSION counts only where it is given to make; without, a release is a snapshot.
RELEASE_VERSION := $(if $(filter command line,$(origin VERSION)),$(VERSION))
PLACE     = -dist $(DIST) -registry "$(REGISTRY)"
COSIGN    = -cosign $(BIN)/cosign -key "$(KEY)"
REHEARSED := $(CURDIR)/.cache/dist
# make test builds what runs on Linux; make release builds everything.
REHEARSED_PLATFORMS ?= linux/amd64,linux/arm64

.PHONY: release-tool cosign release release-push release-sign release-sign-checksums release-verify release-verify-checksums release-draft release-test release-rehearsal

release-tool:
	@for tool in git go; do command -v $$tool >/dev/null || { echo "error: $$tool is missing: hack/setup says how to get it" >&2; exit 1; }; done
	@mkdir -p $(BIN) && cd hack/release && $(COMPILE) go build -ldflags "-s -w" -o $(RELEASE) .

cosign: $(BIN)/cosign

$(BIN)/cosign: hack/cosign/go.mod hack/cosign/go.sum
	@mkdir -p $(BIN) && cd hack/cosign && $(COMPILE) go build -ldflags "-s -w" -o $@ github.com/sigstore/cosign/v3/cmd/cosign

release: release-tool ## archives, image, chart, SBOMs and krew manifest into dist/ (VERSION=v0.1.0; without, a snapshot)
	@$(RELEASE) build -version "$(RELEASE_VERSION)" -version-variable $(VERSION_VARIABLE) -repository $(IMAGE_REPOSITORY) -out $(DIST)

release-push: release-tool ## push image and chart of dist/ (REGISTRY=host)
	@$(RELEASE) push $(PLACE)

release-sign: release-tool cosign ## sign what was pushed, attach SBOM and provenance (REGISTRY=host, KEY=file or keyless)
	@$(RELEASE) sign $(PLACE) $(COSIGN)

release-sign-checksums: release-tool cosign ## sign dist/checksums.txt (KEY=file or keyless)
	@$(RELEASE) sign -checksums $(PLACE) $(COSIGN)

release-verify: release-tool cosign ## verify signatures and attestations (REGISTRY=host, KEY=file, or IDENTITY= and ISSUER=)
	@$(RELEASE) verify $(PLACE) $(COSIGN) -identity "$(IDENTITY)" -issuer "$(ISSUER)"

release-verify-checksums: release-tool cosign ## verify the signature of dist/checksums.txt
	@$(RELEASE) verify -checksums $(PLACE) $(COSIGN) -identity "$(IDENTITY)" -issuer "$(ISSUER)"

release-draft: ## make a draft on the repository's page of what is in dist/ (VERSION=v0.1.0; needs gh)
	@command -v gh >/dev/null || { echo "error: gh is missing: https://cli.github.com says how to get it" >&2; exit 1; }
	gh release create "$(RELEASE_VERSION)" --draft --verify-tag --title "$(RELEASE_VERSION)" --notes-file $(DIST)/notes.md \
	  $(if $(findstring -,$(RELEASE_VERSION)),--prerelease) $(wildcard $(addprefix $(DIST)/,*.tar.gz *.zip *.tgz *.json *.yaml checksums.txt))

release-test: ## tests of what makes a release
	cd hack/release && $(COMPILE) ../gotest release -count=1 ./...

release-rehearsal: release-tool cosign ## make a release, push, sign and verify it in a sandbox, and install it from there; needs root
	@hack/setup cluster
	@hack/release/previous
	@$(RELEASE) build -version "$(RELEASE_VERSION)" -version-variable $(VERSION_VARIABLE) -repository $(IMAGE_REPOSITORY) -out $(REHEARSED) -platforms $(REHEARSED_PLATFORMS) >/dev/null
	$(IN_TEST) ../hack/gotest rehearsal -count=1 -timeout 15m ./release
	@$(RELEASE) report -dist $(REHEARSED)
	@echo "all of it pushed, signed, verified, and pulled by a node, which issued certificates with it"
