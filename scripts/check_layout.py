#!/usr/bin/env python3
"""Checks the rules of the house that a compiler does not: run by CTest (label layout), or by hand.

    scripts/check_layout.py includes|registries|style [--root DIR]
    scripts/check_layout.py symbols --library FILE...
    scripts/check_layout.py links --binary FILE
    scripts/check_layout.py header [--root DIR] [--cc CC]

Each message names the place, the rule and what to do. Exit 1 if a rule is broken.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

# The floors of runtime/, lowest first; those of one tuple do not know each other.
FLOORS = [("base",), ("file",), ("schema",), ("tensor",), ("kernels",), ("backends",), ("ops",), ("models",),
          ("text", "series"), ("train", "tune"), ("serve", "plot", "mpi"), ("cli",)]
ROOMS = {  # room -> what it may include beside itself
    "formats": ["runtime/base/", "runtime/file/"],
    "mappers": ["formats/", "runtime/base/", "runtime/file/", "runtime/schema/"],
    "convert": ["formats/", "mappers/", "runtime/"],
}
TRAIN_KINDS = [  # folder of runtime/train, macro of its registry, what one is
    ("losses", "PML_LOSS", "loss"),
    ("optimizers", "PML_OPTIMIZER", "optimizer"),
    ("schedules", "PML_SCHEDULE", "schedule"),
    ("initializers", "PML_INITIALIZER", "initializer"),
    ("logs", "PML_TRAIN_LOG", "log_sink"),
]
LIBRARY_ROOMS = {  # foreign header -> where it may be included
    "cjson/": ["formats/", "mappers/", "convert/"],
    "openssl/": ["convert/"],
    "curl/": ["convert/"],
    "zstd.h": ["convert/"],
    "archive": ["formats/"],
    "zlib.h": ["formats/"],
    "protobuf-c/": ["formats/"],
    "hdf5.h": ["formats/"],
    "microhttpd.h": ["runtime/serve/"],
    "cairo": ["runtime/plot/"],
    "csv.h": ["runtime/series/"],
    "xxhash.h": ["runtime/", "convert/ship/"],
    "dlfcn.h": ["runtime/backends/", "runtime/train/ranks.c"],
    "mpi.h": ["runtime/mpi/"],
    "CUnit/": ["tests/"],
}
TUNERS = [("PML_SAMPLER", "trial_sampler"), ("PML_PRUNER", "pruner")]  # macro of runtime/tune/registry.def, what one is
LINKS_LEAN = r"libc|libm|libmvec|ld-linux-[a-z0-9-]+|libpthread"
LINKS_ALLOWED = {  # program -> libraries that it may link
    "pml-run": LINKS_LEAN + "|libutf8proc|libpcre2-8|libcsv|libkissfft-float",
    "pml-serve": LINKS_LEAN + "|libmicrohttpd",
    "pml-train": LINKS_LEAN + "|libcjson|libcsv",
    "pml-plot": LINKS_LEAN + "|libcairo|libcsv",
}
BANNED = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atof|strtok|system|tmpnam|mktemp|alloca)\s*\(")
LIBRARY_BANNED = re.compile(r"\b(exit|_exit|abort|printf|puts|perror|malloc|calloc|realloc)\s*\(")
# In formats/ every number may come from a file.
RAW_PRODUCT = re.compile(r"[\w)\]] \* [\w(]")
LIMITS = {".c": 600, ".h": 250}
FUNCTION_LIMIT = 80


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def sources(root, *rooms):
    for room in rooms:
        for folder, _, names in os.walk(os.path.join(root, room)):
            for name in sorted(names):
                if name.endswith((".c", ".h", ".def")):
                    path = os.path.join(folder, name)
                    yield os.path.relpath(path, root), read(path)


def floor_rank(name):
    for rank, names in enumerate(FLOORS):
        if name in names:
            return rank
    return None


def include_error(path, target):
    """What is wrong with `path` including the rooted `target`, or None."""
    room = path.split("/")[0]
    if target == "runtime/pml.h" or room in ("tests", "examples"):
        return None
    if room == "runtime":
        if not target.startswith("runtime/"):
            return "runtime/ includes nothing but itself"
        own = path.split("/")[1]
        other = target.split("/")[1]
        mine, theirs = floor_rank(own), floor_rank(other)
        if mine is None or theirs is None:
            return f"'{own}' or '{other}' is not a floor of runtime/ (see FLOORS in this script)"
        if theirs > mine or (theirs == mine and own != other):
            return f"floor '{own}' may not know floor '{other}'"
        return None
    if room not in ROOMS:
        return f"'{room}' is not a room"
    if target.startswith(room + "/") or any(target.startswith(p) for p in ROOMS[room]):
        return None
    return f"{room}/ may include only itself and {', '.join(ROOMS[room])}"


def plugin_error(root, path, target):
    """What is wrong with `path` including a header out of a plug-in's folder (<plug-in>/ beside <plug-in>.c), or None."""
    folder = os.path.dirname(target)
    if not os.path.exists(os.path.join(root, folder + ".c")):
        return None
    if path == folder + ".c" or os.path.dirname(path) == folder or path.startswith("tests/"):
        return None
    return f"the parts in {folder}/ are private to it and {folder}.c"


