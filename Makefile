# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The front door.  Each of these does its own set-up, on a fresh Debian 12 too; `make help` lists
# them.  Meson does the building (meson.build), tools/ the rest.
#
#   BUILD=dir          where to build (default: build)
#   BVISOR_NO_SETUP=1  install nothing
#   FUZZ_SECONDS=n     how long each fuzz target runs under `make fuzz` and `make test-all`
#   VM=quick, VM=NAME  which environments of the test bed `make test-vm` runs (default: all)
#   PREFIX, DESTDIR    for install

BUILD ?= build
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 600
VM ?= all
JOBS ?= $(shell nproc)

.DEFAULT_GOAL := all
# One thing after the other whatever -j says: two set-ups at a time would fight for apt's lock.
.NOTPARALLEL:
.PHONY: all help demo test test-vm support-matrix test-all check-asan check-clang lint format format-check bench fuzz coverage install docs clean wasm-engine setup setup-test setup-all

all: wasm-engine $(BUILD)/build.ninja ## build everything
	@ninja -j $(JOBS) -C $(BUILD)

help: ## list these
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 24

setup:
	@tools/setup

setup-test:
	@tools/setup --test

setup-all:
	@tools/setup --all

# Takes minutes, once, where there is Rust; says so, and what is missing where there is none.
wasm-engine:
	@tools/build-wasm
	@[ ! -f $(BUILD)/build.ninja ] || tools/build-wasm --where | cmp -s - $(BUILD)/src/wasm/wasm-where || \
		meson setup --reconfigure $(BUILD) >$(BUILD)/setup.log 2>&1 || { cat $(BUILD)/setup.log; exit 1; }

# Set-up first: meson itself comes from there.  An old build folder reconfigures itself.
$(BUILD)/build.ninja: | setup
	@meson setup --prefix $(PREFIX) $(BUILD) >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }; mv $(BUILD).log $(BUILD)/setup.log

demo: all ## a hostile program, without and with bvisor
	@demo/run $(BUILD)

test: setup-test all ## everything that is quick: what CI runs
	@meson test -C $(BUILD) --no-rebuild --print-errorlogs --no-suite slow

test-vm: setup-test all ## the tests that depend on the kernel, in virtual machines
	@tests/vm/matrix $(BUILD) $(VM)

support-matrix: ## docs/support-matrix.md, from the last `make test-vm` of all
	@tools/support-matrix $(BUILD) >$(BUILD)/support-matrix.md && mv $(BUILD)/support-matrix.md docs/

test-all: setup-all all ## test, and what takes long or needs more packages
	@tools/test-all $(BUILD) $(FUZZ_SECONDS)

check-asan: setup-all ## the tests under the address and undefined-behaviour sanitizers
	@tools/check-build $(BUILD)-asan -Db_sanitize=address,undefined

check-clang: setup-all ## build and test with clang
	@CC=clang tools/check-build $(BUILD)-clang

lint: setup-all all ## clang-tidy
	@tools/lint

format: setup-all ## lay the code out
	@tools/format --write

format-check: setup-all
	@tools/format --check

bench: setup-all all ## cost of a launch, of a call, of a running program
	@bench/run $(BUILD)
	@bench/calls $(BUILD)
	@bench/steady $(BUILD)
	@[ ! -f $(BUILD)/src/bvisor-wasm-run ] || bench/wasm $(BUILD)

fuzz: setup-all ## each decoder, FUZZ_SECONDS long
	@tools/fuzz $(BUILD)-fuzz $(FUZZ_SECONDS)

coverage: setup-all ## which lines the tests reach: build-coverage/coverage.html
	@tools/coverage $(BUILD)-coverage

docs: all ## the reference, made from the one definition of the types
	@tools/docs $(BUILD)

install: all ## libraries, headers, launcher, command
	@meson install -C $(BUILD) --no-rebuild $(if $(DESTDIR),--destdir $(DESTDIR))
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

clean:
	rm -rf $(BUILD) $(BUILD)-*
