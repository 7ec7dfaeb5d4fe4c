"""One module of CPython's asyncio tests on one loop: see run.py.

Processes that multiprocessing spawns import this file again; only the first
one may run tests.
"""

if __name__ == "__main__":
    import module

    module.main()
