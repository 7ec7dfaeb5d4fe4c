"""The C reference: a page for each file of src/ffi, made from include/coloop.h."""

import re
from dataclasses import dataclass, field

import doc_comment

TITLES = {"types": "Common types"}


@dataclass
class Entry:
    """Something of the header with its comment: kind is function, struct, opaque, type or constant."""

    kind: str
    name: str
    comment: str
    declaration: str
    # Of a struct: name, declaration and comment of each field.
    fields: list = field(default_factory=list)


_COMMENTED = re.compile(
    r"^/\*\*\n(?P<comment>.*?)\*/\n"
    r"(?P<declaration>#define [^\n]*|typedef struct (?P<struct>\w+) \{.*?^\} (?P=struct);|[^#/][^;]*;)",
    re.S | re.M,
)
_FIELD = re.compile(r"^    /\*\*\n(?P<comment>.*?)\*/\n(?P<declaration>[^/]*?;)", re.S | re.M)


def entries(header):
    """Everything that the header declares, in its order."""
    for match in _COMMENTED.finditer(header):
        declaration, comment = match["declaration"], doc_comment.strip("/**\n" + match["comment"] + "*/")
        if declaration.startswith("#define"):
            yield Entry("constant", declaration.split()[1], comment, declaration)
        elif match["struct"]:
            fields = [
                (_name(inner["declaration"]), inner["declaration"], doc_comment.strip("/**\n" + inner["comment"] + "*/"))
                for inner in _FIELD.finditer(declaration)
            ]
            bare = re.sub(r"^    /\*\*\n.*?\*/\n", "", declaration, flags=re.S | re.M)
            yield Entry("struct", match["struct"], comment, bare, fields)
        elif opaque := re.match(r"typedef struct (\w+) \1;", declaration):
            yield Entry("opaque", opaque[1], comment, declaration)
        elif declaration.startswith("typedef"):
            yield Entry("type", _name(declaration), comment, declaration)
        else:
            yield Entry("function", re.search(r"(\w+)\(", declaration)[1], comment, declaration)


def _name(declaration):
    pointer = re.search(r"\(\*(\w+)\)", declaration)
    return pointer[1] if pointer else re.search(r"(\w+)(\[\d+\])?;$", declaration)[1]


def pages(root):
    """(file, title) of each page, in the order of src/ffi/mod.rs, and the entries of each."""
    header = (root / "include/coloop.h").read_text()
    modules = re.findall(r"^pub mod (\w+);", (root / "src/ffi/mod.rs").read_text(), re.M)
    home, titles = {}, {}
    for module in [*modules, "error"]:
        source = (root / f"src/ffi/{module}.rs").read_text()
        title = re.match(r"//! (.*?)[.,:]( |$)", source, re.M)[1]
        titles[module] = TITLES.get(module, title[0].upper() + title[1:])
        for name in re.findall(r"\b(?:fn|struct|type|const|enum) (\w+)", source):
            home.setdefault(name, module)
    grouped = {module: [] for module in titles}
    for entry in entries(header):
        if entry.name not in home:
            raise LookupError(f"{entry.name} of include/coloop.h is in no file of src/ffi")
        grouped[home[entry.name]].append(entry)
    return [(f"{module}.md", titles[module], found) for module, found in grouped.items() if found]


def links(book):
    """Where each name is described."""
    return {entry.name: f"{file}#{entry.name}" for file, _, found in book for entry in found}


def page(file, title, found, names):
    """The text of one page."""
    def text(comment):
        return doc_comment.markdown(comment, names, file)

    def cell(comment):
        return " ".join(text(comment).split())

    lines = [f"# {title}", ""]
    functions = [entry for entry in found if entry.kind == "function"]
    if functions:
        lines += [" · ".join(f"[`{entry.name}`](#{entry.name})" for entry in functions), ""]
    constants = [entry for entry in found if entry.kind == "constant"]
    if constants:
        lines += ["## Constants", "", "| name | value | what |", "|---|---|---|"]
        for entry in constants:
            value = entry.declaration.split()[2]
            lines.append(f'| <a id="{entry.name}"></a>`{entry.name}` | {value} | {cell(entry.comment)} |')
        lines.append("")
    types = [entry for entry in found if entry.kind not in ("constant", "function")]
    for heading, group in (("Types", types), ("Functions", functions)):
        if not group:
            continue
        lines += [f"## {heading}", ""]
        for entry in group:
            lines += [f"### {entry.name}", "", "```c", entry.declaration, "```", "", text(entry.comment), ""]
            if entry.fields:
                lines += ["| field | what |", "|---|---|"]
                lines += [f"| `{name}` | {cell(comment)} |" for name, _, comment in entry.fields]
                lines.append("")
    return "\n".join(lines)


def index(root, book):
    """The first page: conventions, pages, every name."""
    header = (root / "include/coloop.h").read_text()
    conventions = re.search(r"^ \* Conventions\n(.*?)\*/", header, re.S | re.M)[1]
    lines = ["# C reference", "", "Made from `include/coloop.h`, whose comments these are.", "", "## Conventions", ""]
    names = links(book)
    for item in re.findall(r"^ \*   (\S.*?)(?=^ \*   \S|\Z)", conventions, re.S | re.M):
        head, text = re.match(r"(User data|\w+)\s+(.*)", item, re.S).groups()
        text = " ".join(re.sub(r"^ \* *", "", text, flags=re.M).split())
        lines.append(f"- **{head}.** {doc_comment.inline(text, names)}")
    lines += ["", "## Pages", "", "| page | functions |", "|---|---|"]
    for file, title, found in book:
        functions = ", ".join(f"[`{entry.name}`]({file}#{entry.name})" for entry in found if entry.kind == "function")
        lines.append(f"| [{title}]({file}) | {functions or '-'} |")
    lines += ["", "## By asyncio name", "", "| asyncio | C |", "|---|---|"]
    for asyncio_name, functions in sorted(by_asyncio_name(book).items()):
        lines.append(f"| `{asyncio_name}` | {', '.join(f'[`{name}`]({names[name]})' for name in functions)} |")
    return "\n".join(lines) + "\n"


def by_asyncio_name(book):
    """The functions that say "asyncio: name()" of themselves."""
    found = {}
    for _, _, group in book:
        for entry in group:
            said = re.search(r"\basyncio: (.*)", " ".join(entry.comment.split()))
            for name in re.findall(r"[A-Za-z_][\w.]*(?=\()", said[1]) if said and entry.kind == "function" else ():
                found.setdefault(name.removeprefix("asyncio."), []).append(entry.name)
    return found


def write(root, folder):
    """Writes the pages into `folder`; returns [(file, title)] and where each name is."""
    folder.mkdir(parents=True, exist_ok=True)
    book = pages(root)
    names = links(book)
    (folder / "index.md").write_text(index(root, book))
    for file, title, found in book:
        (folder / file).write_text(page(file, title, found, names))
    return [(file, title) for file, title, _ in book], names
