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


def _groups(body):
    """The functions of a scope, overloads together, each group with its name."""
    groups = {}
    for item in body:
        if isinstance(item, ast.FunctionDef) and _public(item.name) and item.name != "__init__":
            groups.setdefault(item.name, []).append(item)
    return groups.items()


def _functions(body, thing, owner, level, seen):
    """An entry for each function of a scope that is not in `seen`."""
    lines = []
    for name, group in _groups(body):
        if name not in seen:
            seen.add(name)
            signatures = "\n".join(_signature(item, owner) for item in group)
            lines += _entry(f"{owner}.{name}", signatures, _doc(inspect.getattr_static(thing, name), f"{owner}.{name}"), level)
    return lines


def _class(node, thing, natives, native):
    """A class: how it is made, its attributes, its methods, and those of its native half."""
    made = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
    head = [_signature(made[0], f"coloop.{node.name}") if made else f"class coloop.{node.name}"]
    head += [f"{node.name}.{ast.unparse(item)}" for item in node.body if isinstance(item, ast.AnnAssign)]
    lines, seen = _entry(f"coloop.{node.name}", "\n".join(head), _doc(thing, node.name), 2), set()
    lines += _functions(node.body, thing, node.name, 3, seen)
    for base in node.bases:
        name = ast.unparse(base).removeprefix("_coloop.")
        if name in natives:
            lines += _functions(natives[name].body, getattr(native, name), node.name, 3, seen)
    return lines


def write(root, path):
    """Writes the page. What the stubs name must be in the package, with a docstring."""
    package = root / "bindings/python/coloop"
    trees = {module: ast.parse((package / file).read_text()) for module, file in STUBS.items()}
    natives = {node.name: node for node in trees["coloop._coloop"].body if isinstance(node, ast.ClassDef)}
    coloop = importlib.import_module("coloop")
    native = importlib.import_module("coloop._coloop")
    lines = ["# Python reference", "",
             "Made from the package's stubs and docstrings. [From Python](../python.md) explains and shows them.", "",
             "What an `EventLoop` has beside this is that of `asyncio.SelectorEventLoop`, in the words of Python's own "
             "documentation.", "", "## Functions", ""]
    lines += _functions(trees["coloop"].body, coloop, "coloop", 3, set())
    for node in trees["coloop"].body:
        if isinstance(node, ast.ClassDef) and _public(node.name):
            lines += _class(node, getattr(coloop, node.name), natives, native)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))
