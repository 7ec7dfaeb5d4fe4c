"""The header tells the truth: what a C compiler makes of it is what the debug
information of the Rust library says, field by field and parameter by parameter.

Only full debug information knows that, which cargo's test profile has.
"""

import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import abi  # noqa: E402

LIBRARY = ROOT / "target/debug/deps/libcoloop.so"
# The numbers that cross the boundary, in C's words and in Rust's.
NUMBERS = {
    "int": "i32", "long int": "i64", "unsigned int": "u32", "unsigned long int": "u64", "char": "i8",
    "unsigned short int": "u16", "usize": "u64",
}
POINTERS = "pointer-type-def", "reference-type-def"


class Description:
    """What one of abidw's files says of functions and structs."""

    def __init__(self, path):
        tree = xml.etree.ElementTree.parse(path)
        self.types = {element.get("id"): element for element in tree.iter() if element.get("id")}
        self.functions = {
            element.get("name"): element for element in tree.iter("function-decl") if element.get("elf-symbol-id")
        }
        self.structs = {
            element.get("name"): element for element in tree.iter("class-decl")
            if element.get("name").endswith("_t") and element.get("size-in-bits")
        }

    def type(self, identity):
        """A type in words that both languages have."""
        element = self.types[identity]
        if element.tag in ("typedef-decl", "qualified-type-def"):
            return self.type(element.get("type-id"))
        name = element.get("name")
        # Nullable pointers of Rust, to functions above all.
        if element.tag in POINTERS or element.tag == "class-decl" and name.startswith("Option<"):
            return "pointer"
        if element.tag == "array-type-def":
            return element.get("size-in-bits"), self.type(element.get("type-id"))
        return NUMBERS.get(name, name)

    def function(self, name):
        """What it returns, and its parameters."""
        types = [*self.functions[name].findall("return"), *self.functions[name].findall("parameter")]
        return [self.type(element.get("type-id")) for element in types]

    def struct(self, name):
        """Its size, and its fields with their places."""
        struct = self.structs[name]
        fields = [
            (member.get("layout-offset-in-bits"), field.get("name"), self.type(field.get("type-id")))
            for member in struct.findall("data-member") for field in member.iter("var-decl")
        ]
        return struct.get("size-in-bits"), fields


def described(header):
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        abi.write(scratch, header, abi.TABLE.read_text(), abi.exported(abi.LIBRARY))
        return Description(scratch / f"{abi.NAME}.abi")


class Layout(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.in_c = described(abi.HEADER.read_text())
        with tempfile.NamedTemporaryFile(suffix=".abi") as rust:
            subprocess.run(["abidw", "--out-file", rust.name, LIBRARY], check=True)
            cls.in_rust = Description(rust.name)

    def test_functions(self):
        self.assertGreater(len(self.in_c.functions), 200)
        for name in self.in_c.functions:
            with self.subTest(name):
                self.assertEqual(self.in_c.function(name), self.in_rust.function(name))

    def test_structs(self):
        self.assertGreater(len(self.in_c.structs), 20)
        for name in self.in_c.structs:
            with self.subTest(name):
                self.assertEqual(self.in_c.struct(name), self.in_rust.struct(name))

    def test_a_header_that_lies_is_found(self):
        header = abi.HEADER.read_text()
        lies = {"uint64_t timer_slack_ns;": "int64_t timer_slack_ns;",
                "int loop_call_soon(struct loop_t *loop,": "int loop_call_soon(uint32_t loop,"}
        for truth, lie in lies.items():
            self.assertEqual(header.count(truth), 1)
            header = header.replace(truth, lie)
        lying = described(header)
        different = [name for name in lying.structs if lying.struct(name) != self.in_rust.struct(name)]
        different += [name for name in lying.functions if lying.function(name) != self.in_rust.function(name)]
        self.assertEqual(different, ["loop_options_t", "loop_call_soon"])


if __name__ == "__main__":
    unittest.main()
