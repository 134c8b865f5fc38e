/* PyTorch files: the tensors that PyTorch itself reads from them, the same bytes as a safetensors twin, and a clean
 * refusal of everything that is wrong. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/formats/conformance.h"
#include "tests/formats/zip_builder.h"

/* ---- what PyTorch reads ------------------------------------------------------------------------------------- */
static void reads_archives(void) {
    pml_conform_golden("providers/torch-zip/tensors.pth", "providers/torch-zip/expected.safetensors");
    pml_conform_golden("providers/torch-zip/protocol4.pth", "providers/torch-zip/expected.safetensors");
    pml_conform_golden("providers/torch-zip/state_dict.pth", "providers/torch-zip/expected-state_dict.safetensors");
    pml_conform_golden("providers/torch-zip/newtypes.pth", "providers/torch-zip/expected-newtypes.safetensors");
}

static void reads_rows_of_pickles(void) {
    pml_conform_golden("providers/torch-legacy/tensors.pth", "providers/torch-legacy/expected.safetensors");
}

static void takes_no_moments_for_weights(void) {
    pml_conform_golden("providers/torch-nested/last.ckpt", "providers/torch-nested/expected.safetensors");
}

static void tolerates_unknown_globals_beside_weights(void) {
    pml_conform_golden("providers/torch-evil/unknown-global.ckpt", "providers/torch-evil/expected.safetensors");
    pml_conform_golden("providers/torch-evil/unknown-global-first.ckpt", "providers/torch-evil/expected.safetensors");
}

/* A file whose name or contents end up the same as those of its twin in the same folder. */
static void matches_twins(void) {
    static const char *const names[] = {
        "patchtst/off-42like/checkpoint.pth",
        "patchtst/off-42like/checkpoint-legacy.pth",
        "patchtst/ssl-pretrain/checkpoint.pth",
        "patchtst/ssl-pretrain/checkpoint-opt.pth",
        "ett/patchtst-official-etth1-96/checkpoint.pth",
        "ett/dlinear-etth1-96/checkpoint.pth",
        "ett/itransformer-etth1-96/checkpoint.pth",
        "autoformer/official-timef/checkpoint.pth",
        "dlinear/shared/checkpoint.pth",
        "fedformer/official-fourier-low/checkpoint.pth",
        "fedformer/official-fourier-random/checkpoint.pth",
        "fedformer/official-multikernel/checkpoint.pth",
        "fedformer/tsl-fourier-short-label/checkpoint.pth",
        "fedformer/tsl-fourier/checkpoint.pth",
        "itransformer/official-marks/checkpoint.pth",
        "timesnet/tsl-forecast/checkpoint.pth",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *path = pml_test_golden(names[i]);
        if (path != NULL) { /* those of later families are not in the repository */
            pml_conform(path, pml_test_path("%.*s/model.safetensors", (int)(strrchr(path, '/') - path), path));
        }
    }
}

