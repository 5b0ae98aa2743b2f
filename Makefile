# Everything that is needed is fetched or built by hack/setup; see README.md.

BIN     := $(CURDIR)/.cache/bin
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# The program's variable for its version; the Dockerfile has it too.
VERSION_VARIABLE := github.com/signpost-acme/signpost/internal/version.version
GOFLAGS_BUILD := -trimpath -ldflags "-s -w -X $(VERSION_VARIABLE)=$(VERSION)"
MAX_MB := 95
# How often the fuzzers are run in make fuzz, and so in CI: about a minute in all.
FUZZ_RESPOND ?= 300000x
FUZZ_SOCKETS ?= 50000x
FUZZ_TRANSFER ?= 50000x
FUZZ_DOMAIN  ?= 200000x
PARTS ?= peers scale ready fleet

# Nearly all of what is compiled here is Kubernetes. Everything is compiled with
# the same flags, here and in hack/setup, so that it is compiled once (only the
# race detector and the fuzzers need it again). Nothing here needs DWARF, which
# costs a tenth of the time.
COMPILE := CGO_ENABLED=0 GOFLAGS="-trimpath -gcflags=all=-dwarf=false"
IN_TEST := cd test && $(COMPILE)

.DEFAULT_GOAL := help
.PHONY: help setup build size demo demo-shell demo-stop cluster cluster-test test unit race fuzz e2e soak vet lint vulnerabilities chart compatibility image bench profile fmt clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## fetch and build what demo and tests need (demo and test do it themselves)
	@hack/setup

build: ## build the program into .cache/bin/signpost
	@mkdir -p $(BIN)
	@$(COMPILE) go build $(GOFLAGS_BUILD) -o $(BIN)/signpost .

size: build ## check that nothing large has come into the program
	@size=$$(($$(wc -c <$(BIN)/signpost) / 1000000)); [ $$size -le $(MAX_MB) ] || \
	  { echo "error: the program has $$size MB, more than $(MAX_MB): see \"What is in the program\" in docs/performance.md" >&2; exit 1; }

demo: demo-tools build ## issue a wildcard certificate for real on this machine (COMPARE=1, KEEP=1)
	@$(IN_TEST) go build -o $(BIN)/demo ./cmd/demo
	@KEEP=$(KEEP) COMPARE=$(COMPARE) hack/demo run

.PHONY: demo-tools
demo-tools: # people use kubectl in the demo; the demo itself does not
	@hack/setup $(if $(KEEP),kubectl)

demo-shell: ## a shell inside the demo that KEEP=1 has left running
	@hack/demo shell

demo-stop: ## stop the demo that KEEP=1 has left running
	@hack/demo stop

cluster: build ## the same on a real node, installed by Helm (KEEP=1; needs root); demo-shell and demo-stop are for it too
	@hack/setup cluster
	@$(IN_TEST) go build -o $(BIN)/demo-cluster ./cmd/demo-cluster
	@KEEP=$(KEEP) hack/demo run demo-cluster

test: ## everything that CI runs, and how long each package took
	@mkdir -p .cache && rm -f .cache/seconds
	@$(MAKE) --no-print-directory everything; code=$$?; hack/gotest table; exit $$code

.PHONY: everything
everything: vet lint size unit fuzz e2e cluster-test release-test release-rehearsal

unit: setup ## tests of the product, on a real Redis, with the race detector
	hack/gotest race -race ./...
	$(COMPILE) hack/gotest portable -tags portable ./dnsserve

fuzz: ## fuzz the DNS server, in process and over sockets, and the names: 600,000 executions (FUZZ_RESPOND=10m and so on)
	hack/gotest fuzz -run '^$$' -fuzz FuzzRespond -fuzztime $(FUZZ_RESPOND) ./dnsserve
	hack/gotest fuzz -run '^$$' -fuzz FuzzSockets -fuzztime $(FUZZ_SOCKETS) ./dnsserve
	hack/gotest fuzz -run '^$$' -fuzz FuzzTransfer -fuzztime $(FUZZ_TRANSFER) ./dnsserve
	hack/gotest fuzz -run '^$$' -fuzz FuzzDomain -fuzztime $(FUZZ_DOMAIN) ./internal/zone

# One package at a time: each starts a whole world.
e2e: build ## cert-manager's conformance suite, and certificates issued for real
	@hack/setup test
	$(IN_TEST) TEST_ASSET_ETCD=$(BIN)/etcd TEST_ASSET_KUBE_APISERVER=$(BIN)/kube-apiserver TEST_ASSET_KUBECTL=$(BIN)/kubectl \
	  ../hack/gotest e2e -count=1 -p 1 -timeout 20m $$(go list ./... | grep -Ev '/test/(cluster|release)$$')