def check_includes(root):
    errors = []
    for path, text in sources(root, "runtime", "formats", "mappers", "convert", "tests"):
        for number, line in enumerate(text.split("\n"), 1):
            match = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
            if not match:
                continue
            quote, target = match.groups()
            if quote == '"':
                problem = include_error(path, target) or plugin_error(root, path, target)
                if problem is None and not os.path.exists(os.path.join(root, target)):
                    problem = "includes are rooted at the repository and must exist"
                if problem:
                    errors.append(f"{path}:{number}: #include \"{target}\": {problem}")
            else:
                for header, rooms in LIBRARY_ROOMS.items():
                    if target.startswith(header) and not any(path.startswith(r) for r in rooms + ["tests/"]):
                        errors.append(f"{path}:{number}: <{target}> belongs to {', '.join(rooms)} only")
    return errors


def registry_rows(root, path, macro):
    text = read(os.path.join(root, path))
    return [[p.strip() for p in row.split(",")] for row in re.findall(rf"^{macro}\(([a-z0-9_, ]+)\)$", text, re.M)]


def check_registries(root):
    need = []
    for (family,) in registry_rows(root, "runtime/schema/registry.def", "PML_FAMILY"):
        for room in ("runtime/schema", "mappers", "runtime/models"):
            need.append(("runtime/schema/registry.def", family, f"{room}/{family}.c", f"pml_{{}}_{family}".format(
                {"runtime/schema": "schema", "mappers": "mapper", "runtime/models": "model"}[room])))
            need.append(("runtime/schema/registry.def", family, f"tests/{room}/test_{family}.c", None))
    for (name,) in registry_rows(root, "formats/registry.def", "PML_FORMAT"):
        need.append(("formats/registry.def", name, f"formats/{name}.c", f"pml_format_{name}"))
        need.append(("formats/registry.def", name, f"tests/formats/test_{name}.c", None))
    for (name,) in registry_rows(root, "runtime/backends/registry.def", "PML_BACKEND"):
        need.append(("runtime/backends/registry.def", name, f"runtime/backends/{name}.c", f"pml_backend_{name}"))
        need.append(("runtime/backends/registry.def", name, f"tests/runtime/backends/test_{name}.c", None))
    for _, op, isa in registry_rows(root, "runtime/kernels/registry.def", "PML_KERNEL"):
        need.append(("runtime/kernels/registry.def", op, f"runtime/kernels/{op}_{isa}.c", f"pml_{op}_{isa}"))
        need.append(("runtime/kernels/registry.def", op, f"tests/runtime/kernels/test_{op}.c", None))
    for folder, macro, noun in TRAIN_KINDS:
        registry = f"runtime/train/{folder}/registry.def"
        for (name,) in registry_rows(root, registry, macro):
            need.append((registry, name, f"runtime/train/{folder}/{name}.c", f"pml_{noun}_{name}"))
            need.append((registry, name, f"tests/runtime/train/{folder}/test_{name}.c", None))
    for macro, noun in TUNERS:
        for (name,) in registry_rows(root, "runtime/tune/registry.def", macro):
            need.append(("runtime/tune/registry.def", name, f"runtime/tune/{name}.c", f"pml_{noun}_{name}"))
            need.append(("runtime/tune/registry.def", name, f"tests/runtime/tune/test_{name}.c", None))
    errors = []
    for registry, row, path, symbol in need:
        full = os.path.join(root, path)
        if not os.path.exists(full):
            errors.append(f"{registry}: '{row}' needs {path}: add the file or remove the line")
        elif symbol and symbol not in read(full):
            errors.append(f"{path}: must define {symbol}, which {registry} names")
    if not need:
        errors.append("no registry line was found: the pattern of this script no longer fits the registries")
    return errors


def strip_comments(text):
    keep_lines = lambda m: "\n" * m.group(0).count("\n")
    text = re.sub(r"/\*.*?\*/", keep_lines, text, flags=re.S)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', re.sub(r"//[^\n]*", "", text))


def check_functions(path, text):
    """Functions begin at the left margin and end with a brace there."""
    errors = []
    for match in re.finditer(r"^\w[^;{}=#]*\)\s*\{\n(.*?)^\}", text, re.M | re.S):
        number = text[:match.start()].count("\n") + 1
        name = match.group(0).split("(")[0].split()[-1].lstrip("*")
        lines = match.group(0).count("\n") + 1
        if lines > FUNCTION_LIMIT:
            errors.append(f"{path}:{number}: {name} has {lines} lines; over {FUNCTION_LIMIT} it does more than one thing: split it")
        before, label, after = match.group(1).partition("\ndone:")
        if label and (re.search(r"\breturn\b", before) or len(re.findall(r"\breturn\b", after)) > 1):
            errors.append(f"{path}:{number}: {name} has a label done: and another return: leave through the label")
    return errors


