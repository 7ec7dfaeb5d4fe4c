"""redis-py's asyncio client against a redis-server."""

import asyncio
import signal
import unittest

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from both import BothLoops, outcome
from servers import Redis


class RedisTest(BothLoops):
    def setUp(self):
        self.server = Redis()
        self.addCleanup(self.server.close)

    def client(self, **options):
        """A client that does not try again what failed, unless told to."""
        options = {"port": self.server.port, "decode_responses": True,
                   "retry": Retry(NoBackoff(), 0), **options}
        return redis.asyncio.Redis(**options)

    def both(self, use, **options):
        """Run `use(client)` on both loops, each on an empty database."""
        async def scenario():
            async with self.client(**options) as client:
                await client.flushall()
                return await use(client)
        return super().both(scenario)

    def test_commands(self):
        async def use(client):
            seen = [await client.set("key", "value"), await client.get("key"),
                    await client.get("none"), await client.delete("key", "none"),
                    await client.hset("hash", mapping={"a": 1, "b": 2}),
                    await client.hgetall("hash"), await outcome(client.incr("hash"))]
            large = "x" * 5_000_000
            await client.set("large", large)
            return seen, await client.get("large") == large
        seen, large = self.both(use)
        self.assertEqual(seen, [True, "value", None, 1, 2, {"a": "1", "b": "2"}, "ResponseError"])
        self.assertTrue(large)

    def test_unix_socket(self):
        async def use(client):
            await client.set("key", "value")
            return await client.get("key")
        self.assertEqual(self.both(use, unix_socket_path=self.server.socket), "value")

    def test_pool(self):
        """Many tasks over few connections: all counted, at most so many connected."""
        async def use(client):
            pool = redis.asyncio.BlockingConnectionPool(
                port=self.server.port, max_connections=8, timeout=30)
            async with redis.asyncio.Redis.from_pool(pool) as many:
                async def count(_):
                    for _ in range(10):
                        await many.incr("counter")
                await asyncio.gather(*map(count, range(100)))
                return await client.get("counter"), len(await client.client_list()) <= 9
        self.assertEqual(self.both(use), ("1000", True))

    def test_pipeline(self):
        """One of thousands of commands, one with an error, and watched keys."""
        async def use(client):
            async with client.pipeline(transaction=False) as pipe:
                for number in range(5000):
                    pipe.rpush("list", number)
                lengths = await pipe.execute()
            async with client.pipeline() as pipe:
                pipe.set("a", 1).incr("list").get("a")
                mixed = [str(type(answer).__name__) for answer in
                         await pipe.execute(raise_on_error=False)]
            async with client.pipeline() as pipe:
                await pipe.watch("a")
                await client.set("a", 2)
                pipe.multi()
                pipe.set("a", 3)
                watched = await outcome(pipe.execute())
            return lengths == list(range(1, 5001)), mixed, watched, await client.get("a")
        self.assertEqual(self.both(use), (True, ["bool", "ResponseError", "str"], "WatchError", "2"))

    def test_pubsub(self):
        """Messages in order to subscribers of a channel and of a pattern."""
        async def use(client):
            async def listen(pubsub):
                seen = []
                async for message in pubsub.listen():
                    if message["type"].endswith("subscribe"):
                        ready.release()
                    elif message["data"] == "end":
                        return seen
                    else:
                        seen.append((message["type"], message["channel"], message["data"]))

            ready = asyncio.Semaphore(0)
            async with client.pubsub() as plain, client.pubsub() as pattern:
                await plain.subscribe("news.a")
                await pattern.psubscribe("news.*")
                tasks = [asyncio.create_task(listen(pubsub)) for pubsub in (plain, pattern)]
                for _ in tasks:
                    await ready.acquire()
                for number in range(200):
                    await client.publish(f"news.{'ab'[number % 2]}", number)
                await client.publish("news.a", "end")
                return await asyncio.gather(*tasks)
        plain, pattern = self.both(use)
        self.assertEqual(plain, [("message", "news.a", str(n)) for n in range(0, 200, 2)])
        self.assertEqual([message[2] for message in pattern], [str(n) for n in range(200)])

    def test_blocking_pop_cancelled(self):
        """A cancelled BLPOP takes nothing with it; others get what is pushed."""
        async def use(client):
            waiter = asyncio.create_task(client.blpop("queue", timeout=0))
            while not (await client.info("clients"))["blocked_clients"]:
                await asyncio.sleep(0.01)
            waiter.cancel()
            cancelled = isinstance((await asyncio.gather(waiter, return_exceptions=True))[0],
                                   asyncio.CancelledError)
            while (await client.info("clients"))["blocked_clients"]:
                await asyncio.sleep(0.01)
            await client.rpush("queue", "one", "two")
            return (cancelled, await client.blpop("queue"), await client.blpop("queue"),
                    await client.blpop("queue", timeout=0.1))
        self.assertEqual(self.both(use), (True, ("queue", "one"), ("queue", "two"), None))

    def test_cancelled_at_every_turn(self):
        """No answer goes to a later command, wherever the one before was cancelled."""
        async def use(client):
            for turns in range(60):
                task = asyncio.create_task(client.echo(f"lost {turns}"))
                for _ in range(turns % 20):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                self.assertEqual(await client.echo(f"kept {turns}"), f"kept {turns}")
            return True
        self.both(use, max_connections=2)

    def test_connection_killed(self):
        """The server closes a connection; the next command has a new one."""
        async def use(client):
            async with self.client(single_connection_client=True) as victim:
                number = await victim.client_id()
                waiter = asyncio.create_task(victim.blpop("nothing", timeout=0))
                while not (await client.info("clients"))["blocked_clients"]:
                    await asyncio.sleep(0.01)
                await client.client_kill_filter(_id=number)
                seen = await outcome(waiter)
                return seen, await victim.ping(), await victim.client_id() > number
        self.assertEqual(self.both(use), ("ConnectionError", True, True))

    def test_server_lost(self):
        """The server dies and comes back: errors meanwhile, then answers again."""
        async def use(client):
            waiters = [asyncio.create_task(client.blpop("nothing", timeout=0)) for _ in range(5)]
            while (await client.info("clients"))["blocked_clients"] < 5:
                await asyncio.sleep(0.01)
            self.server.server.end(signal.SIGKILL)
            seen = [await outcome(waiter) for waiter in waiters]
            try:
                await client.ping()
            except RedisError:
                seen.append("refused")
            self.server.start()
            return seen, await client.ping()
        self.assertEqual(self.both(use), (["ConnectionError"] * 5 + ["refused"], True))


if __name__ == "__main__":
    unittest.main()
