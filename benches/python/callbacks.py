"""call_soon and call_later: how much one callback costs, from scheduling to its end."""

import contextvars


def _nothing():
    pass


def soon_chain(loop, count):
    """One callback, which schedules itself again."""
    left = count

    def step():
        nonlocal left
        left -= 1
        if left:
            loop.call_soon(step)
        else:
            loop.stop()

    loop.call_soon(step)
    loop.run_forever()


def _bulk(loop, schedule):
    def fill():
        schedule()
        loop.call_soon(loop.stop)

    loop.call_soon(fill)
    loop.run_forever()


def soon_bulk(loop, count):
    """`count` callbacks, scheduled in one callback, then run."""

    def schedule():
        for _ in range(count):
            loop.call_soon(_nothing)

    _bulk(loop, schedule)


def soon_context(loop, count):
    """soon_bulk with a context of its own, which the caller made."""
    context = contextvars.copy_context()

    def schedule():
        for _ in range(count):
            loop.call_soon(_nothing, context=context)

    _bulk(loop, schedule)


def later_cancel(loop, count):
    """A timer made and cancelled at once, 1,000 of them in each callback."""
    left = count

    def step():
        nonlocal left
        for _ in range(1000):
            loop.call_later(60, _nothing).cancel()
        left -= 1000
        if left > 0:
            loop.call_soon(step)
        else:
            loop.stop()

    loop.call_soon(step)
    loop.run_forever()


def later_fire(loop, count):
    """`count` timers made in one callback, due over the next 100 ms; all of them fire."""
    left = count

    def fire():
        nonlocal left
        left -= 1
        if not left:
            loop.stop()

    def arm():
        for number in range(count):
            loop.call_later(number * 7919 % 1000 * 1e-4, fire)

    loop.call_soon(arm)
    loop.run_forever()
