.DEFAULT_GOAL := help
.PHONY: help run test check image conformance bench chaos clean

# One more than there are cores, as tests wait for servers; each may open 30 of 100 connections.
JOBS := $(shell n=$$(nproc 2>/dev/null || echo 1); echo $$((n < 3 ? n + 1 : 3)))

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: ## install, load the demo plan, serve at http://127.0.0.1:8000 (or PORT)
	@scripts/setup
	@exec .venv/bin/samsyn serve --demo

test: ## install, run the tests (ARGS="-k items" for some, JOBS=0 in one process)
	@scripts/setup --tests
	@.venv/bin/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

check: ## format, lint, types, migrations, API definitions
	@scripts/setup --tests
	@scripts/check

image: ## build the container image, run its commands (Docker, Podman or buildah)
	@scripts/setup --tests
	@scripts/build-image
	@SAMSYN_IMAGE=1 .venv/bin/python -m pytest tests/deployment/test_image.py

conformance: ## run the official OGC test suites (ETS_DIR)
	@scripts/setup --tests
	@.venv/bin/python -m tests.conformance

bench: ## compare with other servers (ARGS="--rounds 3 --cases items")
	@scripts/setup --tests
	@.venv/bin/python -m bench $(ARGS)

chaos: ## faults under load, some minutes (ARGS="--seconds 20 --rounds 3")
	@scripts/setup --tests
	@.venv/bin/python -m tests.faults.job_kills
	@.venv/bin/python -m tests.faults.chaos $(ARGS)

clean: ## remove the environment and the private database
	@scripts/clean
