"""gunicorn's worker classes, on coloop."""

import asyncio

from gunicorn.workers.gasgi import ASGIWorker
from uvicorn_worker import UvicornWorker

import coloop


class Uvicorn(UvicornWorker):
    """uvicorn's worker, as its documentation has it configured."""

    CONFIG_KWARGS = {"loop": "coloop:new_event_loop", "http": "httptools"}


class Gunicorn(ASGIWorker):
    """gunicorn's own ASGI worker, which knows no loop but asyncio's and uvloop's."""

    def _setup_event_loop(self):
        self.loop = coloop.new_event_loop()
        asyncio.set_event_loop(self.loop)