cluster-test: build ## the life of an installation by Helm, on a real node; needs root
	@hack/setup cluster
	$(IN_TEST) ../hack/gotest cluster -count=1 -timeout 20m ./cluster

SOAK ?= 10000

soak: build ## thousands of challenges (SOAK=10000) while one fault comes after the other; writes docs/reliability.md
	@hack/setup
	$(IN_TEST) go test -count=1 -timeout 60m -v -run TestSoak ./faults -soak $(SOAK) -update

vet:
	$(COMPILE) go vet ./...
	$(IN_TEST) go vet ./...

lint: ## golangci-lint, BuildKit's rules for the Dockerfile, actionlint for the workflows; built once from their modules in hack
	@mkdir -p $(BIN)
	@cd hack/dockerfile && $(COMPILE) go build -ldflags "-s -w" -o $(BIN)/dockerfile .
	$(BIN)/dockerfile Dockerfile
	@cd hack/release && $(COMPILE) go build -ldflags "-s -w" -o $(BIN)/actionlint github.com/rhysd/actionlint/cmd/actionlint
	$(BIN)/actionlint -shellcheck= -pyflakes=
	@cd hack/lint && $(COMPILE) go build -ldflags "-s -w" -o $(BIN)/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	$(COMPILE) $(BIN)/golangci-lint run --allow-parallel-runners ./...
	$(IN_TEST) $(BIN)/golangci-lint run --allow-parallel-runners --config ../.golangci.yaml ./...
	cd hack/release && $(COMPILE) $(BIN)/golangci-lint run --allow-parallel-runners --config ../../.golangci.yaml ./...

vulnerabilities: ## look for known vulnerabilities in the code that is called; needs the Internet
	@mkdir -p $(BIN)
	@cd hack/vulnerabilities && $(COMPILE) go build -ldflags "-s -w" -o $(BIN)/govulncheck golang.org/x/vuln/cmd/govulncheck
	@$(BIN)/govulncheck ./...; case $$? in 0) ;; \
	  3) echo "error: what was found above is really called: update the modules that it names" >&2; exit 1 ;; \
	  *) echo "error: it was not possible to look, for the reason above; govulncheck needs the Go vulnerability database on the Internet" >&2; exit 1 ;; esac

chart: ## lint, render, test and package the Helm chart into .cache/
	@hack/setup chart
	$(IN_TEST) go test -count=1 ./chart
	$(IN_TEST) go run ./cmd/chart package ../charts/signpost ../.cache

compatibility: build ## tests with other versions of Redis, Valkey, cert-manager and Kubernetes, 25 minutes the first time; writes docs/compatibility.md
	@hack/compatibility

PLATFORMS ?= linux/$(shell go env GOARCH)
IMAGE ?= signpost:$(VERSION)

image: ## build the image with docker or buildah (PLATFORMS=linux/amd64,linux/arm64, IMAGE=name:tag)
	@if command -v docker >/dev/null && docker buildx version >/dev/null 2>&1; then \
	  docker buildx build --platform $(PLATFORMS) --build-arg VERSION=$(VERSION) --tag $(IMAGE) $(IMAGE_FLAGS) .; \
	elif command -v buildah >/dev/null; then \
	  buildah build --platform $(PLATFORMS) --build-arg VERSION=$(VERSION) --manifest $(IMAGE) $(IMAGE_FLAGS) .; \
	else echo "error: to build the image, install docker with buildx, or buildah (apt-get install buildah)" >&2; exit 1; fi

bench: build ## measure on this machine, beside other DNS servers; writes docs/benchmarks.md (PARTS="peers scale ready fleet", or reissue, secondaries, domains)
	@hack/setup bench
	go test -run '^$$' -bench . -benchmem ./dnsserve ./internal/store
	@$(IN_TEST) go build -o $(BIN)/bench ./cmd/bench
	@cd test && for part in $(PARTS); do $(BIN)/bench $$part || exit; done

profile: ## show where the DNS server's CPU time goes; needs perf
	@hack/setup
	@mkdir -p $(BIN)/symbols && CGO_ENABLED=0 go build -trimpath -o $(BIN)/symbols/signpost .
	@$(IN_TEST) go build -o $(BIN)/bench ./cmd/bench && exec $(BIN)/bench profile

include hack/release/release.mk

fmt: ## format the code
	gofmt -w $$(git ls-files '*.go')

clean: ## remove what was built
	rm -rf .cache dist
