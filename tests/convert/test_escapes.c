/* Figure G12: names in foreign files lead nowhere. Each of sixty hostile names stands in turn where a file may name
 * another one: shard indexes of both kinds, members of zip and tar archives, external data of ONNX. Every name could
 * reach a file that lies outside; what is opened is logged, and that file must not be in the log. */
#include <ctype.h>

#include "tests/convert/command_fixture.h"

#ifndef PML_TEST_SANITIZED

/* %s: the folder that holds both the source and the secret, without its first '/'. */
static const char *const names[] = {
    "../secret",
    "..//secret",
    ".././secret",
    "./../secret",
    "././../secret",
    "x/../../secret",
    "x/../../../%s/secret",
    "/%s/secret",
    "//%s/secret",
    "///%s/secret",
    "/./%s/secret",
    "/%s/source/../secret",
    "link",
    "link/secret",
    "./link",
    "./link/secret",
    "link/../secret",
    "up/secret",
    "up/../secret",
    "./up/secret",
    "up//secret",
    "up/./secret",
    "x/../link",
    "x/../up/secret",
    "..\\secret",
    "..\\/secret",
    "/..\\secret",
    "\\%s\\secret",
    "c:/%s/secret",
    "C:\\secret",
    "file:///%s/secret",
    "file://../secret",
    "~/../secret",
    "$PWD/../secret",
    "%%2e%%2e/secret",
    "..%%2fsecret",
    "..%%5csecret",
    "%%00../secret",
    "../secret%%00",
    "../secret ",
    " ../secret",
    "../secret/",
    "../secret/.",
    "../secret//",
    "../../%s/secret",
    "../../../../../../../../%s/secret",
    "..",
    ".",
    "./",
    "../",
    "/",
    "",
    "../source/../secret",
    "../source/link",
    "/proc/self/cwd/../secret",
    "/dev/fd/../../%s/secret",
    "/proc/self/root/%s/secret",
    "../secret\n",
    "\n../secret",
    "\t../secret",
};

static const char *root, *source, *open_log;

static void make_folders(void) {
    root = pml_test_fresh_dir("escapes");
    source = pml_test_path("%s/source", root);
    open_log = pml_test_path("%s/opens", pml_test_temporary_dir());
    CU_ASSERT_EQUAL_FATAL(
        pml_test_command(NULL,
                         "mkdir -p '%s/x' && cp '%s/tests/goldens/safetensors/valid/one-tensor.safetensors' "
                         "'%s/secret' && ln -s ../secret '%s/link' && ln -s .. '%s/up'",
                         source, pml_test_source_dir(), root, source, source),
        0);
}

/* Writes what the lines of Python make of the name (`name`), into the file that they call `path`. */
static void write_source(const char *name, const char *lines) {
    const char *program = pml_test_path("%s/make.py", pml_test_temporary_dir());
    const char *name_file = pml_test_path("%s/name", pml_test_temporary_dir());
    const char *text = pml_test_path("import io, json, sys, tarfile, zipfile\n"
                                     "name = open(sys.argv[1], newline='').read()\n"
                                     "folder = sys.argv[2]\n%s",
                                     lines);
    const char *python = getenv("PML_TEST_PYTHON") != NULL ? getenv("PML_TEST_PYTHON") : "python3";
    pml_test_write_file(name_file, name, strlen(name));
    pml_test_write_file(program, text, strlen(text));
    CU_ASSERT_EQUAL_FATAL(pml_test_command(NULL, "'%s' '%s' '%s' '%s'", python, program, name_file, source), 0);
}

