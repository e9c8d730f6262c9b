# What a person does here. Each target makes what it needs by itself.
#   make demo    a service moves to a new version across three local hosts, in a minute, without root
#   make test    everything that is checked, as CI does it (root on Debian: installs what it needs)

SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# More than processors, for some tests wait for what they have started; each worker has to find all tests first.
WORKERS ?= $(shell echo $$((3 * $$(nproc) / 2)))

.PHONY: help
help:  ## list what can be made
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 26

.PHONY: venv
venv:  ## the virtual environment .venv with everything the tests need
	@$(PYTHON) scripts/environment.py .venv requirements/test.txt

.PHONY: venv-runtime
venv-runtime:  ## .venv with only what a controller needs
	@$(PYTHON) scripts/environment.py .venv requirements/runtime.txt

.PHONY: tree
tree:  ## the collection as a real ansible_collections tree, under build/tree
	@$(PYTHON) scripts/tree.py

.PHONY: tools
tools: venv  ## the programs that the tests need: installed on Debian as root, else named
	@scripts/install-test-tools

.PHONY: lint
lint: venv tools  ## everything that reads the code; one check: make lint ONLY=mypy
	@scripts/lint $(ONLY)

# What pytest makes of a test file is kept below build/: making it again took each worker three seconds.
.PHONY: test-unit
test-unit: venv  ## unit tests, under a minute
	@PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=$(CURDIR)/build/pycache $(PYTEST) -q -n $(WORKERS) --dist worksteal tests/unit $(ARGS)

# Exit code 3 of environment.py: no newer Python on this machine, so there is no second run to make.
.PHONY: test-next
test-next:  ## unit tests and the traps of Ansible on the newest ansible-core and Python of this machine
	@$(PYTHON) scripts/environment.py .venv-next requirements/next.txt --next; code=$$?; \
	if [ $$code = 3 ]; then echo "NOT RUN: the tests on a newer ansible-core, since there is no newer Python here"; exit 0; fi; \
	[ $$code = 0 ] || exit $$code; \
	.venv-next/bin/python -c 'import sys, ansible; print(f"ansible-core {ansible.__version__} on Python {sys.version.split()[0]}")' && \
	.venv-next/bin/python -m pytest -q -n $(WORKERS) --dist worksteal tests/unit $(ARGS) && \
	.venv-next/bin/python -m pytest -q tests/e2e/test_ansible_traps.py

.PHONY: test-integration
test-integration: venv tools  ## the store on SQLite, PostgreSQL and MariaDB
	@$(PYTEST) -q tests/integration $(ARGS)

.PHONY: test-e2e
test-e2e: venv tools  ## deployments to real systemd hosts
	@$(PYTEST) -q -n 2 --dist loadfile -m "not alone" tests/e2e $(ARGS); beside=$$?; \
	$(PYTEST) -q -m alone tests/e2e $(ARGS); alone=$$?; \
	[ $$beside$$alone != 55 ] && [[ $$beside =~ ^[05]$$ && $$alone =~ ^[05]$$ ]]  # 5: ARGS left none of these

.PHONY: test
test: venv  ## lint, unit, integration, end to end and molecule, with the time of each
	@scripts/test-all

.PHONY: demo
demo: venv-runtime  ## deploy three versions of a small service to three local hosts and look at the record
	@$(BIN)/python scripts/demo.py $(ARGS)

.PHONY: bench
bench: venv tools  ## measure; writes build/bench.json
	@$(PYTEST) -q -s tests/bench $(ARGS)

.PHONY: test-faults
test-faults: venv tools  ## a sample of make faults
	@$(PYTEST) -q tests/faults $(ARGS)

.PHONY: faults
faults: venv tools  ## every fault at every boundary, for hours; prints tables, writes build/faults.json
	@FRAISIER_FAULTS=full FRAISIER_KILL_ROUNDS=10 $(PYTEST) -q -s tests/faults tests/e2e/test_killed.py $(ARGS)

.PHONY: molecule
molecule: venv tools  ## the scenario of role fraise, on real hosts
	@scripts/molecule test

.PHONY: clean
clean:  ## remove what was made here, and hosts that were left over
	@if [ -x $(BIN)/python ] && docker info >/dev/null 2>&1; then $(BIN)/python -m tests.testbed clean; fi
	@rm -rf build .pytest_cache .mypy_cache .ruff_cache .ansible collections/ansible_collections
