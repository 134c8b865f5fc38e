/* Archives read as folders: every container gives the same members, and what would leave the folder is refused. */
#include "formats/archive.h"

#include <stdio.h>
#include <string.h>

#include "formats/format.h"
#include "tests/formats/conformance.h"
#include "tests/harness.h"

static const char *python(void) {
    const char *path = getenv("PML_TEST_PYTHON");
    return path != NULL ? path : "python3";
}

/* Makes an archive by a few lines of Python, in which `put(name, bytes, **fields)` adds a member. */
static const char *make(const char *name, const char *mode, const char *lines) {
    static const char script[] = "import io, sys, tarfile, zipfile, zlib\n"
                                 "path, mode = sys.argv[1:3]\n"
                                 "if mode in ('stored', 'deflated'):\n"
                                 "    z = zipfile.ZipFile(path, 'w', 0 if mode == 'stored' else 8)\n"
                                 "    def put(name, data=b'', **fields): z.writestr(name, data)\n"
                                 "else:\n"
                                 "    z = tarfile.open(path, mode)\n"
                                 "    def put(name, data=b'', **fields):\n"
                                 "        t = tarfile.TarInfo(name)\n"
                                 "        t.size = len(data)\n"
                                 "        for k, v in fields.items(): setattr(t, k, v)\n"
                                 "        z.addfile(t, io.BytesIO(data))\n";
    const char *folder = pml_test_temporary_dir();
    const char *program = pml_test_path("%s/%s.py", folder, name);
    const char *path = pml_test_path("%s/%s", folder, name);
    const char *text = pml_test_path("%s%s\nz.close()\n", script, lines);
    char *output = NULL;
    pml_test_write_file(program, text, strlen(text));
    CU_ASSERT_EQUAL_FATAL(pml_test_command(&output, "%s %s %s %s", python(), program, path, mode), 0);
    free(output);
    return path;
}

static void holds(const pml_archive *archive, const char *name, const void *expected, size_t n) {
    const uint8_t *bytes;
    uint64_t size_bytes;
    CU_ASSERT_TRUE_FATAL(pml_archive_find(archive, name, &bytes, &size_bytes));
    CU_ASSERT(size_bytes == n && memcmp(bytes, expected, n) == 0);
}

static const char two_files[] = "put('m/b.bin', bytes(range(256)) * 4096)\n"
                                "put('m/sub/a.txt', b'text')\n"
                                "put('m/.hidden', b'x')\n"
                                "put('m/empty', b'')\n";

static void every_container_gives_the_same_members(void) {
    static const char *const modes[][2] = {
        {"stored", "s.zip"}, {"deflated", "d.zip"}, {"w", "t.tar"}, {"w:gz", "t.tar.gz"}};
    static uint8_t expected[256 * 4096];
    for (size_t i = 0; i < sizeof expected; i++) {
        expected[i] = (uint8_t)i;
    }
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        pml_archive *archive = NULL;
        pml_error error;
        PML_ASSERT_OK(pml_archive_open(make(modes[i][1], modes[i][0], two_files), &archive, &error), &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(archive);
        CU_ASSERT_EQUAL_FATAL(pml_archive_n_members(archive), 3);
        CU_ASSERT_STRING_EQUAL(pml_archive_name_at(archive, 0), "b.bin");
        CU_ASSERT_STRING_EQUAL(pml_archive_name_at(archive, 1), "empty");
        CU_ASSERT_STRING_EQUAL(pml_archive_name_at(archive, 2), "sub/a.txt");
        holds(archive, "b.bin", expected, sizeof expected);
        holds(archive, "sub/a.txt", "text", 4);
        holds(archive, "empty", "", 0);
        const uint8_t *bytes;
        uint64_t size_bytes;
        CU_ASSERT_FALSE(pml_archive_find(archive, "m/b.bin", &bytes, &size_bytes));
        CU_ASSERT_FALSE(pml_archive_find(archive, ".hidden", &bytes, &size_bytes));
        pml_archive_close(archive);
    }
}

static void refuses(const char *name, const char *mode, const char *lines, pml_status expected, const char *part) {
    pml_archive *archive = (pml_archive *)1;
    pml_error error;
    PML_ASSERT_FAILS(pml_archive_open(make(name, mode, lines), &archive, &error), expected, &error, part);
    CU_ASSERT_PTR_NULL(archive);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, name));
}

