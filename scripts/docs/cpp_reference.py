"""The C++ reference: a page for each header below include/coloop."""

import os
import re

import cpp_scan
import doc_comment

# A table of the C functions, made of macros: only what is marked so is for users.
LOADED = "dynamic.h"
_LOADER = re.compile(r"^/\*((?:(?!\*/).)*)\*/\nCOLOOP_MODULE_FUNCTION ([^{]*) \{", re.S | re.M)


def headers(root):
    """The headers that have pages: paths below include/."""
    folder = root / "include"
    found = [path for path in folder.glob("coloop/**/*") if path.suffix in (".hpp", ".h")]
    return sorted(path.relative_to(folder).as_posix() for path in found)


def page_of(header):
    return header.removeprefix("coloop/").replace("/", "-").rpartition(".")[0] + ".md"


def _wrap(signature, limit=84):
    """A signature on lines of a readable length, broken behind commas and templates' heads."""
    lines = []
    if len(signature) > limit and (template := re.match(r"template <.*?> (?=[\w\[~])", signature)):
        lines.append(template[0].strip())
        signature = signature[template.end():]
    while len(signature) > limit:
        place = signature.rfind(", ", 0, limit)
        if place < 0:
            break
        lines.append(signature[:place + 1])
        signature = "    " + signature[place + 2:]
    return "\n".join([*lines, signature])


def _entries(declarations):
    """Overloads and what has no comment of its own under one head."""
    groups = []
    for item in declarations:
        together = groups and groups[-1][0].kind == item.kind == "function" and groups[-1][0].name == item.name
        if together:
            groups[-1].append(item)
        else:
            groups.append([item])
    return groups


def _describe(declarations, level, scope, text):
    lines, seen = [], {}
    for group in _entries(declarations):
        first = group[0]
        if first.kind == "note":
            lines += ["---", "", text(first.comment), ""]
            continue
        name = f"{scope}{first.name}"
        seen[name] = seen.get(name, 0) + 1
        lines += [f"{'#' * level} {doc_comment.escape(name)}", ""]
        ends = "" if first.kind == "macro" else ";"
        lines += ["```cpp", *(_wrap(item.signature) + ends for item in group), "```", ""]
        lines += [line for item in group if item.comment for line in (text(item.comment), "")]
        if first.members:
            lines += _describe(first.members, level + 1, f"{first.name}::", text)
    return lines


def page(root, header, links):
    """A header's page and its title."""
    source = (root / "include" / header).read_text()
    first, _, rest = re.match(r"((?:[ \t]*//[^\n]*\n)+|/\*.*?\*/\n)(\s*)(.*)", source, re.S).groups()
    about = re.sub(r"^SPDX-License-Identifier: .*\n+", "", doc_comment.strip(first)).strip()
    file = page_of(header)

    def text(comment):
        return doc_comment.markdown(doc_comment.strip(comment), links, file)

    title = header.removeprefix("coloop/")
    if title == LOADED:
        declarations = [
            cpp_scan.Declaration("function", re.search(r"(\w+)\(", head)[1], head, f"/*{comment}*/")
            for comment, head in _LOADER.findall(rest)
        ]
    else:
        declarations = [item for item in cpp_scan.scan(rest) if item.kind != "note"]
        if header.endswith(".h"):
            # C has nothing like `private`: what is for users has a comment that begins with two stars.
            declarations = [item for item in declarations if item.comment.startswith("/**")]
            for item in declarations:
                is_opaque = re.search(r"\bopaque\b", item.comment, re.I)
                item.members = [member for member in item.members if member.comment and not is_opaque]
    lines = [f"# {title}", "", "```cpp", f"#include <{header}>", "```", "", doc_comment.markdown(about, links, file), ""]
    return "\n".join(lines + _describe(declarations, 2, "", text)), declarations


def write(root, folder, c_names):
    """Writes a page for each header into `folder`; returns [(file, title)]. `c_names`: where
    the C reference has its names, relative to `folder`."""
    listed = headers(root)
    folder.mkdir(parents=True, exist_ok=True)
    links = {**c_names, **{os.path.basename(header): page_of(header) + "#" for header in listed}}
    entries, names = [], []
    for header in listed:
        text, declarations = page(root, header, links)
        (folder / page_of(header)).write_text(text)
        entries.append((page_of(header), header.removeprefix("coloop/")))
        classes = ", ".join(f"`{item.name}`" for item in declarations if item.kind == "class")
        names.append(f"| [{header}]({page_of(header)}) | {classes or '-'} |")
    about = ["# C++ reference", "",
             "Made from the headers below `include/coloop`, whose comments these are. `coloop.hpp` includes all "
             "that C++17 needs. Names stand in namespace `coloop`; what is in `coloop::detail` is nobody's business.", "",
             "`Sink &...sink` at the end of a function's parameters is the place of an optional `std::error_code`: "
             "with it errors are stored there, without it they are thrown.", "",
             "| header | classes |", "|---|---|", *names, ""]
    (folder / "index.md").write_text("\n".join(about))
    return entries
