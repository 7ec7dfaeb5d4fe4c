"""The Python reference: signatures from the stubs, words from the docstrings."""

import ast
import importlib
import inspect

import doc_comment

STUBS = {"coloop": "__init__.pyi", "coloop._coloop": "_coloop.pyi"}


def _public(name):
    return not name.startswith("_") or name in ("__init__", "__version__")


def _signature(node, owner):
    """A def of a stub as one would write the call."""
    node.args.args = [arg for arg in node.args.args if arg.arg != "self"]
    arguments = ast.unparse(node.args)
    if any(ast.unparse(decorator) == "property" for decorator in node.decorator_list):
        return f"{owner}.{node.name}: {ast.unparse(node.returns)}"
    name = owner if node.name == "__init__" else f"{owner}.{node.name}"
    returns = "" if node.name == "__init__" else f" -> {ast.unparse(node.returns)}"
    text = f"{name}({arguments}){returns}"
    if len(text) > 90:
        text = f"{name}(\n    " + arguments.replace(", *", ",\n    *").replace(", context", ",\n    context") + f"\n){returns}"
    return text


def _entry(heading, signature, text, level):
    return [f"{'#' * level} {heading}", "", "```python", signature, "```", "", doc_comment.markdown(text, {}), ""]


def _doc(thing, name):
    text = inspect.getdoc(thing)
    if not text:
        raise LookupError(f"{name} has no docstring")
    return text


def _members(node, thing, owner, seen):
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and _public(item.name) and item.name not in seen and item.name != "__init__":
            seen.add(item.name)
            yield _entry(f"{owner}.{item.name}", _signature(item, owner),
                         _doc(inspect.getattr_static(thing, item.name), f"{owner}.{item.name}"), 3)


def write(root, path):
    """Writes the page. What the stubs name must be in the package, with a docstring."""
    package = root / "bindings/python/coloop"
    trees = {module: ast.parse((package / file).read_text()) for module, file in STUBS.items()}
    classes = {node.name: node for node in trees["coloop._coloop"].body if isinstance(node, ast.ClassDef)}
    coloop = importlib.import_module("coloop")
    native = importlib.import_module("coloop._coloop")
    lines = ["# Python reference", "",
             "Made from the package's stubs and docstrings. [From Python](../python.md) explains and shows them.", "",
             "What an `EventLoop` has beside this is that of `asyncio.SelectorEventLoop`, in the words of Python's own "
             "documentation.", ""]
    functions, loops = ["## Functions", ""], []
    for node in trees["coloop"].body:
        if isinstance(node, ast.FunctionDef) and _public(node.name):
            name = f"coloop.{node.name}"
            functions += _entry(name, _signature(node, "coloop"), _doc(getattr(coloop, node.name), name), 3)
        elif isinstance(node, ast.ClassDef):
            thing, seen = getattr(coloop, node.name), set()
            made = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
            signature = _signature(made[0], f"coloop.{node.name}") if made else f"class coloop.{node.name}"
            loops += _entry(f"coloop.{node.name}", signature, _doc(thing, node.name), 2)
            for base in node.bases:
                native_name = ast.unparse(base).removeprefix("_coloop.")
                if native_name in classes:
                    for entry in _members(classes[native_name], getattr(native, native_name), node.name, seen):
                        loops += entry
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines + functions + loops))
