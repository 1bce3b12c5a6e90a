# The one entry to everything. `make help` prints the targets.

PYTHON ?= python3
CARGO  ?= cargo
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
LIBRARIES ?= target/capi
DESTDIR ?=

# What is built is looked for here, also where cargo is told to build everybody's things in one place.
export CARGO_TARGET_DIR := $(CURDIR)/target

VENV    := .venv
VERSION := $(shell sed -n '/^\[workspace.package\]/,/^\[/s/^version *= *"\(.*\)"/\1/p' Cargo.toml)
STAGE   := target/stage

.DEFAULT_GOAL := help
.PHONY: deaths materials tarball look soak storm help demo develop build library test test-rust test-c test-python test-acceptance test-kernels test-kernels-all docs bench fuzz lint header abi install uninstall deb stage clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: develop ## run the experiments of this machine's hierarchy and print what the kernel did
	@$(VENV)/bin/memoom demo

develop: $(VENV)/.built ## make .venv with the package, the command memoom and the tools of the tests

build: library ## build the Rust and C libraries
	$(CARGO) build --release -p memoom

library:
	@CARGO=$(CARGO) packaging/library.sh --quiet

test: lint instructions test-rust test-c test-python test-acceptance ## run everything that can run on this machine

test-rust: .packages ## run the Rust tests and the Rust example
	$(CARGO) test
	$(CARGO) run -q -p memoom --example experiments

test-c: .packages stage ## build the C examples and tests against an installed tree and run them, also under sanitizers and valgrind
	tests/c/run.sh $(abspath $(STAGE)/lib) $(abspath $(STAGE)/include) target/c-tests
	tests/abi/abi.sh check
	tests/packaging/run.sh $(abspath $(STAGE)) target/packaging-tests
	tests/frameworks/run.sh $(abspath $(STAGE)) target/framework-tests
	tests/adopting/measure.sh $(abspath $(STAGE)) target/adopting 5

test-python: develop ## run the Python tests, and the notebooks in fresh kernels
	@.ci/packages.sh redis gdb
	$(VENV)/bin/python -m pytest -q python/tests

test-acceptance: develop .packages stage ## run what the field's own tests check of memory cgroups, through C and Python
	$(VENV)/bin/python tests/acceptance/run.py

test-kernels: develop .packages ## run the live suites and the experiments inside real kernels, in virtual machines (KERNELS=NAME,...)
	$(MAKE) --no-print-directory stage
	$(PYTHON) tests/kernels/build.py
	$(PYTHON) tests/kernels/run.py $(if $(KERNELS),--only $(KERNELS))

test-kernels-all: develop .packages ## the same in every kernel of the matrix, what systemd, podman and other killers do, and the kernel's own tests observed
	$(MAKE) --no-print-directory stage
	$(PYTHON) tests/kernels/build.py
	$(PYTHON) tests/kernels/build.py --architecture arm64
	$(PYTHON) tests/kernels/peers.py --build
	$(PYTHON) tests/kernels/run.py --all
	$(PYTHON) tests/kernels/run.py peers

# The figures of a long run: MEMOOM_SOAK_CYCLES=10000 make soak
soak: develop .packages stage ## count verdicts, accounts, predictions and memory over MEMOOM_SOAK_CYCLES cycles, in Rust, C and Python
	$(CARGO) test -q -p memoom --test soak -- --nocapture
	mkdir -p target/c-tests
	gcc -std=gnu99 -O2 -I$(STAGE)/include -Itests/c tests/c/soak.c -o target/c-tests/soak \
	    -L$(STAGE)/lib -lmemoom -Wl,-rpath,$(abspath $(STAGE)/lib)
	target/c-tests/soak
	$(VENV)/bin/python -m pytest -q -s python/tests/test_soak.py

# The figures of a long run: MEMOOM_STORM_SIGNALS=10000 make storm
storm: develop ## send MEMOOM_STORM_SIGNALS signals (60) to hosts, supervisors and workers, and look for whatever they leave
	MEMOOM_STORM_PYTHON=$(abspath $(VENV)/bin/python) $(CARGO) test -q -p memoom --test storm

# It kills often: the kernel's log of a machine that others use is full of it meanwhile.
deaths: .packages ## stage MEMOOM_DEATHS (2000) deaths by ten kinds of author and print who was named
	MEMOOM_DEATHS=$${MEMOOM_DEATHS:-2000} $(CARGO) test -q -p memoom --test deaths -- --nocapture

docs: develop ## build the documentation site (target/docs/html); the notebooks are run for it, and a warning is an error
	@.ci/packages.sh doxygen redis
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r docs/requirements.txt
	mkdir -p target/docs/include
	MEMOOM_WHOLE_HEADER=$(abspath target/docs/include/memoom.h) $(CARGO) test -q -p memoom-capi --test header
	$(VENV)/bin/python -m sphinx -q -W --keep-going -c docs -b html -d target/docs/doctrees . target/docs/html

bench: .packages develop ## run the benchmarks, with their floors measured in the same run (BENCH=quick: 3 minutes)
	.ci/packages.sh stress-ng cgroup-tools || true
	$(CARGO) build --release -p memoom --example start --example figures --example growth
	$(VENV)/bin/python benches/bench.py $(if $(filter quick,$(BENCH)),--quick,--write)
	$(if $(filter quick,$(BENCH)),ROUNDS=1) benches/run.sh
	$(if $(filter quick,$(BENCH)),,benches/parse.sh)
	$(VENV)/bin/python benches/import.py $(if $(filter quick,$(BENCH)),5)