static void refuses_what_leaves_the_folder(void) {
    static const char *const names[] = {"../x", "/x", "a/../x", "a//x",  "a/./../x", "a\\\\x",
                                        "c:x",  "..", "a/..",   "a\\nx", "a\\x7fx"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *lines = pml_test_path("put('%s', b'1')\nput('ok', b'2')", names[i]);
        refuses(pml_test_path("name%zu.tar", i), "w", lines, PML_E_FORMAT, "leaves the folder");
        refuses(pml_test_path("name%zu.tar.gz", i), "w:gz", lines, PML_E_FORMAT, "leaves the folder");
        refuses(pml_test_path("name%zu.zip", i), "stored", lines, PML_E_FORMAT, "leaves the folder");
    }
}

static void refuses_what_is_no_plain_file(void) {
    static const char *const kinds[][3] = {
        {"link.tar", "put('a', type=tarfile.SYMTYPE, linkname='/etc/passwd')", "is a link"},
        {"hard.tar", "put('b', b'1')\nput('a', type=tarfile.LNKTYPE, linkname='b')", "is a link"},
        {"device.tar", "put('a', type=tarfile.CHRTYPE, devmajor=1, devminor=5)", "not a regular file"},
        {"fifo.tar", "put('a', type=tarfile.FIFOTYPE)", "not a regular file"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        refuses(kinds[i][0], "w", kinds[i][1], PML_E_FORMAT, kinds[i][2]);
    }
}

static void refuses_names_that_stand_twice(void) {
    refuses("twice.tar", "w", "put('a', b'1')\nput('./a', b'2')", PML_E_FORMAT, "twice");
    refuses("twice.zip", "stored", "import warnings\nwarnings.simplefilter('ignore')\nput('a', b'1')\nput('a', b'2')",
            PML_E_FORMAT, NULL);
}

/* Zstandard packs zeros ten-thousandfold. */
static void refuses_what_grows_without_end(void) {
    static const char *const names[] = {"zeros", ".hidden"}; /* left out, and yet unpacked to get past it */
    if (pml_test_command(NULL, "zstd --version >/dev/null 2>&1") != 0) {
        pml_test_skip("zstd is not installed");
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        const char *tar =
            make(pml_test_path("zeros%zu.tar", i), "w", pml_test_path("put('%s', bytes(64 << 20))", names[i]));
        CU_ASSERT_EQUAL_FATAL(pml_test_command(NULL, "zstd -q --rm %s", tar), 0);
        pml_archive *archive = (pml_archive *)1;
        pml_error error;
        PML_ASSERT_FAILS(pml_archive_open(pml_test_path("%s.zst", tar), &archive, &error), PML_E_FORMAT, &error,
                         "unpacks to more than");
        CU_ASSERT_PTR_NULL(archive);
    }
}

static void refuses_damage(void) {
    size_t size_bytes;
    const char *folder = pml_test_temporary_dir();
    const char *path = make("whole.tar.gz", "w:gz", two_files);
    unsigned char *bytes = pml_test_read_file(path, &size_bytes);
    const char *cut = pml_test_path("%s/cut.tar.gz", folder);
    for (size_t n = 3; n < size_bytes; n += 7) {
        pml_archive *archive = NULL;
        pml_test_write_file(cut, bytes, n);
        CU_ASSERT_EQUAL(pml_archive_open(cut, &archive, NULL), PML_E_FORMAT);
    }
    free(bytes);
    path = make("whole.tar", "w", "put('a', b'1' * 5000)\nput('b', b'2' * 5000)");
    bytes = pml_test_read_file(path, &size_bytes);
    cut = pml_test_path("%s/cut.tar", folder);
    for (size_t n = 262; n < 11144; n += 13) { /* from the magic to the end of the last member */
        pml_archive *archive = NULL;
        pml_test_write_file(cut, bytes, n);
        const pml_status status = pml_archive_open(cut, &archive, NULL);
        CU_ASSERT(status == PML_E_FORMAT || (status == PML_OK && pml_archive_n_members(archive) < 2));
        pml_archive_close(archive);
    }
    free(bytes);
}

static void a_full_disk_is_an_error(void) {
    pml_archive *archive = (pml_archive *)1;
    pml_error error;
    const char *path = make("full.tar.gz", "w:gz", two_files);
    const char *before = getenv("TMPDIR");
    char *kept = before != NULL ? strdup(before) : NULL;
    (void)setenv("TMPDIR", "/nowhere/at/all", 1);
    PML_ASSERT_FAILS(pml_archive_open(path, &archive, &error), PML_E_IO, &error, "TMPDIR");
    CU_ASSERT_PTR_NULL(archive);
    if (kept != NULL) {
        (void)setenv("TMPDIR", kept, 1);
    } else {
        (void)unsetenv("TMPDIR");
    }
    free(kept);
}

static void a_source_opens_out_of_an_archive(void) {
    static const char *const names[][2] = {
        {"stored", "m.zip"}, {"deflated", "n.zip"}, {"w", "m.tar"}, {"w:gz", "m.tar.gz"}};
    const char *lines = pml_test_path("import os\n"
                                      "folder = '%s/tests/goldens/safetensors/valid/index'\n"
                                      "for n in os.listdir(folder):\n"
                                      "    put('top/' + n, open(os.path.join(folder, n), 'rb').read())\n",
                                      pml_test_source_dir());
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        pml_source *source = NULL;
        pml_error error;
        PML_ASSERT_OK(pml_source_open(make(names[i][1], names[i][0], lines), &source, &error), &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(source);
        CU_ASSERT_EQUAL(pml_source_n_files(source), 2);
        CU_ASSERT_EQUAL(pml_source_n_tensors(source), 3);
        CU_ASSERT_TRUE(pml_folder_is_archive(pml_source_folder(source)));
        for (size_t k = 0; k < pml_source_n_tensors(source); k++) {
            const void *bytes;
            PML_ASSERT_OK(pml_source_tensor_view(source, pml_source_tensor_at(source, k), &bytes, &error), &error);
        }
        pml_source_close(source);
    }
    pml_source *source = NULL;
    pml_error error;
    PML_ASSERT_FAILS(pml_source_open(make("none.tar", "w", "put('readme', b'1')"), &source, &error), PML_E_NOT_FOUND,
                     &error, "holds no checkpoint");
}

/* Whatever the format: the folder, and the same folder in an archive. `files` are shell words in it. */
static void every_format_reads_out_of_an_archive(void) {
    static const char *const cases[][2] = {
        {"providers/torch-zip", "state_dict.pth"},
        {"providers/torch-legacy", "tensors.pth"},
        {"providers/bert-onnx-external-data", "model.onnx model.onnx.data"},
        {"providers/npz", "deflated.npz"},
        {"providers/tf-checkpoint", "bert_model.ckpt.*"},
        {"providers/tf-savedmodel", "saved_model.pb variables"},
        {"bert/sharded", "*"},
    };
    static const char *const forms[][2] = {{"cf", "tar"}, {"czf", "tar.gz"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *golden = pml_test_golden(cases[i][0]);
        if (golden == NULL) {
            pml_test_skip(cases[i][0]);
            continue;
        }
        const char *folder = pml_test_fresh_dir(pml_test_path("format%zu", i));
        CU_ASSERT_EQUAL_FATAL(pml_test_command(NULL, "cd '%s' && cp -r %s '%s'", golden, cases[i][1], folder), 0);
        for (size_t k = 0; k < sizeof forms / sizeof forms[0]; k++) {
            pml_source *plain = NULL, *packed = NULL;
            pml_error error;
            const char *archive = pml_test_path("%s.%s", folder, forms[k][1]);
            CU_ASSERT_EQUAL_FATAL(
                pml_test_command(NULL, "tar %s '%s' -C '%s/..' format%zu", forms[k][0], archive, folder, i), 0);
            PML_ASSERT_OK(pml_source_open(folder, &plain, &error), &error);
            PML_ASSERT_OK(pml_source_open(archive, &packed, &error), &error);
            CU_ASSERT_TRUE_FATAL(plain != NULL && packed != NULL);
            CU_ASSERT_TRUE(pml_source_n_tensors(plain) > 0);
            pml_conform_sources(packed, plain, archive);
            pml_source_close(packed);
            pml_source_close(plain);
        }
    }
}

static void survives_failing_allocations(void) {
    const char *path = make("memory.zip", "deflated", two_files);
    pml_status status = PML_E_MEMORY;
    for (unsigned long n = 1; status != PML_OK && n < 500; n++) {
        pml_archive *archive = NULL;
        pml_test_fail_allocation(n, false);
        status = pml_archive_open(path, &archive, NULL);
        pml_test_fail_allocation(0, false);
        CU_ASSERT((status == PML_OK) == (archive != NULL) && (status == PML_OK || status == PML_E_MEMORY));
        pml_archive_close(archive);
    }
    CU_ASSERT_EQUAL(status, PML_OK);
}

PML_TESTS("formats/archive", PML_TEST(every_container_gives_the_same_members), PML_TEST(refuses_what_leaves_the_folder),
          PML_TEST(refuses_what_is_no_plain_file), PML_TEST(refuses_names_that_stand_twice),
          PML_TEST(refuses_what_grows_without_end), PML_TEST(refuses_damage), PML_TEST(a_full_disk_is_an_error),
          PML_TEST(a_source_opens_out_of_an_archive), PML_TEST(every_format_reads_out_of_an_archive),
          PML_TEST(survives_failing_allocations))
