# `make` or `make help` lists the targets. Sections are independent of each other.

.DEFAULT_GOAL := help
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory

MODULE  := github.com/posthaste-dev/posthaste
VERSION ?= $(shell git describe --always --dirty 2>/dev/null || echo dev)
TOOLS   := $(CURDIR)/.tools
LDFLAGS := -s -w -X main.version=$(VERSION)

# The names on make's own command line. A misspelled setting (make run
# ADRR=:8080) must be an error; the program checks the names.
OVERRIDES := $(sort $(foreach v,$(filter-out -%,$(.VARIABLES)),$(if $(findstring command line,$(origin $v)),$v)))

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

.PHONY: need-go
need-go:
	@command -v go >/dev/null || { echo "Go 1.26 or newer is required; go is not in PATH" >&2; exit 1; }
	@v=$$(GOTOOLCHAIN=local go env GOVERSION); case $$v in go1.2[6-9]*|go1.[3-9][0-9]*|go[2-9]*|devel*) ;; \
	  *) echo "Go 1.26 or newer is required; found $$v" >&2; exit 1;; esac

# --- local run ---------------------------------------------------------------

.PHONY: run
# exec: signals go to the program itself. Make is interrupted too, but the
# program ends first and its exit status counts.
run: need-go ## build and start everything on 127.0.0.1:8080; settings as NAME=value
	@go build -trimpath -ldflags='$(LDFLAGS)' -o bin/local ./functions/local
	@MAKE_OVERRIDES='$(OVERRIDES)' exec bin/local

.PHONY: invoke
invoke: need-go ## run one handler on EVENT=events/<function>/<case>.json and the data of the local run; show what records become under SOURCES=<file>
	@test -n "$(EVENT)" || { echo "EVENT is not set; try: make invoke EVENT=events/api/post-webhook.json" >&2; exit 1; }
	@go build -trimpath -ldflags='$(LDFLAGS)' -o bin/local ./functions/local
	@MAKE_OVERRIDES='$(filter-out EVENT SOURCES STORE,$(OVERRIDES))' exec bin/local invoke \
	  $(if $(filter SOURCES,$(OVERRIDES)),-sources "$(SOURCES)") $(if $(filter STORE,$(OVERRIDES)),-store="$(STORE)") "$(EVENT)"

# --- tests -------------------------------------------------------------------

.PHONY: test
test: need-go ## all tests that need only Go, shuffled
	@cc=$$(go env CC); \
	if echo 'int main(void){return 0;}' | $$cc -x c - -o /dev/null 2>/dev/null; then \
	  echo "race detector: on ($$cc)"; CGO_ENABLED=1 go test -race -shuffle=on ./...; \
	else echo "race detector: off (no working C compiler)"; go test -shuffle=on ./...; fi

.PHONY: bench
bench: need-go ## the figures of docs/performance.md, in about six minutes; never fails on a figure
	@go test ./functions/local -run '^$$' -bench '^BenchmarkFigures$$' -benchtime 1x -timeout 15m | grep -v '^\(goos\|goarch\|pkg\|cpu\|Benchmark\|PASS\|ok\)'

.PHONY: bench-start
bench-start: need-go ## each Lambda binary's size and start time, next to a hello-world function's
	@go test ./functions -run '^$$' -bench '^BenchmarkStart$$' -benchtime 1x | grep -v '^\(goos\|goarch\|pkg\|cpu\|Benchmark\|PASS\|ok\)'

.PHONY: cost
cost: need-go ## the tables of docs/cost.md, from counted calls and docs/prices.json or PRICES=<file>; WRITE=1 writes them into the pages
	@go test ./functions -run '^TestCostTables$$' -count=1 -v -cost $(if $(PRICES),-prices '$(abspath $(PRICES))') $(if $(WRITE),-update-cost) | grep -v '^\(===\|---\|PASS\|ok\)'

SEEDS ?= 2000
FROM  ?= 1

.PHONY: simulate
simulate: need-go ## run SEEDS seeds of the simulation, starting at FROM; TRACE=1 prints the events
	@go test ./pkg/simulation -run '^TestSimulation$$' -count=1 -v -timeout 24h -seeds $(SEEDS) -from $(FROM) $(if $(TRACE),-show)

LEAST  ?= 2000
MOST   ?= 10000
MUTANT ?=

