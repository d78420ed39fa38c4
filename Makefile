# Two commands do everything: `make demo` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GOLANGCI_LINT := v2.15.0
ESBUILD := node_modules/.bin/esbuild
GO_FILES := $(shell git ls-files '*.go' '*.sql' '*.mod' '*.sum' 2>/dev/null)

IMAGES ?=
MODEL ?=
ONCE ?=
DATA ?= demo

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

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
	go build -trimpath -ldflags "-X main.version=$$(git describe --tags --always --dirty 2>/dev/null || echo dev)" -o bin/gleaner .

.PHONY: demo
demo: ## Run the whole system on real images: IMAGES=… MODEL=… DATA=folder ONCE=1
	@start=$$(date +%s); $(MAKE) --no-print-directory build; \
	echo "set-up and build: $$(( $$(date +%s) - start )) s"
	bin/gleaner demo --data "$(DATA)" $(if $(IMAGES),--images "$(IMAGES)") $(if $(MODEL),--model "$(MODEL)") $(if $(ONCE),--once)
