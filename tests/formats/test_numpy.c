/* NumPy arrays: orders, byte orders and dtypes, and what is refused. */
#include <string.h>

#include "formats/numpy/npy_header.h"
#include "formats/source.h"
#include "tests/formats/conformance.h"

#define CASE(name) "providers/npz/" name

static void archives_are_as_expected(void) {
    pml_conform_golden(CASE("stored.npz"), CASE("expected.safetensors"));
    pml_conform_golden(CASE("deflated.npz"), CASE("expected.safetensors"));
}

/* The only tensor of `name` is `like` of the archive. */
static void check_single(const char *name, const char *tensor_name, const char *like) {
    const char *path = pml_test_golden(pml_test_path(CASE("%s"), name)), *all = pml_test_golden(CASE("stored.npz"));
    pml_source *single = NULL, *archive = NULL;
    pml_error error;
    const void *bytes = NULL, *wanted_bytes = NULL;
    if (path == NULL || all == NULL) {
        pml_test_skip("no golden data");
        return;
    }
    PML_ASSERT_OK(pml_source_open(path, &single, &error), &error);
    PML_ASSERT_OK(pml_source_open(all, &archive, &error), &error);
    const pml_source_tensor *found = pml_source_tensor_find(single, tensor_name);
    const pml_source_tensor *wanted = pml_source_tensor_find(archive, like);
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    CU_ASSERT_PTR_NOT_NULL_FATAL(wanted);
    CU_ASSERT_EQUAL(pml_source_n_tensors(single), 1);
    CU_ASSERT_EQUAL(found->rank, wanted->rank);
    CU_ASSERT_EQUAL(memcmp(found->shape, wanted->shape, sizeof found->shape), 0);
    PML_ASSERT_OK(pml_source_tensor_view(single, found, &bytes, &error), &error);
    PML_ASSERT_OK(pml_source_tensor_view(archive, wanted, &wanted_bytes, &error), &error);
    CU_ASSERT_EQUAL(memcmp(bytes, wanted_bytes, wanted->size_bytes), 0);
    pml_source_close(archive);
    pml_source_close(single);
}

static void single_arrays(void) {
    check_single("single.npy", "single", "fortran");
    check_single("version2.npy", "version2", "f32");
}

static void objects_are_refused_by_name(void) {
    const char *path = pml_test_golden(CASE("object-refuse.npz"));
    pml_source *source;
    pml_error error;
    if (path == NULL) {
        pml_test_skip("no golden data");
        return;
    }
    PML_ASSERT_FAILS(pml_source_open(path, &source, &error), PML_E_UNSUPPORTED, &error, "'bad.npy'");
    PML_ASSERT_FAILS(pml_source_open(path, &source, &error), PML_E_UNSUPPORTED, &error, "Python objects");
}

/* ---- headers ---- */
/* "\x93NUMPY", version 1.0, and `text` as header, without padding. */
static size_t make_header(const char *text, uint8_t *bytes) {
    size_t length = strlen(text);
    memcpy(bytes, "\x93NUMPY\1\0", 8);
    bytes[8] = (uint8_t)length;
    bytes[9] = (uint8_t)(length >> 8);
    memcpy(bytes + 10, text, length);
    return 10 + length;
}

typedef struct header_case {
    const char *text;
    pml_status status;
    const char *part; /* of the message */
} header_case;

