# Two commands do everything, set-up included: `make demo` and `make test`.
# Needed beforehand: Python 3.11 or newer (with its venv module), make and git.
# Everything is put into .venv in this directory; nothing outside the checkout is touched, but that `make test`
# installs Debian's packages of the servers that tests run beside us, where it may: .ci/servers says how not.

VENV := .venv
PYTHON_IN_VENV := $(VENV)/bin/python
# The name carries the place: in a moved or copied checkout the environment still points to the old
# one, and is made anew.
READY := $(VENV)/ready-$(shell pwd | cksum | cut -d ' ' -f 1)

# Two slow cores are shared by parallel tests and by searches: threads below them only get in the way.
export OMP_NUM_THREADS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# uv's cache lies beside what it is linked into, so an unwritable home directory is no matter.
export UV_CACHE_DIR := $(CURDIR)/$(VENV)/cache
# Matplotlib writes its list of fonts into the home directory when it draws, unless told otherwise.
export MPLCONFIGDIR := $(CURDIR)/$(VENV)/matplotlib

PYTEST := $(PYTHON_IN_VENV) -m pytest
# Its wheels differ from machine to machine (CPU, CUDA), so one lock with hashes cannot name it.
TORCH := torch==2.13.0

.PHONY: help setup demo test check bench containers nightly format lock clean
.DEFAULT_GOAL := help

help:
	@echo "make demo      real flights: from a table to answered requests, in minutes (ARGS=--fast for less)"
	@echo "make test      make check, then every test that is not slow"
	@echo "make check     ruff, mypy --strict, the architecture tests"
	@echo "make containers the images: built, run, stopped, by Podman"
	@echo "make nightly   every test, the slow ones and PyTorch's too"
	@echo "make bench     the serving path beside other servers (ARGS=--quick for less)"
	@echo "make docs      the documentation site, in build/site (index.html opens from there, without a server)"
	@echo "make format    let ruff mend what it can"
	@echo "make lock      resolve the dependencies anew (the newest that go together)"
	@echo "make setup     only the environment; make clean removes it"

setup: $(READY)

$(READY): requirements.lock requirements-build.lock pyproject.toml
	@echo "Setting up $(VENV) from requirements.lock: half a minute, once."
	@test -f $@ || PYTHON="$(PYTHON)" sh .ci/make-venv $(VENV)
	@$(PYTHON_IN_VENV) -m pip install --quiet --require-hashes --no-deps --requirement requirements-build.lock
	@sh .ci/install $(PYTHON_IN_VENV)
	@touch $@

demo: $(READY)
	@$(VENV)/bin/siklus demo $(ARGS)

.PHONY: lint
lint: $(READY)
	$(PYTHON_IN_VENV) -m ruff check .
	$(PYTHON_IN_VENV) -m ruff format --check .
	$(PYTHON_IN_VENV) -m mypy --strict src

check: lint
	$(PYTEST) -q tests/architecture

# PostgreSQL, Prometheus, Alertmanager and a browser; at once where they are there, or may not be installed.
.PHONY: servers
servers:
	@sh .ci/servers

# The architecture tests of `make check` are among these, so there is one run and one closing line.
test: lint servers
	$(PYTEST) -n 2 -m "not slow" $(ARGS)

# Images built and run by Podman, which is installed where it may be.
containers: $(READY)
	@sh .ci/servers containers
	$(PYTEST) -m containers $(ARGS)

# A soak of ten minutes is among these; SIKLUS_SOAK_MINUTES=1 makes it a short one. So are all images.
nightly: lint
	@sh .ci/servers containers
	$(PYTHON_IN_VENV) -m pip install --quiet "$(TORCH)" --editable ".[torch]"
	$(PYTEST) -n 2 --hypothesis-profile=nightly $(ARGS)

# Ratios of medians, in turn, on this machine; benchmarks/README.md tells what is compared, and how peers are installed.
bench: $(READY)
	@$(PYTHON_IN_VENV) -m benchmarks.serving $(ARGS)

# Strict: a dead link, or a page that no menu names, is an error.
.PHONY: docs
docs: $(READY)
	@NO_MKDOCS_2_WARNING=1 $(PYTHON_IN_VENV) -m mkdocs build --strict

format: $(READY)
	$(PYTHON_IN_VENV) -m ruff check --fix .
	$(PYTHON_IN_VENV) -m ruff format .

lock: $(READY)
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" sh .ci/lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