def check_style(root):
    errors = []
    names = {}
    for path, text in sources(root, "runtime", "formats", "mappers", "convert"):
        lines = text.split("\n")
        limit = LIMITS.get(os.path.splitext(path)[1])
        if limit and len(lines) > limit:
            errors.append(f"{path}: {len(lines)} lines; over {limit} a file is more than one idea: split it")
        has_own_header = path.endswith(".c") and os.path.exists(os.path.join(root, path[:-2] + ".h"))
        if not path.endswith(".def") and not has_own_header and not re.match(r"\s*/\*", text):
            errors.append(f"{path}:1: a file without a header of its own begins with a comment that says what it is for")
        is_command = path.startswith("runtime/cli/") or os.path.basename(path).startswith(("cmd_", "convert_main"))
        is_allocator = path.startswith("runtime/base/alloc")
        for number, line in enumerate(strip_comments(text).split("\n"), 1):
            if len(lines[number - 1]) > 120:
                errors.append(f"{path}:{number}: longer than 120 columns")
            match = BANNED.search(line)
            if match:
                errors.append(f"{path}:{number}: {match.group(1)} is banned: use a bounded or checked function")
            match = LIBRARY_BANNED.search(line)
            if match and not is_command and not is_allocator:
                errors.append(f"{path}:{number}: {match.group(1)} in a library: return a status, allocate through alloc.h")
            if path.startswith("formats/") and RAW_PRODUCT.search(line) and "sizeof" not in line:
                errors.append(f"{path}:{number}: a product that may overflow: use runtime/base/checked.h")
        errors += check_functions(path, strip_comments(text))
        if path.endswith(".h"):
            other = names.setdefault(os.path.basename(path), path)
            if other != path:
                errors.append(f"{path}: another header is called {other}: base names are unique")
    for path, text in sources(root, "runtime", "formats", "mappers", "convert", "tests", "examples"):
        for number, line in enumerate(text.split("\n"), 1):
            if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line) and "XXXXXX" not in line:
                errors.append(f"{path}:{number}: unfinished work must not ship")
    return errors


def check_symbols(libraries):
    errors = []
    for library in libraries:
        shared = ".so" in os.path.basename(library)
        command = ["nm", "-D" if shared else "-g", "--defined-only", library]
        names = [line.split()[-1] for line in subprocess.run(command, check=True, capture_output=True, text=True)
                 .stdout.split("\n") if len(line.split()) == 3]
        if not names:
            errors.append(f"{library}: exports nothing")
        errors += [f"{library}: exports '{n}': only pml_ names may be visible" for n in names
                   if not n.startswith("pml_") and not re.match(r"^(_init|_fini|__asan|__ubsan|__odr_asan|\.)", n)]
    return errors


def check_links(binary):
    text = subprocess.run(["readelf", "-d", binary], check=True, capture_output=True, text=True).stdout
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", text)
    if not needed:
        return [f"{binary}: no NEEDED entry found"]
    program = os.path.basename(binary)
    allowed = re.compile(rf"^({LINKS_ALLOWED.get(program, LINKS_LEAN)})\.so(\.\d+)*$")
    return [f"{binary}: links {n}, which is not on the allow-list of {program}" for n in needed if not allowed.match(n)]


def check_header(root, compiler):
    """The public header compiles alone, as C17 and (when a C++ compiler is there) as C++."""
    errors = []
    with tempfile.TemporaryDirectory() as folder:
        unit = os.path.join(folder, "alone.c")
        with open(unit, "w", encoding="utf-8") as f:
            f.write('#include "runtime/pml.h"\nint main(void) { return pml_version() == 0; }\n')
        run = subprocess.run([compiler, "-std=c17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I", root, unit],
                             capture_output=True, text=True, check=False)
        if run.returncode != 0:
            errors.append(f"runtime/pml.h does not compile alone:\n{run.stderr}")
    text = read(os.path.join(root, "runtime/pml.h"))
    for line in re.findall(r'^#include\s+(.*)$', text, re.M):
        if not line.startswith("<std"):
            errors.append(f"runtime/pml.h includes {line}: the public header depends on the standard library only")
    return errors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rule", choices=["includes", "registries", "style", "symbols", "links", "header"])
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    parser.add_argument("--library", dest="libraries", nargs="+", default=[])
    parser.add_argument("--binary")
    parser.add_argument("--cc", default="cc")
    args = parser.parse_args()
    errors = {"includes": lambda: check_includes(args.root), "registries": lambda: check_registries(args.root),
              "style": lambda: check_style(args.root), "symbols": lambda: check_symbols(args.libraries),
              "links": lambda: check_links(args.binary), "header": lambda: check_header(args.root, args.cc)}[args.rule]()
    for error in errors:
        print(error)
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
