"""What the site is made of, without mdBook: the pages as scripts/docs/build.py puts them together."""

import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "scripts/docs")]

import build  # noqa: E402
import c_header  # noqa: E402
import pages  # noqa: E402
import plots  # noqa: E402


class Site(unittest.TestCase):
    """The assembled pages."""

    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.out = pathlib.Path(scratch.name)
        build.assemble(cls.out)
        cls.texts = {path.relative_to(cls.out).as_posix(): path.read_text() for path in cls.out.rglob("*.md")}

    def test_every_link_and_anchor_of_the_site_leads_somewhere(self):
        anchors = {page: pages.headings(text) for page, text in self.texts.items()}
        links = 0
        for page, text in self.texts.items():
            for target in pages.links_of(text):
                if re.match(r"\w+:", target):
                    continue
                links += 1
                path, anchor = pages.resolve(page, target)
                with self.subTest(page=page, target=target):
                    self.assertIn(path, self.texts)
                    if anchor:
                        self.assertIn(anchor, anchors[path])
        self.assertGreater(links, 1000)

    def test_every_page_stands_in_the_summary_once(self):
        listed = [target for target in pages.links_of(self.texts["SUMMARY.md"])]
        self.assertEqual(sorted(listed), sorted(set(listed)))
        self.assertEqual(set(listed), set(self.texts) - {"SUMMARY.md"})
        self.assertNotIn("<!--", self.texts["SUMMARY.md"])

    def test_the_reference_describes_every_name_of_the_header_once(self):
        header = c_header.read((ROOT / "include/coloop.h").read_text())
        reference = "".join(text for page, text in self.texts.items() if page.startswith("reference/c/"))
        described = re.findall(r"^### (\w+)$", reference, re.M) + re.findall(r'<a id="(\w+)"></a>', reference)
        names = [function.name for function in header.functions] + header.opaque + list(header.structs)
        names += [alias.name for alias in header.aliases] + list(header.constants)
        self.assertEqual(sorted(described), sorted(names))

    def test_the_reference_has_the_headers_declarations_and_words(self):
        header = c_header.read((ROOT / "include/coloop.h").read_text())
        for page, text in self.texts.items():
            if page.startswith("reference/c/"):
                self.assertNotRegex(text, r"/\*\*|\*/", page)
        reference = "".join(text for page, text in self.texts.items() if page.startswith("reference/c/"))
        for block in re.finditer(r"^### (\w+)\n\n```c\n(.*?)\n```\n\n(.+)$", reference, re.M | re.S):
            self.assertIn(block[1], block[2])
        shown = [" ".join(code.split()) for code in re.findall(r"^```c\n(.*?)^```$", reference, re.M | re.S)]
        functions = [line for line in header.lines if re.match(r"[^#]*\w+\(.*\);$", line) and "typedef" not in line]
        self.assertEqual(len(functions), len(header.functions))
        for line in functions:
            self.assertEqual(shown.count(line), 1, line)

    def test_the_reference_describes_the_classes_of_every_header_of_cpp(self):
        found = 0
        for header in (ROOT / "include/coloop").rglob("*.hpp"):
            name = header.relative_to(ROOT / "include/coloop").as_posix().replace("/", "-").removesuffix(".hpp")
            text = self.texts[f"reference/cpp/{name}.md"].replace("\\", "")
            source = re.sub(r"^namespace (coloop::)?detail \{$.*?^\} // namespace (coloop::)?detail$", "", header.read_text(),
                            flags=re.M | re.S)
            source = re.sub(r"^#if[^\n]*\n|^template <.*>\n", "", source, flags=re.M)
            for match in re.finditer(r"^(?:template <.*> )?(?:class|struct) (?:COLOOP_\w+ )?(\w+)[^;(]*\{$", source, re.M):
                found += 1
                self.assertRegex(text, rf"(?m)^## {match[1]}(<.*)?$", header.name)
        self.assertGreater(found, 5)
        members = self.texts["reference/cpp/loop.md"].replace("\\", "")
        self.assertEqual(len(re.findall(r"^### loop_view::call_soon$", members, re.M)), 1)
        self.assertNotIn("detail::guarded", "".join(self.texts.values()))

    def test_the_reference_describes_what_python_code_may_use(self):
        stubs = ROOT / "bindings/python/coloop"
        names = set(re.findall(r"^(?:class|def) ([a-zA-Z]\w*)", (stubs / "__init__.pyi").read_text(), re.M))
        loop = re.search(r"^class Loop:\n(.*?)^@final", (stubs / "_coloop.pyi").read_text(), re.M | re.S)[1]
        expected = {f"coloop.{name}" for name in names}
        expected |= {f"EventLoop.{name}" for name in re.findall(r"^    def (\w+)", loop, re.M)}
        told = re.findall(r"^#{2,3} ([\w.]+)$", self.texts["reference/python.md"], re.M)
        self.assertGreater(len(expected), 20)
        self.assertEqual(sorted(told), sorted(expected | {"Functions"}))

    def test_plots_show_the_numbers_of_the_tables(self):
        source = (ROOT / "docs/performance.md").read_text()
        tables = [rows for _, rows in plots.tables(source)]
        drawn = re.findall(r'<svg[^>]*class="plot".*?</svg>', self.texts["performance.md"], re.S)
        self.assertEqual(len(drawn), len(tables))
        self.assertGreaterEqual(len(drawn), 4)
        for picture, rows in zip(drawn, tables):
            bars = re.findall(r'data-row="([^"]+)" data-ratio="([^"]+)" data-peer="([^"]+)">.*?class="(less|more|equal)" '
                              r'x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', picture)
            self.assertEqual([bar[:3] for bar in bars], rows)
            one = float(re.search(r'class="one" x1="([\d.]+)"', picture)[1])
            # The same length for the same factor, to both sides of 1.
            scale = {round(float(width) / abs(math.log2(float(ratio))))
                     for _, ratio, _, _, _, width in bars if abs(math.log2(max(float(ratio), 0.005))) > 0.5}
            self.assertLessEqual(max(scale) - min(scale), 1)
            for name, ratio, _, kind, x, width in bars:
                self.assertEqual(kind, "less" if float(ratio) < 1 else "more" if float(ratio) > 1 else "equal", name)
                edge = float(x) + float(width) if kind == "less" else float(x)
                self.assertAlmostEqual(edge, one, delta=1.1, msg=name)

    def test_tabs_have_a_panel_for_each_language(self):
        tutorial = self.texts["tutorial.md"]
        marked = (ROOT / "docs/tutorial.md").read_text().count("<!-- tabs -->")
        self.assertGreaterEqual(marked, 5)
        for language in pages.LANGUAGES:
            self.assertEqual(tutorial.count(f'<div class="panel panel-{language}">'), marked)
            self.assertEqual(tutorial.count(f'id="language-{language}"'), 1)