static const header_case header_cases[] = {
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }\n", PML_OK, NULL},
    {"{\"shape\":(3,4),\"descr\":\"<f4\",\"fortran_order\":False}", PML_OK, NULL},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3L, 4L)}", PML_OK, NULL},
    {"{'descr': '=f4', 'fortran_order': True, 'shape': (1, 12), }", PML_OK, NULL},
    {"{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", PML_E_UNSUPPORTED, "Python objects"},
    {"{'descr': '<U4', 'fortran_order': False, 'shape': (3,), }", PML_E_UNSUPPORTED, "text or dates"},
    {"{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (3,), }", PML_E_UNSUPPORTED, "text or dates"},
    {"{'descr': '|V2', 'fortran_order': False, 'shape': (3,), }", PML_E_UNSUPPORTED, "raw bytes"},
    {"{'descr': '<f3', 'fortran_order': False, 'shape': (3,), }", PML_E_UNSUPPORTED, "'<f3'"},
    {"{'descr': '|f4', 'fortran_order': False, 'shape': (3,), }", PML_E_UNSUPPORTED, "'|f4'"},
    {"{'descr': 'f4', 'fortran_order': False, 'shape': (3,), }", PML_E_UNSUPPORTED, "'f4'"},
    {"{'descr': '', 'fortran_order': False, 'shape': (3,), }", PML_E_UNSUPPORTED, "''"},
    {"{'descr': '<c16', 'fortran_order': False, 'shape': (3,), }", PML_E_UNSUPPORTED, "'<c16'"},
    {"{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (3,), }", PML_E_UNSUPPORTED, "structures"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", PML_E_UNSUPPORTED, "dimensions"},
    {"{'descr': '<f4', 'fortran_order': 0, 'shape': (3,), }", PML_E_FORMAT, "True or False"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3), }", PML_E_FORMAT, "no shape"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (-3,), }", PML_E_FORMAT, "a dimension"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (+3,), }", PML_E_FORMAT, "a dimension"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3 4), }", PML_E_FORMAT, "','"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", PML_E_FORMAT, "64 bits"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'shape': (3,), }", PML_E_FORMAT, "second time"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'x': 1, }", PML_E_FORMAT, "does not belong"},
    {"{'descr': '<f4', 'shape': (3,), }", PML_E_FORMAT, "missing"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), } + x", PML_E_FORMAT, "follows"},
    {"{'descr': '<f\\x34', 'fortran_order': False, 'shape': (3,), }", PML_E_FORMAT, "does not belong"},
    {"{'descr': __import__('os'), 'fortran_order': False, 'shape': (3,), }", PML_E_FORMAT, "quotes"},
    {"{'descr': '<f4, 'fortran_order': False, 'shape': (3,), }", PML_E_UNSUPPORTED, "'<f4, '"},
    {"", PML_E_FORMAT, NULL},
};

static void headers_are_read_strictly(void) {
    for (size_t i = 0; i < sizeof header_cases / sizeof header_cases[0]; i++) {
        const header_case *c = &header_cases[i];
        uint8_t bytes[512];
        pml_npy_header header;
        pml_error error = {0};
        const size_t n_bytes = make_header(c->text, bytes);
        const pml_status status = pml_npy_header_read(bytes, n_bytes, "x", &header, &error);
        if (c->status == PML_OK) {
            PML_ASSERT_OK(status, &error);
            CU_ASSERT(header.rank == 2 && header.shape[0] * header.shape[1] == 12 && header.header_bytes == n_bytes);
            CU_ASSERT(header.dtype == PML_DTYPE_F32 && header.swap_bytes == 0 && !header.is_fortran);
        } else {
            PML_ASSERT_FAILS(status, c->status, &error, c->part);
        }
        for (size_t cut = 0; cut < n_bytes; cut++) {
            CU_ASSERT_NOT_EQUAL(pml_npy_header_read(bytes, cut, "x", &header, NULL), PML_OK);
        }
    }
}

static void versions_and_lengths(void) {
    uint8_t bytes[64] = "\x93NUMPY\4";
    pml_npy_header header;
    pml_error error;
    PML_ASSERT_FAILS(pml_npy_header_read(bytes, sizeof bytes, "x", &header, &error), PML_E_UNSUPPORTED, &error, "3.0");
    bytes[6] = 2;
    memset(bytes + 8, 0xff, 4); /* a header of 4 GiB */
    PML_ASSERT_FAILS(pml_npy_header_read(bytes, sizeof bytes, "x", &header, &error), PML_E_FORMAT, &error, "longer");
    bytes[0] = 'x';
    PML_ASSERT_FAILS(pml_npy_header_read(bytes, sizeof bytes, "x", &header, &error), PML_E_FORMAT, &error, "no array");
}

/* ---- files ---- */
static void check_file(const char *text, size_t n_data, pml_status expected, const char *part) {
    uint8_t bytes[512] = {0};
    const char *path = pml_test_path("%s/array.npy", pml_test_temporary_dir());
    pml_source *source = NULL;
    pml_error error;
    pml_test_write_file(path, bytes, make_header(text, bytes) + n_data);
    const pml_status status = pml_source_open(path, &source, &error);
    if (expected == PML_OK) {
        PML_ASSERT_OK(status, &error);
    } else {
        PML_ASSERT_FAILS(status, expected, &error, part);
    }
    pml_source_close(source);
}

