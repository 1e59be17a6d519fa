# Thin names over the tasks: `make demo` and `make test` do all of their set-up themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Python compiles what it imports, and that is a part of what is installed.
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq --no-deps --no-compile
LOCKED := $(PIP) --require-hashes
# Two threads that spin for work take turns on a busy host; OpenMP reads this before Python runs.
export GOMP_SPINCOUNT ?= 1000
# Else each of the hundred processes of a test run compiles boto3, moto and PyTorch again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test check lint types terraform-test pytest unit-test build etl train lock clean
help: ## list what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

setup: $(VENV)/.ready ## create .venv with the locked dependencies

# A misspelt name would be ignored, and the demo then run on other images. What programs read from
# their environment may be given here as well.
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
UNKNOWN := $(filter-out SOURCE KEEP PYTHON VENV GOMP_SPINCOUNT PIP_% SCONES_% TF_% AWS_% PYTEST_%,$(GIVEN))
$(if $(UNKNOWN),$(error make knows SOURCE, KEEP and PYTHON, not $(UNKNOWN)))

demo: $(VENV)/.ready ## run the whole workflow on this host (KEEP=1 leaves it up)
	@$(BIN)/inv demo $(if $(filter-out 0,$(KEEP)),--keep) $(if $(SOURCE),--source "$(SOURCE)")

# What takes long runs together; the fast checks come before it.
PARALLEL := --no-print-directory --jobs 3
test: ## everything that must hold: formats, types, imports, Terraform, tests
	@$(MAKE) $(PARALLEL) $(VENV)/.dev $(VENV)/.scan
	@$(MAKE) --no-print-directory lint
	@$(MAKE) $(PARALLEL) types terraform-test pytest

check: ## the fast part: formats, types, imports, unit tests
	@$(MAKE) $(PARALLEL) $(VENV)/.dev $(VENV)/.scan
	@$(MAKE) --no-print-directory lint
	@$(MAKE) $(PARALLEL) types unit-test

pytest: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

unit-test: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile tests/unit packages/local-aws/tests/unit

types: $(VENV)/.dev
	$(BIN)/mypy

lint: $(VENV)/.dev $(VENV)/.scan
	$(VENV)/scan/bin/zizmor --offline --quiet .github/workflows
	PATH="$(CURDIR)/$(VENV)/scan/bin:$$PATH" PYTHONPATH=$(VENV)/scan $(BIN)/python -m jactionlint --profile correctness --strict-exit .github/workflows/*.yml
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/lint-imports --no-cache

terraform-test: $(VENV)/.scan ## format, validate, test and scan the Terraform
	@$(BIN)/inv terraform.test

build etl train: $(VENV)/.ready ## one task; the others: .venv/bin/inv --list
	@$(BIN)/inv $@

$(VENV)/.ready: pyproject.toml packages/local-aws/pyproject.toml requirements/toolkit.lock requirements/torch.lock requirements/lambda-runtime.lock requirements/terraform.lock
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit("Scones needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is " + sys.version.split()[0] + "; name another one: make PYTHON=python3.12 ...")'
	@echo "Setting up $(VENV): some 500 MB to download, one to three minutes."
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "  the toolkit and the embedded AWS (requirements/toolkit.lock)"
	@$(LOCKED) --requirement requirements/toolkit.lock
	@echo "  PyTorch, its CPU build (requirements/torch.lock)"
	@$(LOCKED) --retries 1 --requirement requirements/torch.lock || { echo "PyTorch's index could not be reached. Connect to the network, or put the wheel that requirements/torch.lock names into a folder and set PIP_FIND_LINKS to it." >&2; exit 1; }
	@echo "  what a Lambda function finds next to itself (requirements/lambda-runtime.lock)"
	@rm -rf $(VENV)/lambda-runtime
	@$(LOCKED) --compile --target $(VENV)/lambda-runtime --requirement requirements/lambda-runtime.lock
	@command -v terraform >/dev/null || { echo "  a Terraform, as none is on the PATH (requirements/terraform.lock)"; $(LOCKED) --requirement requirements/terraform.lock; }
	@$(PIP) --no-build-isolation --editable packages/local-aws --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.ready requirements/dev.lock
	@echo "  the checks and the tests (requirements/dev.lock)"
	@$(LOCKED) --requirement requirements/dev.lock
	@touch $@

$(VENV)/.scan: $(VENV)/.ready requirements/scan.lock
	@echo "  the scanners, in a folder of their own (requirements/scan.lock)"
	@rm -rf $(VENV)/scan
	@$(LOCKED) --target $(VENV)/scan --requirement requirements/scan.lock
	@touch $@

UV_COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --quiet
lock: ## lock the dependencies again (needs uv)
	for name in toolkit dev scan benchmarks sagemaker sagemaker-sdk lambda lambda-runtime terraform; do \
	  $(UV_COMPILE) --upgrade requirements/$$name.in --output-file requirements/$$name.lock || exit 1; done

clean: ## remove what was built; not the environment, not the download cache
	@[ ! -d .local ] || [ ! -x $(BIN)/inv ] || $(BIN)/inv local.down
	rm -rf build .local
