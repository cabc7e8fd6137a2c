# Cloze's everyday commands. `make demo` and `make test` work from a bare Debian 12 with git and make:
# they install what is missing, build, and run. Everything is built by CMake (see CMakePresets.json).

PREFIX ?= /usr/local
BUILD := build/release
FUZZ_SECONDS ?= 20
TORTURE_SECONDS ?= 3600
CXX_FILES = $(shell find include src tests bench examples python -name '*.h' -o -name '*.cc' -o -name '*.cpp')

.PHONY: help demo test build model asan tsan debug fuzz format check-format tidy tidy-changed analyze package python test-python wheel torture arm check-all docs install clean dependencies checks

help:
	@echo 'make demo       fetch a real BERT (87 MiB, once), and see it read, rank and learn'
	@echo 'make test       build and run the tests'
	@echo 'make build      build the library and the command (build/release/cloze)'
	@echo 'make model      fetch the model alone'
	@echo 'make install    install to PREFIX ($(PREFIX)): library, headers, command, CMake package'
	@echo 'make asan       the tests under address and undefined-behaviour sanitizers'
	@echo 'make tsan       the tests of what threads share under the thread sanitizer'
	@echo 'make fuzz       brief fuzzing of everything that reads untrusted bytes (FUZZ_SECONDS=20 each)'
	@echo 'make format     format the sources; make check-format only says whether they are'
	@echo 'make tidy       clang-tidy on the sources; make tidy-changed: on those of the last day;'
	@echo '                make analyze: the static analyzer, slower'
	@echo 'make package    shared and small builds, installed and used as a stranger does'
	@echo 'make python     the Python package, in a virtual environment of its own (build/python/venv);'
	@echo '                make test-python: its tests; make wheel: a wheel that needs no packages of Debian'
	@echo 'make torture    breaks runs and files at random for TORTURE_SECONDS=3600, and counts what was lost'
	@echo 'make arm        builds for 64-bit Arm, and runs the tests on an emulator of it'
	@echo 'make check-all  what is too slow for every push: robustness, instruction sets, tidy, tsan, ...'
	@echo 'make docs       the API reference in build/docs/html'
	@echo 'make clean      remove build/'

demo:
	@scripts/demo

test: $(BUILD)/build.ninja
	@cmake --build --preset release
	@[ ! -d build/python/venv ] || scripts/build-python
	@ctest --preset release

build: $(BUILD)/build.ninja
	@cmake --build --preset release --target cloze_cli

model:
	@scripts/fetch-model

asan: checks build/asan/build.ninja
	@cmake --build --preset asan
	@ctest --preset asan

tsan: checks build/tsan/build.ninja
	@cmake --build --preset tsan
	@ctest --preset tsan

debug: build/debug/build.ninja
	@cmake --build --preset debug
	@ctest --preset debug

fuzz: checks build/asan/build.ninja
	@cmake --build --preset asan --target fuzzers
	@scripts/fuzz build/asan $(FUZZ_SECONDS)

format: checks
	@clang-format -i $(CXX_FILES)

check-format: checks
	@clang-format --dry-run --Werror $(CXX_FILES)

tidy: checks
	@scripts/tidy

tidy-changed: checks
	@scripts/tidy --changed

analyze: checks
	@scripts/tidy --analyze

package: $(BUILD)/build.ninja
	@scripts/check-package

python: $(BUILD)/build.ninja
	@scripts/build-python

test-python:
	@scripts/test-python

wheel: $(BUILD)/build.ninja
	@scripts/build-wheel

torture: $(BUILD)/build.ninja
	@cmake --build --preset release --target cloze_cli cloze_faults
	@CLOZE=$(CURDIR)/$(BUILD)/cloze CLOZE_FAULTS=$(CURDIR)/$(BUILD)/tests/libcloze_faults.so \
	  tests/robustness/torture.py --seconds $(TORTURE_SECONDS)

# Not the configuration of the others: what it needs of Arm lies in build/arm64-sysroot.
arm:
	@scripts/install-dependencies build arm
	@scripts/arm-sysroot
	@[ -f build/arm64/build.ninja ] || cmake --preset arm64 --log-level=WARNING >/dev/null
	@cmake --build --preset arm64
	@ctest --preset arm64

check-all: test
	@CLOZE_ROBUSTNESS=all ctest --preset release -L robustness
	@ctest --preset release -C all -L isa
	@$(MAKE) --no-print-directory tidy tsan analyze package arm

docs:
	@scripts/install-dependencies docs
	@scripts/docs

install: $(BUILD)/build.ninja
	@cmake --build --preset release
	@cmake --install $(BUILD) --prefix $(PREFIX)

clean:
	rm -rf build

dependencies:
	@scripts/install-dependencies build

checks:
	@scripts/install-dependencies build checks

# Configuring is done once; after that Ninja does it again by itself when a CMake file changes.
build/%/build.ninja: CMakePresets.json | dependencies
	@cmake --preset $* --log-level=WARNING >/dev/null
	@touch $@
