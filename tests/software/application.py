"""The ASGI application that uvicorn and gunicorn serve in the tests."""

import asyncio
import hashlib
import json
import logging
import os

_TEXT = [(b"content-type", b"text/plain")]


async def application(scope, receive, send):
    """Dispatches a request by its path to one of the functions below."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "websocket":
        await _websocket(receive, send)
    else:
        await _PATHS.get(scope["path"], _missing)(scope, receive, send)


async def _lifespan(receive, send):
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _websocket(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message.get("text"),
                    "bytes": message.get("bytes")})


async def answer(send, body, status=200):
    """A whole answer at once."""
    headers = _TEXT + [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _missing(scope, receive, send):
    await answer(send, b"nothing here", 404)


async def _hello(scope, receive, send):
    await answer(send, b"Hello, world!")


async def _about(scope, receive, send):
    """Who answers: the process, its loop, and the client's port."""
    loop = asyncio.get_running_loop()
    about = {"pid": os.getpid(), "loop": type(loop).__module__.split(".")[0],
             "client": (scope.get("client") or [None, None])[1]}
    await answer(send, json.dumps(about).encode())


async def _upload(scope, receive, send):
    """The size and the digest of the body, read piece by piece."""
    digest, size, more = hashlib.sha256(), 0, True
    while more:
        message = await receive()
        digest.update(message["body"])
        size += len(message["body"])
        more = message.get("more_body", False)
    await answer(send, f"{size} {digest.hexdigest()}".encode())


async def _download(scope, receive, send):
    """4 MiB in 64 chunks."""
    await send({"type": "http.response.start", "status": 200, "headers": _TEXT})
    for number in range(64):
        await send({"type": "http.response.body", "body": bytes([number]) * 65536,
                    "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _forever(scope, receive, send):
    """The head and one piece, then nothing until the client goes away."""
    await send({"type": "http.response.start", "status": 200, "headers": _TEXT})
    await send({"type": "http.response.body", "body": b"wait", "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass
    logging.getLogger("uvicorn.error").info("client went away")


async def _work(scope, receive, send):
    """The answer of another thread."""
    total = await asyncio.get_running_loop().run_in_executor(None, sum, range(1000))
    await answer(send, str(total).encode())


_PATHS = {"/": _hello, "/about": _about, "/upload": _upload, "/download": _download,
          "/forever": _forever, "/work": _work}
