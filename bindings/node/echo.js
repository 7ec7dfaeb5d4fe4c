// An echo server on coloop's C ABI, by koffi: node echo.js LIBRARY DECLARATIONS
//
// It says where it serves, hears 1,000 posts from a worker thread, and ends when
// its standard input does.
//
// Node's own loop stays in charge of the main thread. A thread of koffi's waits for
// coloop's descriptor, and the main thread makes the turns: so callbacks of both
// loops run on it, one after the other.
'use strict';

const fs = require('node:fs');
const koffi = require('koffi');
const { Worker, isMainThread, workerData } = require('node:worker_threads');

const POSTS = 1000;
const POINTER = koffi.sizeof('void *');
const [library, declarations] = isMainThread ? process.argv.slice(2) : workerData.paths;
const lines = fs.readFileSync(declarations, 'utf8').split('\n');

// What koffi calls a C type: pointers are numbers to it, texts are strings.
function type(text) {
    const name = text.replace(/^loop_handle_t/, 'uint64_t');
    if (/^const char \*\w*$/.test(name)) return 'str';
    return name.includes('*') || /^(loop|policy)_/.test(name) ? 'void *' : name.split(' ')[0];
}

function split(text, separator) {
    return text === 'void' ? [] : text.split(separator).map((part) => part.trim()).filter(Boolean);
}

// The functions of the ABI, each when it is first used.
const shared = koffi.load(library);
const C = new Proxy({}, {
    get(known, name) {
        if (!(name in known)) {
            const line = lines.find((line) => new RegExp(`^[\\w* ]+[ *]${name}\\(`).test(line));
            const [, result, parameters] = line.match(/^(.*?[ *])\w+\((.*)\);$/);
            known[name] = shared.func(name, type(result.trim()), split(parameters, ', ').map(type));
        }
        return known[name];
    },
});

function check(code, what) {
    if (code < 0) throw new Error(`${what}: ${C.loop_last_error()}`);
    return code;
}

if (!isMainThread) {
    // What is posted from here is a callback of the main thread's.
    for (let number = 1; number <= POSTS; number++)
        check(C.loop_call_soon_threadsafe(workerData.loop, workerData.onPost, BigInt(number), null, null), 'post');
} else {
    main();
}

// A struct of the ABI: zeroed, with its size and some fields.
function make(name, fields) {
    const line = lines.find((line) => line.startsWith(`typedef struct ${name} {`));
    const members = {};
    for (const member of split(line.match(/\{(.*)\}/)[1], /;(?![^(]*\))/)) {
        const [, field] = member.match(/\(\*(\w+)\)\(/) ?? member.match(/(\w+)$/);
        members[field] = member.includes('*') ? 'void *' : type(member);
    }
    const struct = koffi.struct(name, members);
    const value = koffi.alloc(struct, 1);
    const empty = Object.fromEntries(Object.keys(members).map((field) => [field, members[field] === 'void *' ? null : 0]));
    koffi.encode(value, struct, { ...empty, size: koffi.sizeof(struct), ...fields });
    return value;
}

function main() {
    const loop = C.loop_new();
    let failure = null;
    let stopping = false;
    let worker = null; // as long as it runs

    // A C function for JavaScript's. What is thrown is kept: it ends the program.
    let callbacks = 0;
    function callback(result, parameters, body) {
        const proto = koffi.proto(`callback${++callbacks}`, result, parameters);
        return koffi.register((...values) => {
            try {
                return body(...values);
            } catch (error) {
                failure ??= error;
                stopping = true;
                return -1;
            }
        }, koffi.pointer(proto));
    }

    // The protocol: back with what comes, and no faster than it is taken.
    const protocol = make('loop_protocol_t', {
        data_received: callback('void', ['void *', 'void *', 'size_t', 'void *'],
            (transport, data, length) => check(C.loop_transport_write(transport, data, length), 'write')),
        pause_writing: callback('void', ['void *', 'void *'],
            (transport) => check(C.loop_transport_pause_reading(transport), 'pause_reading')),
        resume_writing: callback('void', ['void *', 'void *'],
            (transport) => check(C.loop_transport_resume_reading(transport), 'resume_reading')),
    });
    const factory = callback('int', ['void *', 'void *', 'void *', 'void *', 'void *'],
        (_loop, _data, retProtocol) => (koffi.encode(retProtocol, 'void *', protocol), 0));

    let heard = 0;
    const onPost = callback('void', ['void *'], (number) => {
        if (Number(number) !== ++heard) throw new Error('out of order');
        if (heard === POSTS) console.log(`${heard} posts from another thread`);
    });

    const onServing = callback('void', ['void *', 'void *'], (future) => {
        const server = Buffer.alloc(POINTER);
        const address = Buffer.alloc(128);
        check(C.loop_future_result(future, server), 'create_server');
        check(C.loop_server_get_address(server.readBigUInt64LE(), 0, address, address.length), 'get_address');
        console.log(`serving on 127.0.0.1:${address.readUInt16BE(2)}`);
        worker = new Worker(__filename, { workerData: { paths: [library, declarations], loop, onPost } });
        worker.once('exit', () => { worker = null; });
    });

    const host = koffi.alloc('char', 16);
    koffi.encode(host, 'char', '127.0.0.1', 10);
    const future = Buffer.alloc(POINTER);
    const options = make('loop_server_options_t', { host });
    check(C.loop_create_server(loop, options, factory, null, null, future), 'create_server');
    check(C.loop_future_add_done_callback(future.readBigUInt64LE(), onServing, null, null), 'add_done_callback');
    // Node's own part of the work.
    process.stdin.on('end', () => {
        stopping = true;
        check(C.loop_wakeup(loop), 'wakeup');
    }).resume();

    function end() {
        C.loop_future_unref(future.readBigUInt64LE());
        C.loop_close(loop);
        C.loop_unref(loop);
        if (failure) throw failure;
    }

    const poll = koffi.load(null).func('int poll(void *fds, unsigned long count, int timeout)');
    const wait = Buffer.alloc(8);
    const polled = Buffer.alloc(8); // struct pollfd
    (function turn() {
        if (stopping) {
            // The worker has the loop's address and no reference.
            if (worker) worker.once('exit', end);
            else end();
            return;
        }
        check(C.loop_prepare(loop, wait), 'prepare');
        polled.writeInt32LE(check(C.loop_backend_fd(loop), 'backend_fd'), 0);
        polled.writeInt16LE(1, 4); // POLLIN
        const nanoseconds = Number(wait.readBigInt64LE());
        poll.async(polled, 1, nanoseconds < 0 ? -1 : Math.ceil(nanoseconds / 1e6), () => {
            check(C.loop_poll(loop, 0), 'poll');
            check(C.loop_dispatch(loop), 'dispatch');
            turn();
        });
    })();
}
