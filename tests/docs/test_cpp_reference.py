"""The C++ reference has what a compiler finds in the headers: no more and no less."""

import json
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts/docs"))

import cpp_reference  # noqa: E402
import cpp_scan  # noqa: E402

TEMPLATES = {"ClassTemplateDecl", "FunctionTemplateDecl", "TypeAliasTemplateDecl", "VarTemplateDecl"}
TYPES = {"CXXRecordDecl", "ClassTemplatePartialSpecializationDecl", "ClassTemplateSpecializationDecl"}
OTHERS = {"FunctionDecl", "CXXMethodDecl", "CXXConstructorDecl", "CXXConversionDecl", "TypeAliasDecl", "VarDecl",
          "FieldDecl", "EnumDecl", "ConceptDecl"}


def syntax_trees(headers):
    """clang's trees of namespace coloop."""
    program = "".join(f"#include <{header}>\n" for header in headers)
    tree = subprocess.run(
        ["clang++", "-std=c++20", "-fsyntax-only", "-Xclang", "-ast-dump=json", "-Xclang", "-ast-dump-filter=coloop",
         f"-I{ROOT}/include", "-x", "c++", "-"],
        input=program, capture_output=True, text=True, check=True, timeout=300,
    ).stdout
    decoder, place = json.JSONDecoder(), 0
    while (place := tree.find("{", place)) >= 0:
        node, place = decoder.raw_decode(tree, place)
        if node["kind"] == "NamespaceDecl":
            yield node


def declared(node, prefix=""):
    """The names of what a declaration gives to users."""
    kind, name = node["kind"], node.get("name", "")
    if node.get("isImplicit") or node.get("explicitlyDeleted"):
        return
    if kind == "NamespaceDecl" and name != "detail":
        for inner in node.get("inner", []):
            # A method that is defined outside of its class has been seen in it.
            if "parentDeclContextId" not in inner:
                yield from declared(inner)
    elif kind in TEMPLATES:
        inner = [part for part in node.get("inner", []) if part["kind"] in TYPES | OTHERS]
        if inner:
            yield from declared(inner[0], prefix)
    elif kind in TYPES and node.get("completeDefinition"):
        yield prefix + name
        access = "private" if node.get("tagUsed") == "class" else "public"
        for inner in node.get("inner", []):
            if inner["kind"] == "AccessSpecDecl":
                access = inner["access"]
            elif access == "public":
                yield from declared(inner, f"{name}::")
    elif kind in OTHERS:
        yield prefix + name


def described(declarations, prefix=""):
    """The names of what the reference describes."""
    for item in declarations:
        if item.kind == "class":
            name = re.sub(r"<.*", "", item.name)
            yield prefix + name
            yield from described(item.members, f"{name}::")
        elif item.kind not in ("note", "macro") and "::" not in item.name and not item.name.startswith("~"):
            yield prefix + item.name


def plain(names):
    """Constructors of templates are called X<T> by clang."""
    return {name if "operator" in name else re.sub(r"<.*?>", "", name) for name in names}


class Reference(unittest.TestCase):
    def test_it_has_what_the_compiler_finds(self):
        headers = [header for header in cpp_reference.headers(ROOT) if header.endswith(".hpp")]
        there = plain(name for node in syntax_trees(headers) for name in declared(node))
        told = plain(name for header in headers
                     for name in described(cpp_scan.scan((ROOT / "include" / header).read_text())))
        self.assertGreater(len(there), 300)
        self.assertEqual(there - told, set())
        self.assertEqual(told - there, set())


if __name__ == "__main__":
    unittest.main()
