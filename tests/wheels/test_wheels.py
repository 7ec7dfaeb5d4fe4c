"""The files in $COLOOP_WHEELS, as their users install them: for the Python that runs
this, in environments of their own."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import abi  # noqa: E402

WHEELS = pathlib.Path(os.environ["COLOOP_WHEELS"]).resolve()
TAG = f"cp{sys.version_info.major}{sys.version_info.minor}"
TIME_LIMIT = 300  # seconds; pip may have to ask the network
HELLO = """
import asyncio, coloop, sys
async def main():
    loop = asyncio.get_running_loop()
    result = loop.create_future()
    loop.call_soon(result.set_result, "hello from " + type(loop).__module__)
    return await result
print(coloop.run(main()))
"""


def run(*command, env=None, status=0):
    """What a program prints; its end is checked."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LD_", "MAKE"))}
    result = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=TIME_LIMIT,
        cwd="/", env={**clean, **(env or {})},
    )
    if result.returncode != status:
        raise AssertionError(f"{command}: status {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


class Environment:
    """A fresh virtual environment; pip works on it from outside."""

    def __init__(self, case):
        self.home = pathlib.Path(case.enterClassContext(tempfile.TemporaryDirectory(prefix="coloop-wheels-")))
        run(sys.executable, "-m", "venv", "--without-pip", self.home)
        self.interpreter = self.home / "bin/python"
        self.packages = pathlib.Path(self.python("import sysconfig; print(sysconfig.get_path('platlib'))").strip())

    def python(self, code, **options):
        return run(self.interpreter, "-c", code, **options)

    def pip(self, *arguments, **options):
        return run(
            sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", self.interpreter,
            *arguments, **options,
        )

    def files(self):
        return {path.relative_to(self.packages) for path in self.packages.rglob("*")}


def wheel():
    (path,) = WHEELS.glob(f"coloop-*-{TAG}-{TAG}-*.whl")
    return path


def dynamic(library):
    """The dynamic section of an ELF file: tag to values."""
    entries = {}
    for tag, value in re.findall(r"\((\w+)\).*\[(.*)\]", run("readelf", "-d", library)):
        entries.setdefault(tag, []).append(value)
    return entries


class Contents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="coloop-wheels-")))
        with zipfile.ZipFile(wheel()) as archive:
            archive.extractall(cls.home)
        cls.package = cls.home / "coloop"
        cls.library = cls.package / "lib/libcoloop.so.0"
        (cls.extension,) = cls.package.glob("_coloop.*.so")

    def test_the_library_keeps_its_name(self):
        found = {path.relative_to(self.home).as_posix() for path in self.home.rglob("*.so*")}
        self.assertEqual(found, {
            "coloop/lib/libcoloop.so", "coloop/lib/libcoloop.so.0", f"coloop/{self.extension.name}",
        })
        self.assertEqual(dynamic(self.library)["SONAME"], ["libcoloop.so.0"])
        extension = dynamic(self.extension)
        self.assertIn("libcoloop.so.0", extension["NEEDED"])
        self.assertEqual(extension["RUNPATH"], ["$ORIGIN/lib"])

    def test_the_tag_is_true(self):
        glibc = re.search(r"manylinux_2_(\d+)_", wheel().name)
        self.assertEqual(glibc[1], "17")
        for file in self.library, self.extension:
            text = run("objdump", "-T", file)
            wanted = {int(minor) for minor in re.findall(r"\(GLIBC_2\.(\d+)[.)]", text)}
            self.assertTrue(wanted)
            self.assertLessEqual(max(wanted), 17, file)

    def test_the_unwinder_is_the_systems(self):
        # A second one would not know the exceptions of C++ callbacks.
        self.assertIn("libgcc_s.so.1", dynamic(self.library)["NEEDED"])

    def test_the_symbols_are_those_of_the_library_for_this_machine(self):
        self.assertEqual(abi.exported(self.library), abi.exported(abi.LIBRARY))

    def test_no_debug_information_and_no_directories_of_the_builder(self):
        for file in self.library, self.extension:
            self.assertNotIn(".debug_info", run("readelf", "--section-headers", "--wide", file))
            for place in ROOT, pathlib.Path.home(), "/tmp/":
                self.assertFalse(os.fsencode(place) in file.read_bytes(), f"{place} in {file.name}")

    def test_all_headers_are_there(self):
        included = {
            path.relative_to(ROOT / "include").as_posix() for path in (ROOT / "include").rglob("*") if path.is_file()
        }
        found = {
            path.relative_to(self.package / "include").as_posix()
            for path in (self.package / "include").rglob("*") if path.is_file()
        }
        self.assertEqual(found, included | {"coloop_capi.h"})

    def test_licences_and_metadata(self):
        (about,) = self.home.glob("coloop-*.dist-info")
        self.assertEqual(
            {path.name: path.read_text() for path in (about / "licenses").iterdir()},
            {path.name: path.read_text() for path in ROOT.glob("LICENSE-*")},
        )
        metadata = (about / "METADATA").read_text()
        self.assertIn("License-Expression: Apache-2.0 OR MIT\n", metadata)
        self.assertIn((ROOT / "bindings/python/README.md").read_text(), metadata)

    def test_the_source_distribution_has_the_sources(self):
        (source,) = WHEELS.glob("coloop-*.tar.gz")
        names = {name.partition("/")[2] for name in run("tar", "-tzf", source).split()}
        tracked = run("git", "-C", ROOT, "ls-files", "src", "include", "Cargo.toml", "Cargo.lock", "build.rs").split()
        tracked += [path.name for path in ROOT.glob("LICENSE-*")]
        self.assertLessEqual({f"rust/{name}" for name in tracked}, names)
        self.assertFalse([name for name in names if name.endswith((".so", ".pyc"))])


