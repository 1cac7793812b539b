#!/usr/bin/env python3
"""Fails unless the code on the pages of the documentation is code that tests run.

C++, C, Fortran and CMake have to stand, as they are, in a file of docs/examples, which the tests of the label install
build and run. Python is run here, where it has h5py. TOML is read, and sward-plan must accept what is a whole
configuration.

Usage: check_pages.py SOURCES [SWARD_PLAN]
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

SHORTEST_EXAMPLES = {"selection_rule.cpp": 80, "sketch_optimizer.cpp": 80}  # lines that they stay under
PRELUDES = {  # what the text around a block of Python speaks of
    "file-formats.md": "tokens = [1, 5, 2]\n",
    "user-guide.md": """
import h5py, numpy
prompt_lengths = [1, 2]
with h5py.File("instructions.h5", "w") as file:
    file["tokens"] = numpy.arange(7, dtype=numpy.uint16)
    file["document_starts"] = numpy.array([0, 3], dtype=numpy.uint64)
""",
}


def blocks(page):
    for match in re.finditer(r"^```(\w+)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
        yield match[1], match[2]


def check_toml(plan, text):
    if "schedule" in tomllib.loads(text) and plan:
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(text)
            file.flush()
            run = subprocess.run([plan, file.name], capture_output=True, text=True)
        if run.returncode != 0:
            return run.stderr
    return None


def python_with_h5py():
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import h5py"], capture_output=True).returncode == 0:
            return python
    return None


def check_python(python, page, text):
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run([python, "-c", PRELUDES.get(page.name, "") + text], cwd=folder, capture_output=True,
                             text=True)
    return run.stderr if run.returncode != 0 else None


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1] == "--help":
        print(__doc__)
        return 0 if sys.argv[1:] == ["--help"] else 2
    sources = pathlib.Path(sys.argv[1])
    plan = sys.argv[2] if len(sys.argv) == 3 else None
    examples = {path: path.read_text() for path in (sources / "docs/examples").rglob("*") if path.is_file()}
    python = python_with_h5py()
    failures = 0
    checked = 0
    for page in [sources / "README.md", *sorted((sources / "docs").glob("*.md"))]:
        for language, text in blocks(page):
            problem = None
            if language in ("cpp", "c", "fortran", "cmake"):
                if not any("\n" + text in "\n" + example for example in examples.values()):
                    problem = "is in no file of docs/examples"
            elif language == "toml":
                problem = check_toml(plan, text)
            elif language == "python" and python:
                problem = check_python(python, page, text)
            else:
                continue
            checked += 1
            if problem:
                failures += 1
                print(f"{page.relative_to(sources)}: {problem}:\n{text}")
    for path, text in examples.items():
        lines = text.count("\n")
        if lines >= SHORTEST_EXAMPLES.get(path.name, lines + 1):
            failures += 1
            print(f"{path.relative_to(sources)} has {lines} lines, wanted less than {SHORTEST_EXAMPLES[path.name]}")
    print(f"{checked} blocks of code")
    return 1 if failures or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
