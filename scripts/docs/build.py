#!/usr/bin/env python3
"""Builds the documentation: build.py [--mdbook PROGRAM]

Puts the pages that docs/SUMMARY.md lists, the references and the plots together in
target/docs/src, and with --mdbook makes target/docs/site of them.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import c_reference
import cpp_reference
import pages
import plots
import python_reference
import sources

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
OUT = ROOT / "target/docs"


def references(out):
    """Writes the references. Their part of the summary, and where names are."""
    lines, names = [], {}
    found, links = c_reference.write(ROOT, out / "reference/c")
    lines.append("- [C reference](reference/c/index.md)")
    lines += [f"  - [{title}](reference/c/{file})" for file, title in found]
    names |= {name: f"reference/c/{target}" for name, target in links.items()}
    found = cpp_reference.write(ROOT, out / "reference/cpp", {name: f"../c/{target}" for name, target in links.items()})
    lines.append("- [C++ reference](reference/cpp/index.md)")
    lines += [f"  - [{title}](reference/cpp/{file})" for file, title in found]
    python_reference.write(ROOT, out / "reference/python.md")
    lines.append("- [Python reference](reference/python.md)")
    return lines, names


def assemble(out):
    """Writes the book's sources into `out`."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    listed = pages.summary_pages(ROOT)
    reference_lines, names = references(out)
    shown = {}
    headers = cpp_reference.headers(ROOT)

    def where(path):
        if path in listed:
            return pages.site_path(path)
        if path == "include/coloop.h":
            return "reference/c/index.md"
        if path in ("include/coloop", "include/coloop.hpp"):
            return "reference/cpp/index.md"
        if path.removeprefix("include/") in headers:
            return f"reference/cpp/{cpp_reference.page_of(path.removeprefix('include/'))}"
        return shown.setdefault(path, sources.site_path(ROOT, path))

    for page in listed:
        text = (ROOT / page).read_text()
        if page == "docs/performance.md":
            text = plots.insert(text)
        text = pages.tabs(pages.pictures(page, text, lambda path: (ROOT / path).read_text()))
        text = link_names(page, pages.rewrite_links(page, text, where), names)
        path = out / pages.site_path(page)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    summary = (ROOT / "docs/SUMMARY.md").read_text()
    summary = pages.ENTRY.sub(lambda match: f"{match[1]}[{match[2]}]({where(pages.resolve('docs/SUMMARY.md', match[3])[0])})",
                        summary)
    summary = summary.replace("<!-- references -->", "\n".join(reference_lines))
    summary = summary.replace("<!-- sources -->", "\n".join(sources.write(ROOT, out, shown)))
    (out / "SUMMARY.md").write_text(summary)


def link_names(page, text, names):
    """Names of functions and types in running text lead to the reference."""
    folder = os.path.dirname(pages.site_path(page)) or "."

    def change(part):
        def one(match):
            target = names.get(match[1])
            return f"[`{match[1]}`]({os.path.relpath(target, folder)})" if target else match[0]
        return re.sub(r"(?<!\[)`(\w+)(?:\(\))?`(?!\])", one, part)

    return pages.outside_fences(text, change)


def main(arguments):
    assemble(OUT / "src")
    if arguments[:1] == ["--mdbook"]:
        subprocess.run([arguments[1], "build", "--dest-dir", str(OUT / "site"), str(ROOT)], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
