# make          the shared and the static library, into target/lib
# make python   the Python package, into .venv (PYTHON= selects the version)
# make install  into PREFIX (/usr/local), below DESTDIR; also LIBDIR, INCLUDEDIR, DATADIR, DOCDIR
# make uninstall   exactly what was installed
# make deb      Debian packages, in target/deb
# make demo     builds everything and runs the main job
# make test     every test
# make bench    coloop beside its peers, table in docs/performance.md
# make bench-python   beside asyncio, uvloop and rloop, for the selected Python
# make wheels   source distribution and wheels, into target/wheels; PYTHONS="python3.11 ..." are the versions
# make test-portable-windows-python   the wheel for Windows, into target/windows/wheels, tested under wine
# make docs     the documentation as a site, into target/docs/site
# make abi      records the ABI anew, after functions were added: see docs/abi.md
# make header   include/coloop.h anew from src/ffi, and from it coloop/dynamic.h and Python's modules
# make test-portable   on other processors and systems, as far as this machine can: docs/platforms.md
# make test-portable-s390x   one step of it: aarch64, s390x, i686, riscv64, musl, windows, kqueue
# make model    the loom models alone

CARGO  ?= cargo
PYTHON ?= python3
CC     ?= cc
CXX    ?= c++
CFLAGS ?= -O2 -g
LIB    := target/lib
VENV   := .venv
TOOLS  := target/wheels-tools
# One environment at a time, for the Python that was selected last.
TAG    := $(shell $(PYTHON) -c 'import sys; print(".".join(map(str, sys.version_info[:3])))')
WARN   := -std=c11 -Wall -Wextra -pedantic -Werror
LINK   := -Iinclude -L$(LIB) -lcoloop -Wl,-rpath,$(abspath $(LIB)) -pthread
BINDING := $(addprefix bindings/python/,setup.py pyproject.toml) $(wildcard bindings/python/csrc/*) \
           $(wildcard bindings/python/coloop/*.py bindings/python/coloop/*.pyi) \
           $(wildcard packaging/*.cmake.in) $(shell find include -type f)
PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR    ?= $(PREFIX)/share
DOCDIR     ?= $(DATADIR)/doc/coloop
# Without debug information; STRIP= keeps it.
STRIP      ?= strip
# In the order in which `make test` runs them.
TESTS := test-in-rust test-c test-poll test-cpp test-loop-in-python test-others
# Each of these keeps one processor busy, so two run at a time.
IN_RUST := test-rust model all target/poll/lib/libcoloop.so
LOOP_IN_PYTHON := test-cpython test-asyncio test-asyncio-debug test-sharing
# The longest first.
OTHERS := \
    test-header \
    test-portable-kqueue \
    test-wheels \
    test-software \
    test-install \
    test-adapters \
    test-samples \
    test-abi \
    test-docs \
    test-embedding \
    test-languages \
    test-types \
    test-examples \
    test-python \
    test-peers \
    test-fallback \
    test-contract
# On other systems; too long for `make test`. See scripts/portable/run.py.
PORTABLE := $(addprefix test-portable-,aarch64 s390x i686 riscv64 musl windows kqueue)
SOURCES := Cargo.toml Cargo.lock build.rs $(shell find src -name '*.rs')

.PHONY: all python install uninstall deb demo test bench bench-python header abi wheels docs soak \
    test-portable $(PORTABLE) test-portable-windows-python test-rust model $(TESTS) $(LOOP_IN_PYTHON) $(OTHERS)

all: $(LIB)/libcoloop.so $(LIB)/libcoloop.a

# The libraries name no directory of the machine that they were built on.
CRATES := $(or $(CARGO_HOME),$(HOME)/.cargo)/registry/src
BUILD  := $(CARGO) --config 'build.rustflags=["--remap-path-prefix=$(CRATES)=crates"]' rustc --locked --release --lib

# The symbols get their versions from the feature, or, as rustc brings a linker that can
# take them so for x86-64 alone, from what links.
VERSIONS := --features symbol-versions
ifneq ($(filter-out x86_64,$(shell uname -sm | sed -n 's/^Linux //p')),)
BUILD := CARGO_TARGET_$(shell $(CARGO) -vV | sed -n 's/^host: //p' | tr a-z- A-Z_)_LINKER=$(abspath packaging/versioned-gcc.sh) $(BUILD)
VERSIONS :=
endif

# The Linux library has versioned symbols, which only the shared library may
# link; so each kind is built by itself.
$(LIB)/libcoloop.so: $(SOURCES)
	$(BUILD) --crate-type cdylib $(VERSIONS)
	mkdir -p $(LIB)
	install target/release/libcoloop.so $(LIB)/libcoloop.so.0
	ln -sf libcoloop.so.0 $@

# With it, what a program that links to it statically must name as well.
$(LIB)/libcoloop.a $(LIB)/native-static-libs &: $(SOURCES)
	mkdir -p $(LIB)
	$(BUILD) --crate-type staticlib -- \
	    --print native-static-libs=$(LIB)/native-static-libs
	install -m 644 target/release/libcoloop.a $(LIB)/libcoloop.a

INSTALL = $(foreach name,DESTDIR PREFIX LIBDIR INCLUDEDIR DATADIR DOCDIR STRIP LIB,$(name)='$($(name))') packaging/install.sh

install: all $(LIB)/native-static-libs
	$(INSTALL) install

uninstall:
	$(INSTALL) uninstall

deb: all $(LIB)/native-static-libs
	scripts/setup.sh deb
	packaging/deb.sh

MIXED := target/mixed-$(TAG)

demo: target/demo/echo $(MIXED)/.built
	target/demo/echo
	$(PYTHON) examples/python/echo.py $(LIB)/libcoloop.so.0
	$(VENV)/bin/python examples/mixed/mixed.py $(MIXED)
	$(VENV)/bin/python examples/mixed/coroutines.py $(MIXED)

target/demo/%: examples/c/%.c $(wildcard examples/c/*.h) include/coloop.h $(LIB)/libcoloop.so
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(WARN) -D_GNU_SOURCE $< -o $@ $(LINK)

# Extensions in C++ that do and do not link to coloop, and a C library that does: all
# find what they need through the package.
$(MIXED)/.built: $(wildcard examples/mixed/*) $(VENV)/.coloop-$(TAG)
	@mkdir -p $(@D)
	CC="$(CC)" CXX="$(CXX)" CFLAGS="$(CFLAGS)" examples/mixed/build.sh $(VENV)/bin/python $(@D)
	touch $@

test: $(VENV)/.installed-$(TAG) $(TESTS) demo

# And what later tests need of Rust's compiler.
test-in-rust:
	$(MAKE) --no-print-directory -j 2 --output-sync=target $(IN_RUST)

test-rust:
	$(CARGO) test --locked

model:
	RUSTFLAGS="--cfg loom" $(CARGO) --config profile.dev.debug=false test --locked --lib --target-dir target/loom model

test-header: $(VENV)/.installed-$(TAG) all
	tests/header/check.sh $(LIB) $(VENV)/bin/python
	$(PYTHON) scripts/raw_abi.py --check
	$(PYTHON) scripts/dynamic_header.py --check
	$(PYTHON) scripts/debian_symbols.py --check

# Cargo's own tests leave a library with full debug information, which says what the
# header promises; building it costs nothing after test-rust.
test-abi: all
	scripts/setup.sh abi
	$(CARGO) test --locked --quiet --no-run --test header
	$(PYTHON) scripts/abi.py check
	$(PYTHON) -m unittest discover -s tests/abi -v

target/tests/c: $(wildcard tests/c/*.c tests/c/*.h) include/coloop.h $(LIB)/libcoloop.so
	@mkdir -p $(@D)
	$(CC) -O1 -g $(WARN) -D_GNU_SOURCE $(wildcard tests/c/*.c) -o $@ $(LINK)

test-c: target/tests/c
	$(PYTHON) tests/c/run.py target/tests/c
	$(PYTHON) tests/c/run.py --valgrind target/tests/c

# The C++ headers: every compiler and standard; then the tests, plain and with the
# sanitizers of addresses and undefined behaviour; then random programs that asyncio runs as well.
CPP_ORACLE_NAMES := sync_program sync_ends stream_program
CPP_TESTS := $(filter-out $(CPP_ORACLE_NAMES:%=tests/cpp/%.cpp),$(wildcard tests/cpp/*.cpp))
CPP_ORACLES := $(addprefix target/tests/cpp/sanitized/,$(CPP_ORACLE_NAMES))
CPP_HEADERS := $(wildcard tests/cpp/*.hpp include/*.hpp include/coloop/*.hpp include/coloop/task/*.hpp) include/coloop.h
CPP_FLAGS := -std=c++17 -Wall -Wextra -pedantic -Werror -Wconversion -Wshadow -Iinclude -pthread
# Coroutines are C++20.
$(foreach kind,plain sanitized,target/tests/cpp/$(kind)/task_%.o) $(CPP_ORACLES): CPP_FLAGS += -std=c++20
target/tests/cpp/sanitized/%: CPP_FLAGS += -g1 -fsanitize=address,undefined -fno-sanitize-recover=all

define cpp_test
target/tests/cpp/$(1)/%.o: tests/cpp/%.cpp $$(CPP_HEADERS)
	@mkdir -p $$(@D)
	$$(CXX) $$(CPP_FLAGS) -c $$< -o $$@

target/tests/cpp/$(1)/test: $(CPP_TESTS:tests/cpp/%.cpp=target/tests/cpp/$(1)/%.o) $(LIB)/libcoloop.so
	$$(CXX) $$(CPP_FLAGS) $$(filter %.o,$$^) -o $$@ $$(LINK)
endef
$(foreach kind,plain sanitized,$(eval $(call cpp_test,$(kind))))

$(CPP_ORACLES): target/tests/cpp/sanitized/%: target/tests/cpp/sanitized/%.o $(LIB)/libcoloop.so
	$(CXX) $(CPP_FLAGS) $< -o $@ $(LINK)

test-cpp: $(LIB)/libcoloop.so
	scripts/setup.sh cpp
	tests/cpp/headers/check.sh $(LIB)
	$(MAKE) --no-print-directory -j $$(nproc) target/tests/cpp/plain/test target/tests/cpp/sanitized/test $(CPP_ORACLES)
	timeout 300 target/tests/cpp/plain/test
	timeout 300 target/tests/cpp/sanitized/test
	$(PYTHON) tests/cpp/sync_oracle.py target/tests/cpp/sanitized/sync_program 150
	$(PYTHON) tests/cpp/sync_ends_oracle.py target/tests/cpp/sanitized/sync_ends
	$(PYTHON) tests/cpp/stream_oracle.py target/tests/cpp/sanitized/stream_program

test-python: $(VENV)/.installed-$(TAG) $(LIB)/libcoloop.so
	$(VENV)/bin/python -m unittest discover -s tests/python -v

test-loop-in-python: $(VENV)/.coloop-$(TAG)
	$(MAKE) --no-print-directory -j 2 --output-sync=target $(LOOP_IN_PYTHON)

# What several of these need is made before.
test-others: $(VENV)/.coloop-$(TAG) $(VENV)/.software-$(TAG) $(TOOLS)/.installed target/tests/c all
	scripts/setup.sh abi install deb embedding languages adapters portable-kqueue
	$(MAKE) --no-print-directory -j 2 --output-sync=target $(OTHERS)

# CPython's own tests, on asyncio and on coloop: see tests/cpython/run.py.
test-cpython: $(VENV)/.coloop-$(TAG)
	$(VENV)/bin/python tests/cpython/run.py

# The same programs on asyncio and on coloop; the second time in debug mode, with
# Python's own checks of memory.
test-asyncio: $(VENV)/.coloop-$(TAG)
	$(VENV)/bin/python -m unittest discover -s tests/asyncio
	$(VENV)/bin/python tests/asyncio/soak.py --seconds 15

test-asyncio-debug: $(VENV)/.coloop-$(TAG)
	PYTHONASYNCIODEBUG=1 PYTHONMALLOC=debug $(VENV)/bin/python -X dev -W ignore -m unittest discover -s tests/asyncio

# An hour's work of a server, in ten minutes.
soak: $(VENV)/.coloop-$(TAG)
	$(VENV)/bin/python tests/asyncio/soak.py --seconds 600

test-sharing: $(VENV)/.coloop-$(TAG)
	$(VENV)/bin/python -X dev -m unittest discover -s tests/sharing -v

target/tests/peer: tests/peers/peer.c include/coloop.h $(LIB)/libcoloop.so
	@mkdir -p $(@D)
	$(CC) -O1 -g $(WARN) -D_GNU_SOURCE $< -o $@ $(LINK)

test-peers: $(VENV)/.installed-$(TAG) target/tests/peer
	COLOOP_PEER=target/tests/peer $(VENV)/bin/python -m unittest discover -s tests/peers -v

# The adapters that put other libraries on a loop: as headers, then against real servers.
ADAPTERS := hiredis curl libpq cares
ADAPTER_HEADERS := $(addprefix include/coloop/adapters/,operation.h watch.h hiredis.h curl.h libpq.h \
                     libpq_command.h libpq_connection.h cares.h) include/coloop.h
ADAPTER_TOOLS := tests/c/main.c tests/c/failing_memory.c tests/c/failing_malloc.c
ADAPTER_LINK = -I$$(pg_config --includedir) $(LINK) -l$(patsubst lib%,%,$*)

target/tests/adapters/%: tests/adapters/%.c $(wildcard tests/adapters/*.h) $(ADAPTER_TOOLS) tests/c/test.h \
        $(ADAPTER_HEADERS) target/tests/adapters/.installed $(LIB)/libcoloop.so
	$(CC) -O1 -g $(WARN) -D_GNU_SOURCE $< $(ADAPTER_TOOLS) -o $@ $(ADAPTER_LINK)

target/tests/adapters/example-%: examples/adapters/%.c $(ADAPTER_HEADERS) target/tests/adapters/.installed \
        $(LIB)/libcoloop.so
	$(CC) $(CFLAGS) $(WARN) -D_GNU_SOURCE $< -o $@ $(ADAPTER_LINK)

target/tests/adapters/.installed: scripts/setup.sh
	scripts/setup.sh adapters
	@mkdir -p $(@D)
	touch $@

test-adapters: $(addprefix target/tests/adapters/,$(ADAPTERS) $(ADAPTERS:%=example-%))
	tests/adapters/check_headers.sh
	$(PYTHON) tests/adapters/with_servers.py target/tests/adapters

# The path of systems without epoll, on this one: polling can be told to use poll.
# What that lacks is in tests/c/not_everywhere.txt.
POLL := target/poll

$(POLL)/lib/libcoloop.so: $(SOURCES)
	$(BUILD) --config 'build.rustflags=["--cfg=polling_test_poll_backend"]' --target-dir $(POLL) \
	    --config profile.release.lto=false --crate-type cdylib $(VERSIONS)
	mkdir -p $(@D)
	install $(POLL)/release/libcoloop.so $(@D)/libcoloop.so.0
	ln -sf libcoloop.so.0 $@

$(POLL)/tests/c: $(wildcard tests/c/*.c tests/c/*.h) include/coloop.h $(POLL)/lib/libcoloop.so
	@mkdir -p $(@D)
	$(CC) -O1 -g $(WARN) -D_GNU_SOURCE -DTEST_POLL $(wildcard tests/c/*.c) -o $@ $(subst $(LIB),$(POLL)/lib,$(LINK))

test-poll: $(POLL)/tests/c
	$(CARGO) --config 'build.rustflags=["--cfg=polling_test_poll_backend"]' test --locked --lib --target-dir $(POLL)
	$(PYTHON) tests/c/run.py --platform poll $(POLL)/tests/c

test-portable: test-poll $(PORTABLE) test-portable-windows-python

$(PORTABLE): test-portable-%:
	scripts/setup.sh portable-$*
	CARGO="$(CARGO)" $(PYTHON) scripts/portable/run.py $*

test-contract: target/tests/c
	$(PYTHON) tests/contract.py docs/contract.md target/tests/c

test-samples: $(VENV)/.coloop-$(TAG) all
	$(VENV)/bin/python tests/samples.py $(LIB)

# All about the site that needs no mdBook, which takes minutes to build.
test-docs: $(VENV)/.coloop-$(TAG) $(LIB)/libcoloop.so
	COLOOP_LIBRARIES=$(LIB) $(VENV)/bin/python -m unittest discover -s tests/docs

MDBOOK := target/tools/bin/mdbook

docs: $(VENV)/.coloop-$(TAG) $(MDBOOK)
	$(VENV)/bin/python scripts/docs/build.py --mdbook $(MDBOOK)
	$(PYTHON) tests/docs/links.py target/docs/site

$(MDBOOK):
	$(CARGO) install --locked --root target/tools --target-dir target/tools/build \
	    --version 0.4.52 --no-default-features --features search mdbook
	rm -rf target/tools/build

# Programs of every kind against an installed package.
test-install: all $(LIB)/native-static-libs
	scripts/setup.sh install
	scripts/setup.sh deb
	$(PYTHON) -m unittest discover -s tests/install

test-examples: $(LIB)/libcoloop.so
	$(PYTHON) tests/examples.py $(LIB)
	$(PYTHON) tests/examples.py $(LIB) examples/cpp

# The adapters that put a loop into GLib's and libuv's: as headers, then at work,
# with gcc's sanitizers.
EMBEDDING := $(wildcard tests/embedding/*.c) tests/c/main.c tests/c/child.c

target/tests/embedding: $(EMBEDDING) $(wildcard tests/embedding/*.h tests/c/*.h) include/coloop.h \
                        $(addprefix include/coloop/adapters/,host.h glib.h uv.h) $(LIB)/libcoloop.so
	scripts/setup.sh embedding
	@mkdir -p $(@D)
	$(CC) -O1 -g $(WARN) -D_GNU_SOURCE -fsanitize=address,undefined -fno-sanitize-recover=all $(EMBEDDING) -o $@ \
		$$(pkg-config --cflags glib-2.0 libuv) $(LINK) $$(pkg-config --libs glib-2.0 libuv)

test-embedding: target/tests/embedding
	tests/embedding/headers.sh
	$(PYTHON) tests/c/run.py target/tests/embedding
	$(PYTHON) tests/examples.py $(LIB) examples/embedding glib-2.0 libuv

# The C ABI from LuaJIT, Ruby and Node.
test-languages: target/node/.installed $(LIB)/libcoloop.so
	$(PYTHON) -m unittest discover -s tests/languages -v

# npm wants its packages beside the program.
target/node/.installed: $(wildcard bindings/node/*.js*) scripts/setup.sh
	scripts/setup.sh languages
	@mkdir -p $(@D)
	cp bindings/node/*.js* $(@D)
	cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

$(VENV)/.installed-$(TAG): scripts/setup.sh scripts/requirements.txt
	scripts/setup.sh test
	test -e $@ || rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --requirement scripts/requirements.txt
	touch $@

test-types: $(VENV)/.coloop-$(TAG)
	$(VENV)/bin/python -m unittest discover -s tests/types -v

# The package where it has no native loop.
test-fallback: $(VENV)/.coloop-$(TAG)
	$(VENV)/bin/python -m unittest discover -s tests/fallback

test-software: $(VENV)/.coloop-$(TAG) $(VENV)/.software-$(TAG)
	$(VENV)/bin/python -m unittest discover -s tests/software -v

$(VENV)/.software-$(TAG): $(VENV)/.installed-$(TAG) scripts/requirements-software.txt
	scripts/setup.sh software
	$(VENV)/bin/pip install --quiet --requirement scripts/requirements-software.txt
	touch $@

python: $(VENV)/.coloop-$(TAG)

$(VENV)/.coloop-$(TAG): $(VENV)/.installed-$(TAG) $(BINDING) $(LIB)/libcoloop.so
	rm -rf bindings/python/build
	COLOOP_LIBRARY=$(abspath $(LIB)/libcoloop.so.0) $(VENV)/bin/pip install --quiet ./bindings/python
	touch $@

# What links for old C libraries, and what checks the result.
$(TOOLS)/.installed: scripts/setup.sh scripts/requirements-wheels.txt
	scripts/setup.sh wheels
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --no-compile --requirement scripts/requirements-wheels.txt
	touch $@

# Each wheel is tested by the Python that it is for.
wheels: $(TOOLS)/.installed all
	$(TOOLS)/bin/python scripts/wheels.py --verify target/wheels $(PYTHONS)

# The same for one Python, built once.
test-wheels: $(TOOLS)/.installed all
	$(TOOLS)/bin/python scripts/wheels.py target/tests/wheels $(PYTHON)
	COLOOP_WHEELS=target/tests/wheels $(PYTHON) -m unittest discover -s tests/wheels -v

# The library for Windows, its wheel, and CPython for Windows under wine: see docs/python.md.
WINDOWS := target/windows
WINDOWS_PYTHON := target/portable/python

$(WINDOWS)/lib/coloop.dll: $(SOURCES) scripts/windows_library.sh
	scripts/setup.sh portable-windows-python
	CARGO="$(CARGO)" scripts/windows_library.sh $(@D)

# Debian's own Python may have no pip; that of an environment has.
$(WINDOWS_PYTHON)/.complete: scripts/portable/windows_python.sh | $(TOOLS)/.installed
	PYTHON=$(TOOLS)/bin/python scripts/portable/windows_python.sh $(@D)

test-portable-windows-python: $(TOOLS)/.installed $(WINDOWS)/lib/coloop.dll $(WINDOWS_PYTHON)/.complete
	$(TOOLS)/bin/python scripts/windows_wheel.py $(WINDOWS)/wheels $(WINDOWS)/lib/coloop.dll
	COLOOP_WHEELS=$(WINDOWS)/wheels COLOOP_WINDOWS_PYTHON=$(WINDOWS_PYTHON) \
	    $(TOOLS)/bin/python -m unittest discover -s tests/windows -v

bench: all
	scripts/setup.sh bench
	benches/build.sh
	$(PYTHON) benches/run.py --write

BENCH_VENV := target/bench-python-$(TAG)

$(BENCH_VENV)/.installed: scripts/requirements-bench.txt
	scripts/setup.sh bench-python
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/pip install --quiet --requirement $<
	touch $@

$(BENCH_VENV)/.coloop: $(BENCH_VENV)/.installed $(BINDING) $(LIB)/libcoloop.so
	rm -rf bindings/python/build
	COLOOP_LIBRARY=$(abspath $(LIB)/libcoloop.so.0) $(BENCH_VENV)/bin/pip install --quiet ./bindings/python
	touch $@

target/bench/load: $(wildcard benches/python/*.[ch])
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(WARN) $(filter %.c,$^) -o $@ -lssl -lcrypto

bench-python: $(BENCH_VENV)/.coloop target/bench/load
	$(BENCH_VENV)/bin/python benches/python/run.py --write

header:
	COLOOP_UPDATE=1 $(CARGO) test --locked --test header
	$(PYTHON) scripts/raw_abi.py
	$(PYTHON) scripts/dynamic_header.py
	$(PYTHON) scripts/debian_symbols.py

abi: all
	scripts/setup.sh abi
	$(PYTHON) scripts/abi.py record
