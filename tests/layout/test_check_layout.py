#!/usr/bin/env python3
"""The layout checks must be able to fail: each rule is broken once in a small tree of its own."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
sys.dont_write_bytecode = True
import check_layout  # noqa: E402


class Tree(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)

    def write(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)

    def assert_error(self, errors, part):
        self.assertTrue(any(part in e for e in errors), f"no error with '{part}' in {errors}")


class Includes(Tree):
    def test_arrow_up_the_floors(self):
        self.write("runtime/ops/op.h", "/* x */\n")
        self.write("runtime/base/bad.c", '/* x */\n#include "runtime/ops/op.h"\n')
        self.assert_error(check_layout.check_includes(self.root), "floor 'base' may not know floor 'ops'")

    def test_runtime_knows_no_other_room(self):
        self.write("formats/format.h", "/* x */\n")
        self.write("runtime/models/bad.c", '/* x */\n#include "formats/format.h"\n')
        self.assert_error(check_layout.check_includes(self.root), "runtime/ includes nothing but itself")

    def test_formats_know_no_mappers(self):
        self.write("mappers/mapper.h", "/* x */\n")
        self.write("formats/bad.c", '/* x */\n#include "mappers/mapper.h"\n')
        self.assert_error(check_layout.check_includes(self.root), "formats/ may include only itself")

    def test_siblings(self):
        self.write("runtime/tune/a.h", "/* x */\n")
        self.write("runtime/train/bad.c", '/* x */\n#include "runtime/tune/a.h"\n')
        self.assert_error(check_layout.check_includes(self.root), "floor 'train' may not know floor 'tune'")

    def test_foreign_library(self):
        self.write("runtime/ops/bad.c", "/* x */\n#include <cjson/cJSON.h>\n")
        self.assert_error(check_layout.check_includes(self.root), "belongs to formats/")

    def test_parts_of_a_plugin_are_private(self):
        self.write("formats/zip.c", '/* x */\n#include "formats/zip/header.h"\n')
        self.write("formats/zip/header.h", "/* x */\n")
        self.write("formats/zip/header.c", '/* x */\n#include "formats/zip/header.h"\n')
        self.assertEqual(check_layout.check_includes(self.root), [])
        self.write("convert/bad.c", '/* x */\n#include "formats/zip/header.h"\n')
        self.assert_error(check_layout.check_includes(self.root), "the parts in formats/zip/ are private")

    def test_down_is_allowed(self):
        self.write("runtime/base/a.h", "/* x */\n")
        self.write("runtime/ops/good.c", '/* x */\n#include "runtime/base/a.h"\n#include <stdio.h>\n')
        self.assertEqual(check_layout.check_includes(self.root), [])


class Registries(Tree):
    def test_line_without_source_or_test(self):
        self.write("runtime/schema/registry.def", "PML_FAMILY(ghost)\n")
        self.write("formats/registry.def", "PML_FORMAT(phantom)\n")
        self.write("runtime/backends/registry.def", "")
        self.write("runtime/kernels/registry.def", "PML_KERNEL(matmul, matmul_none, scalar)\n")
        for folder, macro, _ in check_layout.TRAIN_KINDS:
            self.write(f"runtime/train/{folder}/registry.def", f"{macro}(spectre)\n")
        self.write("runtime/tune/registry.def", "PML_SAMPLER(wraith)\nPML_PRUNER(shade)\n")
        self.write("formats/phantom.c", "/* pml_format_phantom */\n")
        errors = check_layout.check_registries(self.root)
        self.assert_error(errors, "'ghost' needs mappers/ghost.c")
        self.assert_error(errors, "'phantom' needs tests/formats/test_phantom.c")
        self.assert_error(errors, "runtime/kernels/matmul_none_scalar.c")
        for folder, _, _ in check_layout.TRAIN_KINDS:
            self.assert_error(errors, f"'spectre' needs runtime/train/{folder}/spectre.c")
            self.assert_error(errors, f"'spectre' needs tests/runtime/train/{folder}/test_spectre.c")
        self.assert_error(errors, "'wraith' needs runtime/tune/wraith.c")
        self.assert_error(errors, "'shade' needs tests/runtime/tune/test_shade.c")

    def test_cmake_refuses_it_too(self):
        shutil.copytree(os.path.join(ROOT, "cmake"), os.path.join(self.root, "cmake"))
        for path in ("runtime/schema", "runtime/backends", "runtime/kernels", "runtime/tune"):
            self.write(path + "/registry.def", "")
        self.write("formats/registry.def", "PML_FORMAT(phantom)\n")
        for folder, _, _ in check_layout.TRAIN_KINDS:
            self.write(f"runtime/train/{folder}/registry.def", "")
        self.write("CMakeLists.txt", "cmake_minimum_required(VERSION 3.20)\nproject(x NONE)\ninclude(cmake/registry.cmake)\n")
        run = subprocess.run(["cmake", "-G", "Ninja", "-S", self.root, "-B", self.root + "/build"], capture_output=True, text=True, check=False)
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("formats/phantom.c", run.stderr.replace("\n  ", " "))


class Style(Tree):
    def test_banned_function_and_unfinished_work(self):
        self.write("convert/bad.c", "/* x */\nvoid f(char *a) { strcpy(a, a); } /* TO" + "DO later */\n")
        errors = check_layout.check_style(self.root)
        self.assert_error(errors, "strcpy is banned")
        self.assert_error(errors, "unfinished work")

    def test_library_prints(self):
        self.write("runtime/ops/bad.c", '/* x */\nvoid f(void) { printf("x"); }\n')
        self.assert_error(check_layout.check_style(self.root), "printf in a library")

    def test_raw_product_in_a_format(self):
        self.write("formats/bad.c", "/* x */\nvoid f(int *n) { int *m = n; *m = n[0] * n[1]; }\n")
        self.write("runtime/ops/good.c", "/* x */\nint f(int n) { return n * n; }\n")
        errors = check_layout.check_style(self.root)
        self.assert_error(errors, "formats/bad.c:2: a product that may overflow")
        self.assertEqual(len(errors), 1)

    def test_leaving_past_the_label(self):
        body = "int {name}(int a) {{\n    int b = a;\n    {early}\n    PML_TRY(a);\ndone:\n    return b;\n}}\n"
        self.write("runtime/ops/bad.c", "/* x */\n" + body.format(name="good", early="a++;") +
                   body.format(name="leaks", early="if (a) { return 1; }"))
        errors = check_layout.check_style(self.root)
        self.assert_error(errors, "leaks has a label done: and another return")
        self.assertEqual(len(errors), 1)

    def test_too_long(self):
        lines = "    a++;\n" * check_layout.FUNCTION_LIMIT
        self.write("runtime/ops/bad.c", "/* x */\nvoid endless(int a) {\n" + lines + "}\n")
        self.write("runtime/ops/bad.h", "/* x */\n" * (check_layout.LIMITS[".h"] + 1))
        errors = check_layout.check_style(self.root)
        self.assert_error(errors, "endless has 82 lines")
        self.assert_error(errors, "bad.h: 252 lines")


class Binaries(Tree):
    def compile(self, name, text, *flags):
        self.write("x.c", text)
        out = os.path.join(self.root, name)
        subprocess.run(["cc", "-o", out, os.path.join(self.root, "x.c"), *flags], check=True)
        return out

    def test_exported_symbol_without_prefix(self):
        library = self.compile("libx.so", "int pml_good(void) { return 1; }\nint stray(void) { return 1; }\n", "-shared", "-fPIC")
        errors = check_layout.check_symbols([library])
        self.assert_error(errors, "exports 'stray'")
        self.assertEqual(len(errors), 1)

    def test_library_outside_the_allow_list(self):
        self.compile("libcurl.so.4", "int f(void) { return 1; }\n", "-shared", "-fPIC", "-Wl,-soname,libcurl.so.4")
        binary = self.compile("x", "int f(void);\nint main(void) { return f(); }\n", os.path.join(self.root, "libcurl.so.4"))
        self.assert_error(check_layout.check_links(binary), "links libcurl.so.4")

    def test_each_program_has_its_own_allow_list(self):
        self.compile("libmicrohttpd.so.12", "int f(void) { return 1; }\n", "-shared", "-fPIC", "-Wl,-soname,libmicrohttpd.so.12")
        for program, count in (("pml-run", 1), ("pml-serve", 0)):
            binary = self.compile(program, "int f(void);\nint main(void) { return f(); }\n",
                                  os.path.join(self.root, "libmicrohttpd.so.12"))
            self.assertEqual(len(check_layout.check_links(binary)), count, program)


if __name__ == "__main__":
    unittest.main()