class Repository(unittest.TestCase):
    """The same pages as a viewer of the repository shows them."""

    def test_every_link_and_anchor_leads_somewhere(self):
        for page in ["docs/SUMMARY.md", *pages.summary_pages(ROOT)]:
            for target in pages.links_of((ROOT / page).read_text()):
                if re.match(r"\w+:", target):
                    continue
                path, anchor = pages.resolve(page, target)
                with self.subTest(page=page, target=target):
                    self.assertTrue((ROOT / path).exists())
                    if anchor and path.endswith(".md"):
                        self.assertIn(anchor, pages.headings((ROOT / path).read_text()))

    def test_every_page_of_docs_stands_in_the_summary(self):
        folder = ROOT / "docs"
        there = {path.relative_to(ROOT).as_posix() for path in folder.rglob("*.md")} - {"docs/SUMMARY.md"}
        self.assertEqual({page for page in pages.summary_pages(ROOT) if page.startswith("docs/")}, there)

    def test_pieces_of_programs_stand_in_the_programs(self):
        programs = {line.strip() for path in (ROOT / "examples/adapters").glob("*.c") for line in path.read_text().splitlines()}
        pieces = re.findall(r"^    (\S.*)$|^     +(\S.*)$", (ROOT / "docs/adapters.md").read_text(), re.M)
        code = [(first or rest).strip() for first, rest in pieces]
        self.assertGreater(len(code), 10)
        for line in code:
            self.assertIn(line, programs)

    def test_pictures_are_there_and_need_nothing_from_elsewhere(self):
        for picture in (ROOT / "docs").rglob("*.svg"):
            self.assertNotRegex(picture.read_text(), r"(href|src)=\"https?:|@import|<script")


class Samples(unittest.TestCase):
    """The runner of the programs in the documents."""

    def run_document(self, text):
        with tempfile.TemporaryDirectory() as scratch:
            document = pathlib.Path(scratch, "page.md")
            document.write_text(text)
            return subprocess.run([sys.executable, str(ROOT / "tests/samples.py"), os.environ["COLOOP_LIBRARIES"],
                                   str(document)], capture_output=True, text=True, timeout=120)

    def test_output_is_compared(self):
        right = '```python\nprint("a")\n```\n\n```text\na\n```\n'
        self.assertEqual(self.run_document(right).returncode, 0)
        wrong = self.run_document(right.replace("\na\n", "\nb\n"))
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("page.md:1", wrong.stdout)

    def test_every_program_of_tabs_is_compared_with_the_output_after_them(self):
        tabs = ('<!-- tabs -->\n\n```python\nprint("a")\n```\n\n```sh\necho b\n```\n\n<!-- end tabs -->\n\n'
                "```text\na\n```\n")
        result = self.run_document(tabs)
        self.assertIn("1 of 2 programs", result.stdout)
        self.assertIn("page.md:7", result.stdout)

    def test_what_does_not_compile_and_what_fails_is_told(self):
        for program in ("```c\nint main(void) { int unused; }\n```", "```cpp\nint main() { return 3; }\n```",
                        "```sh\nfalse\ntrue\n```", "```python\nassert False\n```"):
            self.assertEqual(self.run_document(program + "\n").returncode, 1, program)

    def test_a_document_without_programs_alone_is_no_success(self):
        self.assertEqual(self.run_document("nothing\n").returncode, 1)


if __name__ == "__main__":
    unittest.main()