static void keeps_plain_settings(void) {
    const char *path = pml_test_golden("providers/torch-nested/last.ckpt");
    pml_source *source = NULL;
    pml_error error;
    CU_ASSERT_PTR_NOT_NULL_FATAL(path);
    PML_ASSERT_OK(pml_source_open(path, &source, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    const char *settings = pml_source_attribute(source, "hyper_parameters");
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
    CU_ASSERT_STRING_EQUAL(settings, "{\"d_model\":16,\"lr\":0.001,\"activation\":\"gelu\",\"sizes\":[4,3,2],"
                                     "\"use_norm\":true,\"dropout\":null,\"pair\":[1,2.5]}");
    CU_ASSERT_PTR_NULL(pml_source_attribute(source, "optimizer_states"));
    pml_source_close(source);
}

static void leaves_unknown_settings_out(void) {
    const char *path = pml_test_golden("providers/torch-evil/unknown-global.ckpt");
    pml_source *source = NULL;
    pml_error error;
    CU_ASSERT_PTR_NOT_NULL_FATAL(path);
    PML_ASSERT_OK(pml_source_open(path, &source, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    const char *settings = pml_source_attribute(source, "hyper_parameters");
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
    CU_ASSERT_PTR_NULL(strstr(settings, "loss"));
    CU_ASSERT_PTR_NOT_NULL(strstr(settings, "\"h\":12"));
    pml_source_close(source);
}

/* Contiguous tensors of stored records are bytes of the file; views and deflated ones are made. */
static void copies_nothing_that_lies_as_it_should(void) {
    const char *path = pml_test_golden("providers/torch-zip/tensors.pth");
    pml_source *source = NULL;
    pml_error error;
    CU_ASSERT_PTR_NOT_NULL_FATAL(path);
    PML_ASSERT_OK(pml_source_open(path, &source, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    static const struct {
        const char *name;
        bool is_made;
    } cases[] = {{"f32", false},     {"base", false},    {"rows", false},  {"scalar", false},
                 {"empty", false},   {"c64", false},     {"step", true},   {"column", true},
                 {"expanded", true}, {"permuted", true}, {"param", false}, {"transposed", true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const pml_source_tensor *tensor = pml_source_tensor_find(source, cases[i].name);
        CU_ASSERT_PTR_NOT_NULL_FATAL(tensor);
        CU_ASSERT_EQUAL(tensor->is_made, cases[i].is_made);
    }
    pml_source_close(source);
}

/* ---- what is refused ---------------------------------------------------------------------------------------- */
static size_t for_each_golden(const char *folder, void (*visit)(const char *path, const char *stem)) {
    const char *path = pml_test_path("%s/tests/goldens/torch/%s", pml_test_source_dir(), folder);
    size_t n_visited = 0;
    DIR *entries = opendir(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(entries);
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        const char *dot = strchr(entry->d_name, '.');
        size_t stem_bytes = dot == NULL ? strlen(entry->d_name) : (size_t)(dot - entry->d_name);
        if (stem_bytes == 0 || (dot != NULL && strcmp(dot, ".pth") != 0)) {
            continue;
        }
        visit(pml_test_path("%s/%s", path, entry->d_name),
              pml_test_path("%s/%.*s", path, (int)stem_bytes, entry->d_name));
        n_visited++;
    }
    (void)closedir(entries);
    return n_visited;
}

static void read_all(pml_source *source) {
    pml_error error;
    for (size_t i = 0; i < pml_source_n_tensors(source); i++) {
        const void *bytes = NULL;
        PML_ASSERT_OK(pml_source_tensor_view(source, pml_source_tensor_at(source, i), &bytes, &error), &error);
    }
}

static void check_valid(const char *path, const char *stem) {
    (void)stem;
    pml_source *source = NULL;
    pml_error error;
    PML_ASSERT_OK(pml_source_open(path, &source, &error), &error);
    if (source != NULL) {
        CU_ASSERT(pml_source_n_tensors(source) > 0);
        read_all(source);
    }
    pml_source_close(source);
}

static void check_invalid(const char *path, const char *stem) {
    size_t size_bytes;
    char *expected = (char *)pml_test_read_file(pml_test_path("%s.expected", stem), &size_bytes);
    char *part = strchr(expected, '\t');
    CU_ASSERT_PTR_NOT_NULL_FATAL(part);
    *part++ = '\0';
    part[strcspn(part, "\n")] = '\0';
    pml_source *source = (pml_source *)1;
    pml_error error = {.message = ""};
    pml_status status = pml_source_open(path, &source, &error);
    bool names_the_file = strstr(error.message, strrchr(stem, '/') + 1) != NULL;
    if (strcmp(pml_status_name(status), expected) != 0 || strstr(error.message, part) == NULL || !names_the_file) {
        (void)printf("\n    %s: expected %s with \"%s\", got %s: %s\n", path, expected, part, pml_status_name(status),
                     error.message);
        CU_FAIL("golden");
    }
    CU_ASSERT_PTR_NULL(source);
    for (const char *byte = error.message; *byte != '\0'; byte++) {
        CU_ASSERT((unsigned char)*byte >= 0x20 && *byte != 0x7f);
    }
    free(expected);
}

static void accepts_valid_goldens(void) {
    CU_ASSERT(for_each_golden("valid", check_valid) >= 22);
}

static void refuses_invalid_goldens(void) {
    CU_ASSERT(for_each_golden("invalid", check_invalid) >= 200);
}

/* The evil files of the goldens, opened in a folder of their own: nothing may appear there. */
static void runs_nothing(void) {
    static const char *const names[] = {"evil-reduce.pth", "evil-reduce-legacy.pth", "evil-in-hyper.pth",
                                        "evil-plain.pkl"};
    char before[4096];
    const char *folder = pml_test_fresh_dir("evil");
    CU_ASSERT_PTR_NOT_NULL_FATAL(getcwd(before, sizeof before));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *path = pml_test_golden(pml_test_path("providers/torch-evil/%s", names[i]));
        CU_ASSERT_PTR_NOT_NULL_FATAL(path);
        CU_ASSERT_EQUAL_FATAL(chdir(folder), 0);
        pml_source *source = NULL;
        pml_error error;
        pml_status status = pml_source_open(path, &source, &error);
        CU_ASSERT_EQUAL_FATAL(chdir(before), 0);
        bool is_readable = strcmp(names[i], "evil-in-hyper.pth") == 0; /* the weights lie beside it */
        CU_ASSERT_EQUAL(status, is_readable ? PML_OK : PML_E_UNSUPPORTED);
        CU_ASSERT_EQUAL(pml_test_count_files(folder), 0);
        pml_source_close(source);
    }
}

/* ---- cut and damaged files ---------------------------------------------------------------------------------- */
static void open_and_read(const char *path, pml_status *status) {
    pml_source *source = NULL;
    pml_error error = {.message = ""};
    *status = pml_source_open(path, &source, &error);
    for (size_t i = 0; *status == PML_OK && i < pml_source_n_tensors(source); i++) {
        const void *bytes;
        *status = pml_source_tensor_view(source, pml_source_tensor_at(source, i), &bytes, &error);
    }
    CU_ASSERT(*status == PML_OK || error.message[0] != '\0');
    pml_source_close(source);
}

static void refuses_cuts_at_every_byte(void) {
    static const char *const names[] = {"valid/plain.pth", "valid/deflated.pth", "valid/row.pth"};
    const char *cut = pml_test_path("%s/cut.pth", pml_test_fresh_dir("cut"));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t size_bytes;
        unsigned char *bytes = pml_test_read_file(
            pml_test_path("%s/tests/goldens/torch/%s", pml_test_source_dir(), names[i]), &size_bytes);
        for (size_t length = 0; length < size_bytes; length++) {
            pml_status status;
            pml_test_write_file(cut, bytes, length);
            open_and_read(cut, &status);
            CU_ASSERT(status == PML_E_FORMAT || status == PML_E_UNSUPPORTED);
        }
        free(bytes);
    }
}

/* Every byte changed in three ways: either an error or, where the byte means nothing, the file as it was. */
static void survives_flips_of_every_byte(void) {
    static const char *const names[] = {"valid/deflated.pth", "valid/row.pth"};
    static const unsigned char changes[] = {0x01, 0x80, 0xff};
    const char *flipped = pml_test_path("%s/flipped.pth", pml_test_fresh_dir("flipped"));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t size_bytes, n_refused = 0;
        unsigned char *bytes = pml_test_read_file(
            pml_test_path("%s/tests/goldens/torch/%s", pml_test_source_dir(), names[i]), &size_bytes);
        for (size_t at = 0; at < size_bytes * sizeof changes; at++) {
            pml_status status;
            bytes[at / sizeof changes] ^= changes[at % sizeof changes];
            pml_test_write_file(flipped, bytes, size_bytes);
            open_and_read(flipped, &status);
            n_refused += status != PML_OK;
            bytes[at / sizeof changes] ^= changes[at % sizeof changes];
        }
        CU_ASSERT(n_refused > size_bytes);
        free(bytes);
    }
}

/* Every allocation of opening and reading fails once: an error, and nothing is lost. */
static void survives_scarce_memory(void) {
    static const char *const names[] = {"providers/torch-nested/last.ckpt", "providers/torch-legacy/tensors.pth",
                                        "torch/valid/deflated.pth", "torch/valid/sharded"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *path = pml_test_golden(names[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(path);
        pml_status status = PML_E_MEMORY;
        for (unsigned long n = 1; n < 5000 && status == PML_E_MEMORY; n++) {
            pml_test_fail_allocation(n, false);
            open_and_read(path, &status);
            pml_test_fail_allocation(0, false);
        }
        CU_ASSERT_EQUAL(status, PML_OK);
    }
}

/* ---- size --------------------------------------------------------------------------------------------------- */
enum { MEGABYTE = 1 << 20 };

/* A pickle of a megabyte: a front, `each` over and over, an end. */
static void open_repeated(const char *name, const char *each, size_t each_bytes, pml_status *status) {
    unsigned char *pickle = malloc(MEGABYTE + 2);
    size_t n = 0;
    pml_zip_builder built;
    memcpy(pickle, "\x80\x02", 2);
    for (n = 2; n + each_bytes < MEGABYTE; n += each_bytes) {
        memcpy(pickle + n, each, each_bytes);
    }
    pickle[n++] = '.';
    const pml_zip_part parts[] = {{"x/data.pkl", pickle, n, false}};
    pml_zip_build(&built, parts, 1);
    const char *path = pml_test_path("%s/%s.pth", pml_test_temporary_dir(), name);
    pml_test_write_file(path, built.bytes, built.size_bytes);
    open_and_read(path, status);
    free(built.bytes);
    free(pickle);
}

static long resident_kilobytes(void) {
    char line[256];
    long peak = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "VmHWM: %ld kB", &peak);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return peak;
}

static void bounds_memory(void) {
    static const struct {
        const char *name, *each;
        size_t each_bytes;
    } cases[] = {
        {"marks", "(", 1},
        {"lists", "]", 1},
        {"dicts", "}", 1},
        {"tuples", "N\x85", 2},
        {"numbers", "K\1", 2},
        {"filled-lists", "]Na", 3},
        {"memo", "Nq\1", 3},
        {"memoized", "N\x94", 2},
        {"globals", "ca\nb\n", 5},
        {"objects", "ca\nb\n)R", 7},
        {"deep-lists", "]q\1h\1a", 6},
        {"storages", ")Q", 2},
        {"sets", "\x8f(N\x90", 4},
        {"long-memo", "Nr\xff\xff\0\0", 6},
    };
    const long before = resident_kilobytes();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_status status;
        open_repeated(cases[i].name, cases[i].each, cases[i].each_bytes, &status);
        CU_ASSERT(status == PML_E_FORMAT || status == PML_E_UNSUPPORTED);
#if !defined(PML_TEST_SANITIZED)
        CU_ASSERT(resident_kilobytes() - before <= 64 * 1024 + 4 * 1024 + 8 * 1024); /* and the test's own buffers */
#endif
    }
    (void)before;
}

PML_TESTS("formats/torch", PML_TEST(reads_archives), PML_TEST(reads_rows_of_pickles),
          PML_TEST(takes_no_moments_for_weights), PML_TEST(tolerates_unknown_globals_beside_weights),
          PML_TEST(matches_twins), PML_TEST(keeps_plain_settings), PML_TEST(leaves_unknown_settings_out),
          PML_TEST(copies_nothing_that_lies_as_it_should), PML_TEST(accepts_valid_goldens),
          PML_TEST(refuses_invalid_goldens), PML_TEST(runs_nothing), PML_TEST(refuses_cuts_at_every_byte),
          PML_TEST(survives_flips_of_every_byte), PML_TEST(survives_scarce_memory), PML_TEST(bounds_memory))