.PHONY: simulate-teeth
simulate-teeth: need-go ## break the product deliberately, one rule at a time, and count the seeds each mutant survives (about five minutes)
	@go test ./pkg/simulation -run '^TestTeeth$$' -count=1 -v -timeout 24h -teeth -least $(LEAST) -most $(MOST) -mutant '$(MUTANT)'

CRASHES ?= 20

.PHONY: test-growth
test-growth: need-go ## that the work for a body grows with its size, not with its square, in every format
	@go test ./pkg/httpapi -run '^TestWork_' -count=1 -growth

.PHONY: test-crash
test-crash: need-go ## kill -9 the local run under load, CRASHES times, and look for lost events
	@go test ./functions/local -run '^TestCrash' -count=1 -v -crashes $(CRASHES)

.PHONY: test-browser
test-browser: need-go ## the console in headless Chromium (installs Debian's package chromium if there is none)
	@.ci/test-browser

.PHONY: screens
screens: need-go ## pictures of every page of the console, in .build/screens
	@.ci/test-browser -run TestScreens -screens "$(CURDIR)/.build/screens"

.PHONY: test-clients
test-clients: need-go ## official clients and verifiers against the local run, and AWS's event-ruler (fetches about 150 MB once)
	@.ci/test-clients

# --- checks ------------------------------------------------------------------

GOLANGCI_VERSION := v2.13.1
GOLANGCI := $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION)

$(GOLANGCI): | need-go
	@echo "installing golangci-lint $(GOLANGCI_VERSION) into .tools"
	@mkdir -p $(TOOLS)
	@GOBIN=$(TOOLS)/golangci-install go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv $(TOOLS)/golangci-install/golangci-lint $@ && rmdir $(TOOLS)/golangci-install

DEADCODE_VERSION := v0.52.0
DEADCODE := $(TOOLS)/deadcode-$(DEADCODE_VERSION)

$(DEADCODE): | need-go
	@echo "installing deadcode $(DEADCODE_VERSION) into .tools"
	@mkdir -p $(TOOLS)
	@GOBIN=$(TOOLS)/deadcode-install go install golang.org/x/tools/cmd/deadcode@$(DEADCODE_VERSION)
	@mv $(TOOLS)/deadcode-install/deadcode $@ && rmdir $(TOOLS)/deadcode-install

.PHONY: check
check: need-go $(GOLANGCI) $(DEADCODE) ## vet, golangci-lint, formatting, unreachable functions; the template, if its tools are installed
	@go vet ./...
	@$(GOLANGCI) run ./...
	@$(GOLANGCI) fmt --diff ./...
	@.ci/check-deadcode $(DEADCODE)
	@if [ -x .tools/lint/bin/cfn-lint ] && [ -x .tools/sam/bin/sam ]; then .ci/check-template; \
	else echo "template not checked: cfn-lint and sam are not in .tools (make test-aws installs them)"; fi

GOVULNCHECK_VERSION := v1.9.0

.PHONY: vuln
vuln: need-go ## known vulnerabilities of what is compiled in (reads vuln.go.dev)
	@go run golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION) ./...

# --- Lambda binaries ---------------------------------------------------------

