# make          the shared and the static library, into target/lib
# make demo     builds everything and runs the main job
# make test     every test
# make bench    coloop beside its peers, table in docs/performance.md
# make header   include/coloop.h anew from src/ffi
# make model    the loom models alone

CARGO  ?= cargo
PYTHON ?= python3
CC     ?= cc
CFLAGS ?= -O2 -g
LIB    := target/lib
VENV   := .venv
WARN   := -std=c11 -Wall -Wextra -pedantic -Werror
LINK   := -Iinclude -L$(LIB) -lcoloop -Wl,-rpath,$(abspath $(LIB)) -pthread
SOURCES := Cargo.toml Cargo.lock build.rs $(shell find src -name '*.rs')

.PHONY: all demo test bench header model test-rust test-header test-c test-python test-peers \
        test-contract test-samples test-examples

all: $(LIB)/libcoloop.so $(LIB)/libcoloop.a

# The Linux library has versioned symbols, which only the shared library may
# link; so each kind is built by itself.
$(LIB)/libcoloop.so: $(SOURCES)
	$(CARGO) rustc --locked --release --lib --crate-type cdylib --features symbol-versions
	mkdir -p $(LIB)
	install target/release/libcoloop.so $(LIB)/libcoloop.so.0
	ln -sf libcoloop.so.0 $@

$(LIB)/libcoloop.a: $(SOURCES)
	$(CARGO) rustc --locked --release --lib --crate-type staticlib
	mkdir -p $(LIB)
	install -m 644 target/release/libcoloop.a $@

demo: target/demo/echo $(LIB)/libcoloop.so
	target/demo/echo
	$(PYTHON) examples/python/echo.py $(LIB)/libcoloop.so.0

target/demo/%: examples/c/%.c $(wildcard examples/c/*.h) include/coloop.h $(LIB)/libcoloop.so
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(WARN) -D_GNU_SOURCE $< -o $@ $(LINK)

test: $(VENV)/.installed test-rust model test-header test-c test-python test-peers test-contract test-samples test-examples demo

test-rust:
	$(CARGO) test --locked

model:
	RUSTFLAGS="--cfg loom" $(CARGO) test --locked --release --lib --target-dir target/loom model

test-header: $(VENV)/.installed all
	tests/header/check.sh $(LIB) $(VENV)/bin/python

target/tests/c: $(wildcard tests/c/*.c tests/c/*.h) include/coloop.h $(LIB)/libcoloop.so
	@mkdir -p $(@D)
	$(CC) -O1 -g $(WARN) -D_GNU_SOURCE $(wildcard tests/c/*.c) -o $@ $(LINK)

test-c: target/tests/c
	$(PYTHON) tests/c/run.py target/tests/c
	$(PYTHON) tests/c/run.py --valgrind target/tests/c

test-python: $(VENV)/.installed $(LIB)/libcoloop.so
	$(VENV)/bin/python -m unittest discover -s tests/python -v

target/tests/peer: tests/peers/peer.c include/coloop.h $(LIB)/libcoloop.so
	@mkdir -p $(@D)
	$(CC) -O1 -g $(WARN) -D_GNU_SOURCE $< -o $@ $(LINK)

test-peers: $(VENV)/.installed target/tests/peer
	COLOOP_PEER=target/tests/peer $(VENV)/bin/python -m unittest discover -s tests/peers -v

test-contract: target/tests/c
	$(PYTHON) tests/contract.py docs/contract.md target/tests/c

test-samples: $(LIB)/libcoloop.so
	$(PYTHON) tests/samples.py $(LIB) README.md docs/guide.md docs/services.md

test-examples: $(LIB)/libcoloop.so
	$(PYTHON) tests/examples.py $(LIB)

$(VENV)/.installed: scripts/setup.sh scripts/requirements.txt
	scripts/setup.sh test
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --requirement scripts/requirements.txt
	touch $@

bench: all
	scripts/setup.sh bench
	benches/build.sh
	$(PYTHON) benches/run.py --write

header:
	COLOOP_UPDATE=1 $(CARGO) test --locked --test header
