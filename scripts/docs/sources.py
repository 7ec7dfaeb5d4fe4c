"""Files of the repository that pages lead to and that are no pages: shown as they are."""

import subprocess

LANGUAGES = {".c": "c", ".h": "c", ".cpp": "cpp", ".hpp": "cpp", ".py": "python", ".sh": "sh", ".rb": "ruby",
             ".lua": "lua", ".js": "javascript", ".mjs": "javascript", ".rs": "rust"}


def site_path(root, path):
    if not (root / path).exists():
        raise LookupError(f"a page leads to {path}, which is not there")
    return f"source/{path}.md"


def _everything(root, path):
    """The file, or the files in the folder, without what was built there."""
    if (root / path).is_file():
        return [root / path]
    git = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", path],
                         cwd=root, capture_output=True, text=True)
    if git.returncode == 0:
        return sorted(file for name in git.stdout.split("\0") if name and (file := root / name).is_file())
    return sorted(file for file in (root / path).rglob("*") if file.is_file())


def write(root, out, shown):
    """Writes a page for each path in `shown`; their lines of the summary."""
    lines = []
    for path, target in sorted(shown.items()):
        text = [f"# {path}", ""]
        everything = _everything(root, path)
        files = [file for file in everything
                 if len(everything) == 1 or file.suffix in LANGUAGES or file.name == "README.md"]
        others = [file for file in everything if file not in files]
        if others:
            text += [f"- `{file.relative_to(root / path)}`" for file in others] + [""]
        for file in files:
            if len(files) > 1:
                text += [f"## {file.relative_to(root / path)}", ""]
            source = file.read_text()
            fence = "````" if "```" in source else "```"
            text += [f"{fence}{LANGUAGES.get(file.suffix, 'text')}", source.rstrip(), fence, ""]
        page = out / target
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("\n".join(text))
        lines.append(f"- [{path}]({target})")
    return lines
