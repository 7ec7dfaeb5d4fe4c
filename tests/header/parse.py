"""The header parses in cffi, and the library answers through it: parse.py HEADER LIBRARY"""

import subprocess
import sys

import cffi

header, library = sys.argv[1:]
text = subprocess.run(
    ["gcc", "-E", "-P", "-D__attribute__(x)=", header], check=True, capture_output=True, text=True
).stdout
# What stands before our first own name comes from the system's headers.
text = text[text.index("typedef struct loop_t loop_t"):]
ffi = cffi.FFI()
ffi.cdef(text)
lib = ffi.dlopen(library)
loop = lib.loop_new()
calls = []


@ffi.callback("void(void *)")
def callback(user_data):
    calls.append(ffi.string(lib.coloop_version()).decode())
    lib.loop_stop(loop)


assert lib.loop_call_soon(loop, callback, ffi.NULL, ffi.NULL, ffi.NULL) == 0
assert lib.loop_run_forever(loop) == 0 and lib.loop_close(loop) == 0
lib.loop_unref(loop)
assert len(calls) == 1
print(f"the header parses in cffi {cffi.__version__}; version {calls[0]} ran a callback")
