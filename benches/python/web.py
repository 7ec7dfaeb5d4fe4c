"""HTTP servers that others wrote, as small as an application can be; the load is wrk."""

import asyncio
import socket

BODY = b"Hello, world!"

alive = []  # a loop keeps no task of its own accord


def _listener():
    # asyncio's loop sets TCP_NODELAY only if the socket says that it is TCP. Without it, a response
    # in two parts waits for the client's delayed acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    listener.setblocking(False)
    # rloop takes the descriptor away from the socket that it is given.
    return listener, listener.getsockname()[1]


async def uvicorn(loop):
    """uvicorn with httptools."""
    import uvicorn as package

    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(BODY))]

    async def application(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": BODY})

    config = package.Config(application, http="httptools", ws="none", lifespan="off",
                            access_log=False, log_level="warning")
    server = package.Server(config)
    listener, port = _listener()
    serving = loop.create_task(server.serve(sockets=[listener]))
    while not server.started:
        if serving.done():
            serving.result()
        await asyncio.sleep(0.01)
    alive.append(serving)
    return port


async def aiohttp(loop):
    """aiohttp's own server."""
    from aiohttp import web

    async def hello(request):
        return web.Response(body=BODY, content_type="text/plain")

    application = web.Application()
    application.router.add_get("/", hello)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    listener, port = _listener()
    await web.SockSite(runner, listener).start()
    return port
