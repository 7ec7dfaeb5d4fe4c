-- An echo server on coloop's C ABI, by LuaJIT's FFI: luajit echo.lua LIBRARY DECLARATIONS
--
-- It says where it serves, hears 1,000 posts from another thread, and ends when
-- its standard input does.

local ffi = require("ffi")

-- A compiled call of C must not call back into Lua, and most of ours may.
jit.off(true, true)

local library, declarations = arg[1], arg[2]
local POSTS = 1000

ffi.cdef(assert(io.open(declarations)):read("*a"))
ffi.cdef([[
typedef struct lua_State lua_State;
lua_State *luaL_newstate(void);
void luaL_openlibs(lua_State *state);
int luaL_loadstring(lua_State *state, const char *source);
int lua_pcall(lua_State *state, int arguments, int results, int handler);
double lua_tonumber(lua_State *state, int index);
const char *lua_tolstring(lua_State *state, int index, size_t *length);
void lua_close(lua_State *state);
int pthread_create(unsigned long *thread, const void *attributes, void *(*body)(void *), void *data);
int pthread_join(unsigned long thread, void **result);
ssize_t read(int fd, void *buffer, size_t size);
]])
local C = ffi.load(library)

local function check(code, what)
    if code < 0 then
        error(what .. ": " .. ffi.string(C.loop_last_error()), 2)
    end
    return code
end

local loop = C.loop_new()
local failure

-- An error must not leave a callback. It ends the run, which raises it.
local function guarded(body)
    return function(...)
        local ok, result = pcall(body, ...)
        if not ok then
            failure = failure or result
            C.loop_interrupt(loop, 1)
            return -1
        end
        return result
    end
end

-- Callbacks live as long as the program; a program that makes many frees them.
local function callback(type, body)
    return ffi.cast(type, guarded(body))
end

-- The protocol: back with what comes, and no faster than it is taken.
local protocol = ffi.new("loop_protocol_t", { size = ffi.sizeof("loop_protocol_t") })
protocol.data_received = guarded(function(transport, data, length)
    check(C.loop_transport_write(transport, data, length), "write")
end)
protocol.pause_writing = guarded(function(transport)
    check(C.loop_transport_pause_reading(transport), "pause_reading")
end)
protocol.resume_writing = guarded(function(transport)
    check(C.loop_transport_resume_reading(transport), "resume_reading")
end)

local factory = callback("loop_protocol_factory_t", function(_, _, ret_protocol)
    ret_protocol[0] = protocol
    return 0
end)

-- Posts from another thread. A Lua state belongs to one thread, so the other one
-- gets a state of its own; what it posts is a callback of this one.
local heard = 0
local on_post = callback("loop_callback_t", function(data)
    heard = heard + 1
    assert(tonumber(ffi.cast("intptr_t", data)) == heard, "out of order")
    if heard == POSTS then
        print(heard .. " posts from another thread")
        io.flush()
    end
end)

local function address(pointer)
    return string.format("%.0f", tonumber(ffi.cast("intptr_t", pointer)))
end

local function start_poster()
    local state = ffi.C.luaL_newstate()
    ffi.C.luaL_openlibs(state)
    local source = string.format(
        [[
        local ffi = require("ffi")
        ffi.cdef(assert(io.open(%q)):read("*a"))
        local C = ffi.load(%q)
        local loop, on_post = ffi.cast("loop_t *", %s), ffi.cast("loop_callback_t", %s)
        body = ffi.cast("void *(*)(void *)", function()
            for number = 1, %d do
                C.loop_call_soon_threadsafe(loop, on_post, ffi.cast("void *", number), nil, nil)
            end
            return nil
        end)
        return tonumber(ffi.cast("intptr_t", body))]],
        declarations, library, address(loop), address(on_post), POSTS
    )
    if ffi.C.luaL_loadstring(state, source) ~= 0 or ffi.C.lua_pcall(state, 0, 1, 0) ~= 0 then
        error(ffi.string(ffi.C.lua_tolstring(state, -1, nil)))
    end
    local body = ffi.cast("void *(*)(void *)", ffi.C.lua_tonumber(state, -1))
    local thread = ffi.new("unsigned long[1]")
    assert(ffi.C.pthread_create(thread, nil, body, nil) == 0)
    return thread[0], state
end

local thread, state
local on_serving = callback("loop_future_callback_t", function(future)
    local server, name = ffi.new("void *[1]"), ffi.new("uint8_t[128]")
    check(C.loop_future_result(future, server), "create_server")
    check(C.loop_server_get_address(ffi.cast("loop_server_t *", server[0]), 0, name, 128), "get_address")
    print("serving on 127.0.0.1:" .. name[2] * 256 + name[3])
    io.flush()
    thread, state = start_poster()
end)

local on_input = callback("loop_callback_t", function()
    local buffer = ffi.new("char[256]")
    if ffi.C.read(0, buffer, 256) <= 0 then
        check(C.loop_stop(loop), "stop")
    end
end)

local options = ffi.new("loop_server_options_t", { size = ffi.sizeof("loop_server_options_t") })
options.host = "127.0.0.1"
local future = ffi.new("loop_future_t *[1]")
check(C.loop_create_server(loop, options, factory, nil, nil, future), "create_server")
check(C.loop_future_add_done_callback(future[0], on_serving, nil, nil), "add_done_callback")
check(C.loop_add_reader(loop, 0, on_input, nil, nil), "add_reader")
check(C.loop_run_forever(loop), "run_forever")

if thread then
    ffi.C.pthread_join(thread, nil)
    ffi.C.lua_close(state)
end
C.loop_future_unref(future[0])
C.loop_close(loop)
C.loop_unref(loop)
if failure then
    error(failure, 0)
end