class Installed(unittest.TestCase):
    """In an environment that sees no compiler."""

    @classmethod
    def setUpClass(cls):
        cls.environment = Environment(cls)
        cls.before = cls.environment.files()
        path = {"PATH": str(cls.environment.home / "bin"), "CC": "/no/compiler"}
        cls.environment.pip("install", "--no-index", wheel(), env=path)

    def test_it_runs(self):
        path = {"PATH": "/no/programs"}
        self.assertEqual(self.environment.python(HELLO, env=path), "hello from coloop._loop\n")

    def test_the_library_in_the_process_is_the_packages(self):
        found = self.environment.python(
            "import coloop; print(coloop.get_library_path()); print(open('/proc/self/maps').read())"
        )
        library = str(self.environment.packages / "coloop/lib/libcoloop.so.0")
        self.assertEqual(found.splitlines()[0], library)
        self.assertEqual(set(re.findall(r"\S*libcoloop\S*", found)), {library})

    def test_pip_is_content(self):
        self.environment.pip("check")

    def test_uninstall_leaves_nothing(self):
        other = Environment(type(self))
        before = other.files()
        other.pip("install", "--no-index", wheel())
        self.assertNotEqual(other.files(), before)
        other.python(HELLO)
        other.pip("uninstall", "--yes", "coloop")
        self.assertEqual(other.files() - before, set())


class ThirdParty(unittest.TestCase):
    """Extensions of a project of its own, built with the wheel and the usual tools."""

    MODULES = "table", "linked", "linked_cpp", "loaded_cpp"

    @classmethod
    def setUpClass(cls):
        cls.environment = Environment(cls)
        source = cls.environment.home / "source"
        shutil.copytree(HERE / "thirdparty", source)
        # pip builds in an environment where it installs the wheel as well.
        cls.environment.pip("install", "--find-links", WHEELS, source)
        cls.modules = cls.environment.packages / "thirdparty"

    def file(self, name):
        (path,) = self.modules.glob(f"{name}.*.so")
        return path

    def test_only_what_is_linked_needs_the_library_and_by_its_name(self):
        for name in self.MODULES:
            needed = dynamic(self.file(name))
            self.assertEqual("libcoloop.so.0" in needed["NEEDED"], name.startswith("linked"), name)
            self.assertNotIn("coloop", str(needed.get("RUNPATH")))

    def test_all_have_the_instance_that_python_has(self):
        found = self.environment.python(
            "import importlib\n"
            "from coloop import _coloop\n"
            f"for name in {self.MODULES}:\n"
            "    module = importlib.import_module('thirdparty.' + name)\n"
            "    print(module.instance_id() == _coloop.instance_id)\n"
        )
        self.assertEqual(found.split(), ["True"] * len(self.MODULES))

    def test_all_post_to_the_loop_that_python_runs(self):
        found = self.environment.python(f"""
import asyncio, coloop, importlib
async def main():
    loop = asyncio.get_running_loop()
    queue = asyncio.Queue()
    for name in {self.MODULES}:
        module = importlib.import_module("thirdparty." + name)
        module.post(loop.capsule, 5000, lambda ran, name=name: queue.put_nowait((name, ran)))
    async with asyncio.timeout({TIME_LIMIT}):
        return sorted([await queue.get() for _ in {self.MODULES}])
print(coloop.run(main()))
""")
        self.assertEqual(found.strip(), str(sorted((name, 5000) for name in self.MODULES)))

    def test_posts_to_a_closed_loop_lose_nothing(self):
        found = self.environment.python(f"""
import coloop, importlib, time, weakref
class Done:
    def __call__(self, ran):
        print("called")
alive = []
loop = coloop.new_event_loop()
capsule = loop.capsule
loop.close()
for name in {self.MODULES}:
    done = Done()
    alive.append(weakref.ref(done))
    importlib.import_module("thirdparty." + name).post(capsule, 10, done)
    del done
end = time.monotonic() + {TIME_LIMIT}
while any(reference() for reference in alive) and time.monotonic() < end:
    time.sleep(0.01)
print([reference() for reference in alive])
""")
        self.assertEqual(found.strip(), str([None] * len(self.MODULES)))


class FromSource(unittest.TestCase):
    def test_pip_installs_the_source_distribution(self):
        environment = Environment(type(self))
        (source,) = WHEELS.glob("coloop-*.tar.gz")
        quick = {
            # What is tested is that everything is there, not what the optimizer does.
            "CARGO_PROFILE_RELEASE_LTO": "off", "CARGO_PROFILE_RELEASE_OPT_LEVEL": "0",
            "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16", "CARGO_PROFILE_RELEASE_DEBUG": "0",
            "CFLAGS": "-O0", "CARGO_TARGET_DIR": str(ROOT / "target/tests/wheels-source"),
        }
        environment.pip("install", source, env=quick)
        self.assertEqual(environment.python(HELLO), "hello from coloop._loop\n")
        self.assertEqual(
            abi.exported(environment.packages / "coloop/lib/libcoloop.so.0"), abi.exported(abi.LIBRARY),
        )


if __name__ == "__main__":
    unittest.main()
