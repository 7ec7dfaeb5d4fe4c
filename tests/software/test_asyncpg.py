"""asyncpg against a PostgreSQL server of the test's own."""

import asyncio
import contextlib
import datetime
import decimal
import io
import unittest

import asyncpg

from both import BothLoops, outcome
from servers import Certificate, Postgres


class AsyncpgTest(BothLoops):
    @classmethod
    def setUpClass(cls):
        cls.certificate = Certificate()
        cls.addClassCleanup(cls.certificate.close)
        cls.server = Postgres(cls.certificate)
        cls.addClassCleanup(cls.server.close)

    def where(self, **options):
        """How to connect: over TCP without TLS, unless told otherwise."""
        return {"host": "127.0.0.1", "port": self.server.port, "user": "test",
                "database": "postgres", "ssl": False, **options}

    def both(self, use, **options):
        """Run `use(connection)` on both loops, each with a connection of its own."""
        async def scenario():
            connection = await asyncpg.connect(**self.where(**options))
            try:
                return await use(connection)
            finally:
                await connection.close()
        return super().both(scenario)

    def test_queries(self):
        async def use(connection):
            row = await connection.fetchrow(
                "select $1::int8 + 1 as n, $2::text as t, $3::bytea as b, $4::numeric as d,"
                " $5::timestamptz as w, $6::int4[] as l",
                41, "žluť", bytes(range(256)) * 20_000, decimal.Decimal("1.50"),
                datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC), [1, 2, None])
            rows = await connection.fetch("select * from generate_series(1, 20000) as n")
            statement = await connection.prepare("select $1::int4 * 2")
            return (tuple(row), sum(row["n"] for row in rows),
                    [await statement.fetchval(number) for number in range(100)],
                    await outcome(connection.fetch("select 1 / 0")),
                    await outcome(connection.fetch("no sql")),
                    await connection.fetchval("select 'still here'"))
        seen = self.both(use)
        self.assertEqual(seen[0][0], 42)
        self.assertEqual(seen[1:], (200_010_000, list(range(0, 200, 2)), "DivisionByZeroError",
                                    "PostgresSyntaxError", "still here"))

    def test_over_tls(self):
        """asyncpg asks for TLS on a plain connection, then upgrades it."""
        async def use(connection):
            large = await connection.fetchval("select repeat('x', 3000000)")
            return len(large), await connection.fetchval(
                "select ssl from pg_stat_ssl where pid = pg_backend_pid()")
        self.assertEqual(self.both(use, ssl=self.certificate.client()), (3_000_000, True))

    def test_over_a_unix_socket(self):
        async def use(connection):
            return await connection.fetchval("select inet_client_addr() is null")
        self.assertTrue(self.both(use, host=self.server.path))

    def test_transactions_and_cursors(self):
        async def use(connection):
            await connection.execute("create temp table t (n int primary key)")
            with contextlib.suppress(ZeroDivisionError):
                async with connection.transaction():
                    await connection.execute("insert into t values (1)")
                    raise ZeroDivisionError
            async with connection.transaction():
                await connection.executemany("insert into t values ($1)",
                                             [(number,) for number in range(1000)])
                failed = await outcome(self.insert_twice(connection))
                return failed, [row["n"] async for row in connection.cursor("select n from t")]
        self.assertEqual(self.both(use), ("UniqueViolationError", list(range(1000))))

    async def insert_twice(self, connection):
        async with connection.transaction():
            await connection.execute("insert into t values (5000), (5000)")

    def test_copy(self):
        """Tables in and out, by records, by a file and by an iterator that waits."""
        async def use(connection):
            async def lines():
                for number in range(1000):
                    await asyncio.sleep(0)
                    yield f"{number}\tby an iterator\n".encode()

            await connection.execute("create temp table t (n int, word text)")
            seen = [await connection.copy_records_to_table(
                        "t", records=((number, "w" * 100) for number in range(20_000))),
                    await connection.copy_to_table("t", source=lines()),
                    await connection.copy_to_table("t", source=io.BytesIO(b"1\tby a file\n"))]
            file = io.BytesIO()
            seen.append(await connection.copy_from_query("select n from t", output=file))
            pieces = []

            async def take(piece):
                await asyncio.sleep(0)
                pieces.append(piece)
            await connection.copy_from_table("t", output=take)
            return seen, len(file.getvalue().split()), b"".join(pieces).count(b"\n"), \
                await outcome(connection.copy_to_table("t", source=io.BytesIO(b"bad\n")))
        self.assertEqual(self.both(use), (
            ["COPY 20000", "COPY 1000", "COPY 1", "COPY 21001"], 21001, 21001,
            "InvalidTextRepresentationError"))

    def test_listen_and_notify(self):
        async def use(connection):
            def heard(connection, pid, channel, payload):
                seen.append((channel, payload))
                if payload == "last":
                    done.set()

            seen, done = [], asyncio.Event()
            await connection.add_listener("news", heard)
            other = await asyncpg.connect(**self.where())
            for number in range(100):
                await other.execute(f"notify news, '{number}'")
            await other.execute("notify news, 'last'")
            await other.close()
            await done.wait()
            await connection.remove_listener("news", heard)
            return seen
        self.assertEqual(self.both(use), [("news", str(n)) for n in range(100)] + [("news", "last")])

    def test_cancelled(self):
        """The server is told, over another connection; this one works on."""
        async def use(connection):
            task = asyncio.create_task(connection.fetch("select pg_sleep(60)"))
            other = await asyncpg.connect(**self.where())
            asleep = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'"
            while not await other.fetchval(asleep):
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.wait([task])
            while await other.fetchval(asleep):
                await asyncio.sleep(0.01)
            await other.close()
            return (task.cancelled(), await connection.fetchval("select 'here'"),
                    await outcome(connection.fetch("select pg_sleep(60)", timeout=0.1)),
                    await connection.fetchval("select 'still here'"))
        self.assertEqual(self.both(use), (True, "here", "TimeoutError", "still here"))

    def test_cancelled_connecting(self):
        """Cancelled at every turn of connecting: nothing stays open."""
        async def use(connection):
            for turns in range(25):
                task = asyncio.create_task(asyncpg.connect(**self.where()))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                if not task.cancelled():
                    await task.result().close()
            return await connection.fetchval("select 'here'")
        self.both(use)

    def test_pool(self):
        async def use(connection):
            async def work(number):
                async with pool.acquire() as one:
                    async with one.transaction():
                        await one.execute("insert into counted values ($1)", number)
                        return await one.fetchval("select pg_backend_pid()")

            await connection.execute("drop table if exists counted")
            await connection.execute("create table counted (n int)")
            async with asyncpg.create_pool(**self.where(), min_size=2, max_size=5) as pool:
                pids = await asyncio.gather(*map(work, range(200)))
                async with pool.acquire(), pool.acquire(), pool.acquire(), pool.acquire():
                    async with pool.acquire():
                        full = await outcome(pool.acquire(timeout=0.1))
            return (len(set(pids)) <= 5, full, await outcome(work(0)),
                    await connection.fetchval("select sum(n) from counted"))
        self.assertEqual(self.both(use), (True, "TimeoutError", "InterfaceError", sum(range(200))))

    def test_connection_lost(self):
        """The server ends a session in the middle; a pool replaces it."""
        async def use(connection):
            victim = await asyncpg.connect(**self.where())
            ended = asyncio.Event()
            victim.add_termination_listener(lambda _: ended.set())
            pid = victim.get_server_pid()
            query = asyncio.create_task(victim.fetch("select pg_sleep(60)"))
            while not await connection.fetchval(
                    "select count(*) from pg_stat_activity where wait_event = 'PgSleep'"):
                await asyncio.sleep(0.01)
            await connection.execute("select pg_terminate_backend($1)", pid)
            try:
                await query
            except asyncpg.PostgresError:  # which one depends on what is read first
                seen = ["lost"]
            await ended.wait()
            seen.append(await outcome(victim.fetch("select 1")))
            async with asyncpg.create_pool(**self.where(), min_size=1, max_size=1) as pool:
                pid = await pool.fetchval("select pg_backend_pid()")
                await connection.execute("select pg_terminate_backend($1)", pid)
                while await connection.fetchval(
                        "select count(*) from pg_stat_activity where pid = $1", pid):
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.05)
                seen.append(await pool.fetchval("select pg_backend_pid()") != pid)
            return seen
        self.assertEqual(self.both(use), ["lost", "InterfaceError", True])

    def test_terminated(self):
        """terminate() in the middle of a query, of a pool, and twice."""
        async def use(connection):
            other = await asyncpg.connect(**self.where())
            query = asyncio.create_task(other.fetch("select pg_sleep(60)"))
            await asyncio.sleep(0.05)
            other.terminate()
            other.terminate()
            pool = await asyncpg.create_pool(**self.where(), min_size=3, max_size=3)
            await pool.fetch("select 1")
            pool.terminate()
            return (await outcome(query), await outcome(pool.fetch("select 1")),
                    await connection.fetchval("select 'here'"))
        seen = self.both(use)
        self.assertEqual(seen[1:], ("InterfaceError", "here"))


if __name__ == "__main__":
    unittest.main()