static void stays_inside(const char *file, const char *lines) {
    const char *below = root + 1;
    unsigned n_logged = 0;
    const size_t stride = getenv("PML_TEST_ALL") != NULL ? 1 : 6; /* the long form takes every name */
    size_t n_names = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i += stride, n_names++) {
        char name[8192];
        char *output = NULL;
        size_t used = 0;
        for (const char *at = names[i]; *at != '\0'; at++) { /* %s and %% */
            const bool is_folder = at[0] == '%' && at[1] == 's';
            used += (size_t)snprintf(name + used, sizeof name - used, "%s", is_folder ? below : (char[]){*at, '\0'});
            at += at[0] == '%';
        }
        name[used] = '\0';
        write_source(name, lines);
        (void)unlink(open_log);
        const int code = pml_test_command(&output,
                                          "cd '%s' && LD_PRELOAD='%s/tests/libio_shim.so' PML_OPEN_LOG='%s' "
                                          "'%s/pml-convert' inspect '%s'",
                                          source, pml_test_binary_dir(), open_log, pml_test_binary_dir(), file);
        const bool escapes = pml_test_command(NULL, "grep -q '/secret$' '%s' 2>/dev/null", open_log) == 0;
        n_logged += pml_test_command(NULL, "grep -qF '%s' '%s' 2>/dev/null", file, open_log) == 0;
        if (escapes || (code != 65 && code != 66 && code != 74 && code != 2)) {
            (void)printf("\n    %s: %s: exit %d%s\n%s", file, name, code, escapes ? ", OPENED" : "", output);
        }
        CU_ASSERT_FALSE(escapes);
        CU_ASSERT(code == 65 || code == 66 || code == 74 || code == 2);
        free(output);
    }
    CU_ASSERT_EQUAL(n_logged, n_names); /* the log works */
    CU_ASSERT_EQUAL(pml_test_command(NULL, "rm '%s/%s'", source, file), 0);
}
#endif

static void names_lead_nowhere(void) {
#ifdef PML_TEST_SANITIZED
    pml_test_skip("a sanitizer's runtime must be loaded first");
#else
    make_folders();
    stays_inside("model.safetensors.index.json",
                 "json.dump({'weight_map': {'a': name}}, open(folder + '/model.safetensors.index.json', 'w'))\n");
    stays_inside("pytorch_model.bin.index.json",
                 "json.dump({'weight_map': {'a': name}}, open(folder + '/pytorch_model.bin.index.json', 'w'))\n");
    stays_inside("a.zip", "with zipfile.ZipFile(folder + '/a.zip', 'w') as z:\n"
                          "    z.writestr(zipfile.ZipInfo(name or '/'), b'x')\n");
    stays_inside("a.tar", "with tarfile.open(folder + '/a.tar', 'w') as t:\n"
                          "    i = tarfile.TarInfo(name)\n"
                          "    i.size = 1\n"
                          "    t.addfile(i, io.BytesIO(b'x'))\n");
    stays_inside("l.tar", "with tarfile.open(folder + '/l.tar', 'w') as t:\n"
                          "    i = tarfile.TarInfo('model.safetensors')\n"
                          "    i.type, i.linkname = tarfile.SYMTYPE, name\n"
                          "    t.addfile(i)\n");
    /* TensorProto with external data: name 'w', one F32, location `name`; in a graph, in a model of opset 18. */
    stays_inside("m.onnx", "def field(n, kind, data): return bytes([n << 3 | kind]) + data\n"
                           "def text(n, b): return field(n, 2, bytes([len(b) & 127 | 128, len(b) >> 7]) + b)\n"
                           "entry = text(1, b'location') + text(2, name.encode())\n"
                           "tensor = (field(1, 0, b'\\x01') + field(2, 0, b'\\x01') + text(8, b'w') + text(13, entry)\n"
                           "          + field(14, 0, b'\\x01'))\n"
                           "model = field(1, 0, b'\\x08') + text(7, text(5, tensor)) + text(8, field(2, 0, b'\\x12'))\n"
                           "open(folder + '/m.onnx', 'wb').write(model)\n");
#endif
}

PML_TESTS("convert/escapes", PML_TEST(names_lead_nowhere))
