"""scripts/abi.py on copies of the headers that were changed: what breaks is found,
what is compatible passes."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "scripts"))
import abi  # noqa: E402

HEADER = abi.HEADER.read_text()
TABLE = abi.TABLE.read_text()
SYMBOLS = abi.exported(abi.LIBRARY)
CALL_SOON = "int loop_call_soon(struct loop_t *loop,"


before = pathlib.Path()


def setUpModule():
    global before
    before = pathlib.Path(unittest.enterModuleContext(tempfile.TemporaryDirectory()))
    abi.write(before, HEADER, TABLE, SYMBOLS)


class Copies(unittest.TestCase):
    def check(self, *changes, symbols=SYMBOLS):
        """(what breaks, what was added) by replacing texts in the headers."""
        header, table = HEADER, TABLE
        for old, new in changes:
            self.assertEqual((header + table).count(old), 1, f"not there once: {old}")
            header, table = header.replace(old, new), table.replace(old, new)
        return abi.check(before, header, table, symbols)

    def breaks(self, *changes, says, symbols=SYMBOLS):
        breaks, added = self.check(*changes, symbols=symbols)
        self.assertIn(says, breaks)
        self.assertEqual(added, "")

    def grows(self, *changes, says, symbols=SYMBOLS):
        breaks, added = self.check(*changes, symbols=symbols)
        self.assertEqual(breaks, "")
        self.assertIn(says, added)


class TheRecord(Copies):
    def test_it_is_the_same_each_time(self):
        with tempfile.TemporaryDirectory() as again:
            again = pathlib.Path(again)
            abi.write(again, HEADER, TABLE, SYMBOLS)
            for file in before.iterdir():
                self.assertEqual(file.read_bytes(), (again / file.name).read_bytes())

    def test_it_names_no_directories(self):
        for file in abi.RECORD.iterdir():
            self.assertNotRegex(file.read_text(), r"/(tmp|home|root|usr)\b", file.name)

    def test_comments_and_names_of_parameters_are_no_abi(self):
        changed = (CALL_SOON, "/** Another comment. */\nint loop_call_soon(struct loop_t *the_loop,")
        self.assertEqual(self.check(changed), ("", ""))


class Breaks(Copies):
    def test_a_function_that_the_header_lost(self):
        start = HEADER.index("uint32_t coloop_version_number(void);")
        function = HEADER[start:HEADER.index(";", start) + 1]
        self.breaks((function, ""), says="coloop_version_number")

    def test_a_function_that_the_library_lost(self):
        symbols = {name: version for name, version in SYMBOLS.items() if name != "loop_call_soon"}
        self.breaks(symbols=symbols, says="loop_call_soon")

    def test_another_version_of_a_symbol(self):
        self.breaks(symbols={**SYMBOLS, "loop_call_soon": "COLOOP_1"}, says="loop_call_soon")

    def test_the_type_of_a_parameter(self):
        changed = "int loop_call_soon(uint32_t loop,"
        self.breaks((CALL_SOON, changed), says="parameter 1 of type 'loop_t*' changed")

    def test_another_parameter(self):
        self.breaks((CALL_SOON, CALL_SOON + " int priority,"), says="loop_call_soon")

    def test_what_a_function_returns(self):
        self.breaks((CALL_SOON, CALL_SOON.replace("int ", "int64_t ", 1)), says="return type changed")

    def test_a_signed_number_that_becomes_unsigned(self):
        self.breaks((CALL_SOON, f"unsigned {CALL_SOON}"), says="return type changed")

    def test_the_parameters_of_a_callback(self):
        changed = ("typedef void (*loop_callback_t)(void *user_data);",
                   "typedef void (*loop_callback_t)(void *user_data, int code);")
        self.breaks(changed, says="loop_callback_t")

    def test_the_type_of_a_field(self):
        self.breaks(("uint64_t timer_slack_ns;", "uint32_t timer_slack_ns;"), says="timer_slack_ns")

    def test_a_field_in_the_middle(self):
        self.breaks(
            ("uint64_t timer_slack_ns;", "uint64_t timer_slack_ns; uint64_t other;"), says="loop_options_t",
        )

    def test_a_field_that_is_gone(self):
        self.breaks(("uint64_t timer_slack_ns;", ""), says="timer_slack_ns")

    def test_growth_of_a_struct_without_its_size(self):
        self.breaks(("} loop_iovec_t;", "int flags; } loop_iovec_t;"), says="loop_iovec_t")

    def test_the_order_of_the_function_table(self):
        field = "int (*loop_stop)(loop_t *);"
        self.breaks((field, ""), ("int (*loop_wakeup)(loop_t *);", f"int (*loop_wakeup)(loop_t *); {field}"),
                    says="coloop_capi_t")

    def test_constants(self):
        constant = "#define LOOP_BACKEND_EPOLL 1"
        self.breaks((constant, "#define LOOP_BACKEND_EPOLL 9"), says="LOOP_BACKEND_EPOLL was 1 and is 9")
        self.breaks((constant, ""), says="LOOP_BACKEND_EPOLL was 1 and is gone")


class Compatible(Copies):
    def test_a_new_function(self):
        self.grows(
            (CALL_SOON, f"int loop_new_one(struct loop_t *loop);\n{CALL_SOON}"),
            symbols={**SYMBOLS, "loop_new_one": "COLOOP_0"}, says="loop_new_one",
        )

    def test_a_new_constant(self):
        self.grows(("#define LOOP_BACKEND_EPOLL 1", "#define LOOP_BACKEND_EPOLL 1\n#define LOOP_NEW 7"),
                   says="LOOP_NEW")

    def test_growth_of_a_struct_with_its_size(self):
        self.grows(("} loop_options_t;", "uint64_t more; } loop_options_t;"), says="loop_options_t has more fields")

    def test_growth_of_the_function_table(self):
        self.grows(("} coloop_capi_t;", "int (*more)(void); } coloop_capi_t;"), says="coloop_capi_t")


if __name__ == "__main__":
    unittest.main()
