#!/usr/bin/env python3
"""Names the public declarations that have no comment, by the warnings of Doxygen.

Usage: undocumented_names.py SOURCE_DIR OUTPUT_DIR

Runs doxygen with docs/Doxyfile; the pages for browsers go to OUTPUT_DIR/html. Comments are asked of types, enumerations
and functions. A comment stands for all declarations below it up to the next empty line, and that of a base class for
what overrides it. No comment of their own is asked of

- constructors, destructors and operators, and functions without arguments that change nothing, which their name and
  the comment of their class explain;
- data members, types inside a class and enumerators, which the comment of their type explains, or one behind them.

Exit status: 0 nothing found, 1 something found, 77 doxygen is not installed.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

WARNING = re.compile(r"(.*?):(\d+): (?:warning|error): (.*)")
MEMBER = re.compile(r"Member (.*) \(([a-z ]+)\) of (\w+) (.*?) is not documented\.")
SMALL_KINDS = {"variable", "typedef", "enumvalue", "friend"}


def explains_itself(signature, kind, owner_kind, owner):
    """Whether a declaration needs no comment of its own."""
    if kind in SMALL_KINDS:
        return True
    if kind != "function" or owner_kind == "namespace":
        return False
    name = signature.split("(")[0].split(" ")[-1]
    class_name = re.sub(r"<.*", "", owner).split("::")[-1].strip()
    if name.lstrip("~") == class_name or "operator" in signature or signature.endswith(" override"):
        return True
    return re.search(r"\(\) const( noexcept)?$", signature) is not None


def comment_above(lines, number):
    """Whether a comment stands above line `number` with no empty line and no beginning of a type between."""
    for line in reversed(lines[: number - 1]):
        if not line.strip() or re.match(r"\s*(struct|class|enum|namespace|public:|protected:|extern)\b", line):
            return False
        if re.match(r"\s*///(?!<)|\s*(/\*|\*).*\*/\s*$|\s*\*/\s*$", line):  # the latter two in C
            return True
    return False


def main():
    if len(sys.argv) != 3:
        print(__doc__)
        return 0 if sys.argv[1:] == ["--help"] else 2
    source, output = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    if shutil.which("doxygen") is None:
        print("doxygen is not installed")
        return 77
    output.mkdir(parents=True, exist_ok=True)
    settings = (source / "docs/Doxyfile").read_text() + f'\nOUTPUT_DIRECTORY = "{output.resolve()}"\n'
    run = subprocess.run(["doxygen", "-"], input=settings, cwd=source, text=True, capture_output=True)
    if run.returncode != 0:
        print(run.stderr)
        return 1

    texts, found = {}, set()
    for text in run.stderr.splitlines():
        warning = WARNING.match(text)
        if warning is None:
            continue
        path, number, what = os.path.relpath(warning[1], source), int(warning[2]), warning[3]
        member = MEMBER.match(what)
        if member and explains_itself(*member.groups()):
            continue
        if "is not documented" in what:
            if path not in texts:
                texts[path] = (source / path).read_text().splitlines()
            if comment_above(texts[path], number):
                continue
        found.add((path, number, what))
    for path, number, what in sorted(found):
        print(f"{path}:{number}: {what}")
    print(f"{len(found)} found" if found else "every public name is explained")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