static void data_fill_the_shape(void) {
    static const char twelve[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }";
    check_file(twelve, 12, PML_OK, NULL);
    check_file(twelve, 11, PML_E_FORMAT, "needs 12 bytes");
    check_file(twelve, 13, PML_E_FORMAT, "13 follow");
    check_file("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", 0, PML_E_FORMAT,
               "overflows");
    check_file("{'descr': '<f8', 'fortran_order': True, 'shape': (0, 4611686018427387904), }", 0, PML_OK, NULL);
}

/* An empty array of monstrous dimensions costs nothing to make. */
static void empty_arrays_are_made(void) {
    uint8_t bytes[512] = {0};
    const char *path = pml_test_path("%s/empty.npy", pml_test_temporary_dir());
    pml_source *source = NULL;
    pml_error error;
    const void *view;
    pml_test_write_file(
        path, bytes,
        make_header("{'descr': '>f4', 'fortran_order': True, 'shape': (1152921504606846976, 0, 2), }", bytes));
    PML_ASSERT_OK(pml_source_open(path, &source, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    PML_ASSERT_OK(pml_source_tensor_view(source, pml_source_tensor_at(source, 0), &view, &error), &error);
    pml_source_close(source);
}

/* Every cut of an archive is refused, and every flipped byte is refused or leaves all arrays as they were told. */
static void damage_is_noticed(void) {
    static const char *const names[] = {CASE("stored.npz"), CASE("deflated.npz")};
    const char *path = pml_test_path("%s/damaged.npz", pml_test_temporary_dir());
    for (size_t i = 0; i < 2; i++) {
        const char *golden = pml_test_golden(names[i]);
        size_t n_bytes;
        if (golden == NULL) {
            pml_test_skip("no golden data");
            return;
        }
        unsigned char *bytes = pml_test_read_file(golden, &n_bytes);
        for (size_t cut = 1; cut < n_bytes; cut++) {
            pml_source *source = NULL;
            pml_test_write_file(path, bytes, cut);
            CU_ASSERT_NOT_EQUAL(pml_source_open(path, &source, NULL), PML_OK);
            pml_source_close(source);
        }
        pml_source *source = NULL;
        pml_error error;
        pml_status status = pml_source_open(golden, &source, &error);
        PML_ASSERT_OK(status, &error);
        bytes[pml_source_tensor_find(source, "f32")->offset_bytes + 1] ^= 0x55; /* an element, or compressed data */
        pml_source_close(source);
        source = NULL;
        pml_test_write_file(path, bytes, n_bytes);
        status = pml_source_open(path, &source, &error);
        for (size_t j = 0; status == PML_OK && j < pml_source_n_tensors(source); j++) {
            const void *view;
            status = pml_source_tensor_view(source, pml_source_tensor_at(source, j), &view, &error);
        }
        CU_ASSERT_EQUAL(status, PML_E_FORMAT);
        pml_source_close(source);
        free(bytes);
    }
}

static void memory_may_be_short(void) {
    const char *golden = pml_test_golden(CASE("deflated.npz"));
    pml_status status = PML_E_MEMORY;
    if (golden == NULL) {
        pml_test_skip("no golden data");
        return;
    }
    for (unsigned long n = 1; n < 500 && status == PML_E_MEMORY; n++) {
        pml_source *source = NULL;
        const void *view;
        pml_test_fail_allocation(n, false);
        status = pml_source_open(golden, &source, NULL);
        for (size_t i = 0; status == PML_OK && i < pml_source_n_tensors(source); i++) {
            status = pml_source_tensor_view(source, pml_source_tensor_at(source, i), &view, NULL);
        }
        pml_test_fail_allocation(0, false);
        pml_source_close(source);
    }
    CU_ASSERT_EQUAL(status, PML_OK);
}

PML_TESTS("formats/numpy", PML_TEST(archives_are_as_expected), PML_TEST(single_arrays),
          PML_TEST(objects_are_refused_by_name), PML_TEST(headers_are_read_strictly), PML_TEST(versions_and_lengths),
          PML_TEST(data_fill_the_shape), PML_TEST(empty_arrays_are_made), PML_TEST(damage_is_noticed),
          PML_TEST(memory_may_be_short))