.PHONY: instructions
instructions: .packages ## count the instructions of the hot paths (valgrind) against benches/instructions.json, within 2 % (MEMOOM_UPDATE=1)
	$(CARGO) build -q --release -p memoom --example hot
	$(PYTHON) benches/instructions.py

fuzz: .packages ## fuzz all that reads input for FUZZ_SECONDS (60), or FUZZ_TARGET alone (fuzz/README.md)
	fuzz/run.sh $(FUZZ_TARGET)

.PHONY: deny
deny: ## check licences, doubles and sources of the crates, and known advisories where they can be fetched (cargo-deny)
	@command -v cargo-deny >/dev/null || { echo "cargo-deny is not installed: cargo install cargo-deny" >&2; exit 1; }
	cargo-deny check licenses bans sources
	cargo-deny check advisories

# The Python of every folder.
CHECKED = benches docs/conf.py docs/pictures docs/reference examples packaging python/memoom python/tests tests

lint: develop ## check formatting, clippy and the Python checkers
	$(CARGO) fmt --all --check
	rustfmt --check --edition 2021 core/helper/main.rs
	$(CARGO) clippy -q --all-targets -- -D warnings
	cd fuzz && $(CARGO) metadata -q --locked --format-version 1 >/dev/null # its lock knows every new dependency
	PYO3_PYTHON=$(abspath $(VENV)/bin/python) $(CARGO) clippy -q -p memoom-python -- -D warnings
	$(VENV)/bin/ruff check -q --config python/pyproject.toml $(CHECKED)
	$(VENV)/bin/ruff format -q --check --config python/pyproject.toml $(CHECKED)
	cd python && ../$(VENV)/bin/mypy --no-error-summary && ../$(VENV)/bin/python -m mypy.stubtest memoom --allowlist stubtest-allowlist.txt

header: ## write include/memoom.h anew from the C face
	MEMOOM_UPDATE=1 $(CARGO) test -q -p memoom-capi --test header

# Where it goes, and from where; packaging/install.sh has the one list of files.
INSTALL = VERSION=$(VERSION) PREFIX=$(PREFIX) LIBDIR=$(LIBDIR) INCLUDEDIR=$(INCLUDEDIR) MANDIR=$(MANDIR) \
    DESTDIR=$(DESTDIR) PYTHON=$(PYTHON) LIBRARIES=$(LIBRARIES) packaging/install.sh

install: library ## install the C library with header, pkg-config file, CMake package and manual pages (PREFIX=, LIBDIR=, DESTDIR=)
	@$(INSTALL) install

uninstall: ## remove exactly what install has installed (the same PREFIX=, LIBDIR=, DESTDIR=)
	@$(INSTALL) uninstall

abi: ## accept the C interface as it is now: writes the baseline of tests/abi anew
	tests/abi/abi.sh accept

deb: library ## build the Debian packages into target/deb
	@.ci/packages.sh gcc debhelper
	LIBRARIES=$(LIBRARIES) packaging/deb.sh target/deb

tarball: ## write target/dist/memoom-VERSION.tar.xz: the sources with all crates, which builds without a network
	packaging/tarball.sh target/dist

materials: ## write target/dist/memoom-VERSION.cdx.json: the bill of materials (CycloneDX) of what is built into the libraries
	mkdir -p target/dist
	$(PYTHON) packaging/materials.py target/dist/memoom-$(VERSION).cdx.json

# An installed tree for the tests: what they compile against is what a user gets.
stage:
	@$(MAKE) --no-print-directory install PREFIX=$(abspath $(STAGE)) DESTDIR= >/dev/null

.PHONY: musl
musl: ## build the static library for musl, and link and run the examples of the manual with it (rustup target, musl-tools)
	packaging/musl.sh target/musl

# JupyterLab, Playwright and Chromium: 400 MB, so it is no part of test.
look: develop ## open notebooks in a real JupyterLab, trusted and not, light and dark, and take pictures (target/look)
	@.ci/packages.sh chromium
	$(PYTHON) -m venv target/look-venv
	target/look-venv/bin/python -m pip install --quiet --disable-pip-version-check jupyterlab ipykernel nbclient playwright pillow
	PYTHONPATH=$(abspath python) target/look-venv/bin/python tests/jupyter/look.py target/look

clean: ## remove what was built
	rm -rf target $(VENV) dist .packages

# Debian's packages: a compiler for demo, and for the tests a second one, sanitizers, valgrind, pkg-config.
.packages: .ci/packages.sh
	@.ci/packages.sh gcc g++ clang valgrind pkg-config cmake abigail mandoc debhelper \
	    meson autotools cmocka check criterion gtest
	@touch $@

$(VENV)/bin/python: .ci/packages.sh
	@command -v $(CARGO) >/dev/null || { echo "Rust 1.85 or later is needed: apt install cargo (Debian 13), or https://rustup.rs" >&2; exit 1; }
	@.ci/packages.sh gcc python-venv
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.tools: $(VENV)/bin/python python/requirements-dev.txt
	@echo "installing the tools of python/requirements-dev.txt into $(VENV): a minute or two" >&2
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r python/requirements-dev.txt
	@touch $@

# maturin links the package into the environment and builds the module beside it; cargo knows what is stale.
NATIVE := Cargo.toml Cargo.lock $(shell find core/src core/helper core/build.rs python/src python/Cargo.toml python/pyproject.toml -type f)
$(VENV)/.built: $(VENV)/.tools $(NATIVE)
	@echo "building the Python module: some minutes the first time" >&2
	VIRTUAL_ENV=$(abspath $(VENV)) $(VENV)/bin/maturin develop --quiet --release -m python/Cargo.toml
	@touch $@