ARCH ?= arm64
GOARCH_OF_arm64  := arm64
GOARCH_OF_x86_64 := amd64
LAMBDAS := $(filter-out local,$(notdir $(patsubst %/,%,$(dir $(wildcard functions/*/main.go)))))

# SAM calls `make build-ApiFunction ARTIFACTS_DIR=…` for functions/api.
build-%Function: need-go
	@test -n "$(GOARCH_OF_$(ARCH))" || { echo "ARCH is $(ARCH), must be arm64 or x86_64" >&2; exit 1; }
	@test -n "$(ARTIFACTS_DIR)" || { echo "ARTIFACTS_DIR is not set" >&2; exit 1; }
	@CGO_ENABLED=0 GOOS=linux GOARCH=$(GOARCH_OF_$(ARCH)) go build -tags lambda.norpc -trimpath -ldflags='$(LDFLAGS)' \
	  -o "$(ARTIFACTS_DIR)/bootstrap" ./functions/$(shell echo '$*' | tr A-Z a-z)

.PHONY: build
build: need-go ## build every Lambda function into .build/ and print their sizes
	@test -n "$(LAMBDAS)" || { echo "there is no Lambda function to build yet" >&2; exit 1; }
	@set -e; for f in $(LAMBDAS); do \
	  $(MAKE) build-$${f}Function ARTIFACTS_DIR=.build/$$f; \
	  printf '%-10s %9d bytes\n' $$f $$(wc -c < .build/$$f/bootstrap); \
	done

# --- AWS-shaped parts on this machine -----------------------------------------

.PHONY: test-aws
test-aws: need-go ## suites, template and deployment on DynamoDB Local and an AWS emulator (fetches about 900 MB once)
	@.ci/test-aws

# --- a deployment in AWS -------------------------------------------------------

# The section of samconfig.toml: it names the stack and its parameters.
ENV ?= dev
SAM ?= $(firstword $(wildcard $(TOOLS)/sam/bin/sam) sam)
AWS ?= $(firstword $(wildcard $(TOOLS)/aws/bin/aws) aws)
STACK ?= posthaste-$(ENV)

# Any parameter of the template can be set on make's command line by its own name,
# except the password, which would be in the process list. sam keeps the deployed value
# of those that it is not given.
PARAMETERS = $(filter-out FirstCredential,$(shell sed -n '/^Parameters:/,/^Rules:/s/^  \([A-Za-z0-9]*\):$$/\1/p' template.yaml))
STRAY_OVERRIDES = $(filter-out ENV SAM AWS STACK VERSION ARCH $(PARAMETERS),$(OVERRIDES))
# $(value) leaves a $ alone.
parameter = '$(subst ','\'',$(1)=$(2))'
Stage ?= $(ENV)
Deployment ?= $(shell date +%s)
# One architecture for the build and for the deployment.
Arch ?= $(ARCH)

.PHONY: deploy
deploy: need-go ## build and deploy the stack of ENV (dev); template parameters as Name=value; FIRST_CREDENTIAL, at first, in the environment
	@test -z "$(filter FIRST_CREDENTIAL FirstCredential,$(OVERRIDES))" || { echo "pass FIRST_CREDENTIAL in the environment: make's command line is in the process list" >&2; exit 1; }
	@test -z "$(STRAY_OVERRIDES)" || { echo "template.yaml has no parameter $(STRAY_OVERRIDES)" >&2; exit 1; }
	@test '$(filter ARCH,$(OVERRIDES))' = '' -o '$(ARCH)' = '$(Arch)' || { echo "ARCH is $(ARCH) and Arch is $(Arch): set one" >&2; exit 1; }
	@ARCH='$(Arch)' $(SAM) build
	@export SAM='$(SAM)' AWS='$(AWS)'; \
	  $(if $(filter dev,$(Stage)),export FIRST_CREDENTIAL="$${FIRST_CREDENTIAL:-tje0:Tje0}";) \
	  .ci/deploy '$(ENV)' '$(STACK)' $(call parameter,Stage,$(Stage)) $(call parameter,Arch,$(Arch)) $(call parameter,Deployment,$(Deployment)) \
	  $(foreach p,$(filter-out Stage Arch Deployment,$(filter $(PARAMETERS),$(OVERRIDES))),$(call parameter,$(p),$(value $(p))))

.PHONY: rollback
rollback: ## have the stack of ENV run the version of every function before the deployed one
	@AWS='$(AWS)' .ci/rollback '$(STACK)'

.PHONY: restore
restore: ## prepare TABLE, into which a backup was restored: docs/restore.md
	@test -n "$(TABLE)" || { echo "TABLE is not set; docs/restore.md says how a table is restored" >&2; exit 1; }
	@AWS='$(AWS)' .ci/restore '$(TABLE)'

.PHONY: logs
logs: ## follow the logs of all functions of ENV
	@$(SAM) logs --stack-name $(STACK) --tail

.PHONY: smoke
smoke: ## deliver one event; API_URL, FIRST_CREDENTIAL=user:password, TARGET=a URL that accepts POSTs
	@.ci/smoke

.PHONY: delete
delete: ## delete the stack of ENV, then, if wanted, its data and its webhooks' secrets; YES=1 answers both questions
	@SAM='$(SAM)' AWS='$(AWS)' YES='$(YES)' .ci/delete '$(STACK)'
