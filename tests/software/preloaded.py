"""An application that has made and used a loop before gunicorn forks."""

import asyncio
import atexit
import json
import socket

import coloop
from application import answer
from application import application as plain

LOOP = coloop.new_event_loop()
LOOP.run_until_complete(asyncio.sleep(0))
NEAR, FAR = socket.socketpair()
LOOP.add_reader(NEAR, LOOP.stop)


async def application(scope, receive, send):
    """As `application`, and /inherited: what the loop of the parent says here."""
    if scope.get("path") != "/inherited":
        return await plain(scope, receive, send)
    seen = [LOOP.is_running(), LOOP.is_closed()]
    try:
        LOOP.call_soon(print)
    except RuntimeError as exc:
        seen.append(str(exc))
    LOOP.close()
    await answer(send, json.dumps([*seen, LOOP.is_closed()]).encode())


@atexit.register
def end():
    """In the parent, the only process whose loop is open: does it still watch?"""
    if not LOOP.is_closed():
        FAR.send(b"x")
        LOOP.run_forever()
        LOOP.close()
        print("the parent's loop watches on")
    NEAR.close()
    FAR.close()
