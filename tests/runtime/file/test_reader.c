#include "tests/harness.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/runtime/file/faults.h"
#include "tests/runtime/file/sample.h"

/* Opens and, if that works, verifies a copy of exactly that size, so that a sanitizer sees any byte read too many. */
static pml_status examine(const uint8_t *bytes, size_t size_bytes, pml_error *error) {
    pml_file *file = NULL;
    uint8_t *copy = malloc(size_bytes == 0 ? 1 : size_bytes);
    memcpy(copy, bytes, size_bytes);
    pml_status status = pml_file_parse(copy, size_bytes, "test.pml", &file, error);
    if (status == PML_OK) {
        status = pml_file_verify(file, error);
    }
    pml_file_close(file);
    free(copy);
    return status;
}

static pml_status open_only(const uint8_t *bytes, size_t size_bytes, pml_error *error) {
    pml_file *file = NULL;
    pml_status status = pml_file_parse(bytes, size_bytes, "test.pml", &file, error);
    pml_file_close(file);
    return status;
}

/* The ten ways of figure G7 to change a byte. */
static uint8_t corrupt(uint8_t byte, unsigned way) {
    unsigned changed = way < 8 ? byte ^ (1u << way) : way == 8 ? 0 : 0xff;
    return (uint8_t)changed;
}

static bool is_clean(pml_status status) {
    return status == PML_OK || status == PML_E_FORMAT || status == PML_E_UNSUPPORTED || status == PML_E_MISMATCH;
}

static void accepts_what_the_tests_build(void) {
    pml_error error = {0};
    built base = build_base(), rich = build_rich(&build_v1);
    PML_ASSERT_OK(examine(base.bytes, base.size_bytes, &error), &error);
    PML_ASSERT_OK(examine(rich.bytes, rich.size_bytes, &error), &error);
    free(base.bytes);
    free(rich.bytes);
}

static void names_every_fault(void) {
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        const fault *f = &faults[i];
        pml_error error = {0};
        built file = fault_make(f);
        pml_status opened = open_only(file.bytes, file.size_bytes, &error);
        bool fits = !f->verify_only || pml_test_ok(opened, &error, __FILE__, __LINE__);
        fits = pml_test_fails(examine(file.bytes, file.size_bytes, &error), f->status, &error, f->message, __FILE__,
                              __LINE__) &&
               fits;
        /* A message names the file, and a place in it. */
        fits = fits && strstr(error.message, "test.pml") != NULL && error.offset_bytes != PML_NO_OFFSET;
        CU_ASSERT_TRUE(fits);
        if (!fits) {
            (void)printf("    fault %s: %s\n", f->name, error.message);
        }
        free(file.bytes);
    }
}

/* Sizes that agree with each other, but not with the file. */
static void compares_extents_with_the_file(void) {
    static const build_tensor tensors[] = {{"t", "", PML_DTYPE_F32, PML_LAYOUT_ROW, 1, 0, {32}}};
    static const struct {
        uint64_t n;
        const char *message;
    } cases[] = {{33, "'t': its data of 132 bytes at byte"},
                 {1000, "runs past the end of the file"},
                 {1ull << 40, "is not the first aligned byte"}, /* a tensor of that size begins on a page */
                 {16, "the tensors end at byte"},
                 {1, "the tensors end at byte"}};
    pml_metadata *m = NULL;
    CU_ASSERT_EQUAL_FATAL(pml_metadata_create(&m, NULL), PML_OK);
    built file = build_file(&build_v1, m, tensors, 1, NULL, 0);
    pml_metadata_destroy(m);
    uint8_t *record = file.bytes + pml_load_u64(file.bytes + 96);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_error error = {0};
        pml_store_u64(record + 40, cases[i].n);
        pml_store_u64(record + 112, 4 * cases[i].n);
        build_reseal(file.bytes, file.size_bytes);
        PML_ASSERT_FAILS(open_only(file.bytes, file.size_bytes, &error), PML_E_FORMAT, &error, cases[i].message);
        CU_ASSERT_NOT_EQUAL(error.offset_bytes, PML_NO_OFFSET);
    }
    free(file.bytes);
}

/* Figure G7: no byte of the head may change unnoticed. */
static void rejects_every_corrupt_head_byte(void) {
    built files[] = {build_base(), build_rich(&build_v1)};
    for (size_t n = 0; n < 2; n++) {
        uint8_t *bytes = files[n].bytes;
        size_t head_bytes = build_head_bytes(bytes), n_accepted = 0;
        for (size_t i = 0; i < head_bytes; i++) {
            uint8_t kept = bytes[i];
            for (unsigned j = 0; j < 10; j++) {
                bytes[i] = corrupt(kept, j);
                if (bytes[i] != kept) {
                    pml_status status = open_only(bytes, files[n].size_bytes, NULL);
                    n_accepted += status != PML_E_FORMAT && status != PML_E_UNSUPPORTED;
                }
            }
            bytes[i] = kept;
        }
        CU_ASSERT_EQUAL(n_accepted, 0);
        free(bytes);
    }
}

/* The same with a checksum that fits, as an attacker would: nothing but a clean answer, whatever the sanitizers watch.
 */
static void survives_resealed_corruption(void) {
    built files[] = {build_base(), build_rich(&build_v1)};
    for (size_t n = 0; n < 2; n++) {
        size_t head_bytes = build_head_bytes(files[n].bytes), n_unclean = 0;
        uint8_t *copy = malloc(files[n].size_bytes);
        for (size_t i = 0; i < head_bytes; i++) {
            for (unsigned j = 0; j < 10; j++) {
                memcpy(copy, files[n].bytes, files[n].size_bytes);
                copy[i] = corrupt(copy[i], j);
                build_reseal(copy, files[n].size_bytes);
                pml_file *file = NULL;
                pml_status status = pml_file_parse(copy, files[n].size_bytes, "test.pml", &file, NULL);
                status = status == PML_OK && j < 2 ? pml_file_verify(file, NULL) : status;
                n_unclean += !is_clean(status);
                pml_file_close(file);
            }
        }
        CU_ASSERT_EQUAL(n_unclean, 0);
        free(copy);
        free(files[n].bytes);
    }
}

/* Every 32-bit and 64-bit field of the head takes the values that overflow likes. */
static void survives_extreme_fields(void) {
    static const uint64_t extremes[] = {0,
                                        1,
                                        63,
                                        64,
                                        65,
                                        4095,
                                        4096,
                                        INT32_MAX,
                                        1ull << 31,
                                        UINT32_MAX,
                                        1ull << 32,
                                        INT64_MAX,
                                        1ull << 63,
                                        UINT64_MAX - 4095,
                                        UINT64_MAX - 63,
                                        UINT64_MAX};
    built base = build_rich(&build_v1);
    size_t head_bytes = build_head_bytes(base.bytes), n_unclean = 0;
    uint8_t *copy = malloc(base.size_bytes);
    for (size_t i = 8; i + 8 <= head_bytes; i += 4) {
        for (size_t j = 0; j < sizeof extremes / sizeof extremes[0]; j++) {
            for (unsigned width = 4; width <= 8; width += 4) {
                memcpy(copy, base.bytes, base.size_bytes);
                memcpy(copy + i, &extremes[j], width);
                build_reseal(copy, base.size_bytes);
                n_unclean += !is_clean(open_only(copy, base.size_bytes, NULL));
            }
        }
    }
    CU_ASSERT_EQUAL(n_unclean, 0);
    free(copy);
    free(base.bytes);
}

/* Figure G9, in memory: every prefix, as it is and with a header that claims just that size. */
static void rejects_every_prefix(void) {
    built base = build_base();
    size_t n_accepted = 0;
    for (size_t size_bytes = 0; size_bytes < base.size_bytes; size_bytes++) {
        uint8_t *copy = malloc(size_bytes == 0 ? 1 : size_bytes);
        memcpy(copy, base.bytes, size_bytes);
        n_accepted += open_only(copy, size_bytes, NULL) != PML_E_FORMAT;
        if (size_bytes >= 256) {
            pml_store_u64(copy + 24, size_bytes);
            build_reseal(copy, size_bytes);
            n_accepted += open_only(copy, size_bytes, NULL) != PML_E_FORMAT;
        }
        free(copy);
    }
    CU_ASSERT_EQUAL(n_accepted, 0);
    free(base.bytes);
}

/* Figure G9 on disk: every header prefix, every tensor edge and its neighbours, a thousand others. */
static void rejects_truncated_files(void) {
    pml_error error = {0};
    const char *path = pml_test_path("%s/whole.pml", pml_test_temporary_dir());
    const char *cut = pml_test_path("%s/cut.pml", pml_test_temporary_dir());
    PML_ASSERT_OK(sample_write(path, true, 4096, &error), &error);
    size_t size_bytes, n_sizes = 0;
    uint8_t *bytes = pml_test_read_file(path, &size_bytes);
    pml_file *file = NULL;
    PML_ASSERT_OK(pml_file_open(path, &file, &error), &error);
    size_t *sizes = malloc((PML_HEADER_BYTES + 6 * SAMPLE_COUNT + 1000) * sizeof *sizes);
    for (size_t i = 0; i < PML_HEADER_BYTES; i++) {
        sizes[n_sizes++] = i;
    }
    for (size_t i = 0; i < pml_file_n_tensors(file); i++) {
        const pml_file_tensor *tensor = pml_file_tensor_at(file, i);
        for (size_t j = 0; j < 3; j++) {
            sizes[n_sizes++] = (size_t)tensor->offset_bytes + j - 1;
            sizes[n_sizes++] = (size_t)(tensor->offset_bytes + tensor->size_bytes) + j - 1;
        }
    }
    pml_file_close(file);
    uint32_t random = 12345;
    for (size_t i = 0; i < 1000; i++) {
        random = random * 1664525u + 1013904223u;
        sizes[n_sizes++] = random % size_bytes;
    }
    size_t n_wrong = 0;
    for (size_t i = 0; i < n_sizes; i++) {
        if (sizes[i] == size_bytes) {
            continue;
        }
        pml_test_write_file(cut, bytes, sizes[i]);
        pml_file *opened = NULL;
        n_wrong +=
            pml_file_open(cut, &opened, &error) != PML_E_FORMAT || opened != NULL || strstr(error.message, cut) == NULL;
    }
    CU_ASSERT_EQUAL(n_wrong, 0);
    free(sizes);
    free(bytes);
}

static void rejects_what_is_not_a_file(void) {
    pml_error error = {0};
    pml_file *file = NULL;
    const char *fifo = pml_test_path("%s/fifo", pml_test_temporary_dir());
    const char *empty = pml_test_path("%s/empty", pml_test_temporary_dir());
    CU_ASSERT_EQUAL(mkfifo(fifo, 0600), 0);
    pml_test_write_file(empty, "", 0);
    PML_ASSERT_FAILS(pml_file_open("/nonexistent/x.pml", &file, &error), PML_E_NOT_FOUND, &error, "/nonexistent/x.pml");
    PML_ASSERT_FAILS(pml_file_open("/etc/passwd/x.pml", &file, &error), PML_E_NOT_FOUND, &error, "no such file");
    PML_ASSERT_FAILS(pml_file_open(fifo, &file, &error), PML_E_FORMAT, &error, "not a regular file");
    PML_ASSERT_FAILS(pml_file_open("/dev/zero", &file, &error), PML_E_FORMAT, &error, "not a regular file");
    PML_ASSERT_FAILS(pml_file_open(pml_test_temporary_dir(), &file, &error), PML_E_FORMAT, &error, "is a directory");
    PML_ASSERT_FAILS(pml_file_open(empty, &file, &error), PML_E_FORMAT, &error, "0 bytes are too few");
    CU_ASSERT_PTR_NULL(file);
}

/* What a newer minor may add is skipped, and what it may not is refused as unsupported. */
static void accepts_newer_minor(void) {
    pml_error error = {0};
    const build_options newer = {7, 0x0000ffff, 320, 200, 72};
    built file = build_rich(&newer), plain = build_rich(&build_v1);
    PML_ASSERT_OK(examine(file.bytes, file.size_bytes, &error), &error);
    CU_ASSERT_EQUAL(memcmp(file.bytes + 48, plain.bytes + 48, 16), 0); /* the same content */
    pml_store_u32(file.bytes + 20, 0x10000);
    build_reseal(file.bytes, file.size_bytes);
    PML_ASSERT_FAILS(open_only(file.bytes, file.size_bytes, &error), PML_E_UNSUPPORTED, &error, "newer pml");
    free(file.bytes);
    free(plain.bytes);

    const build_options incompatible = {1, 0x00020000, 256, 192, 64};
    file = build_base();
    free(file.bytes);
    file = build_rich(&incompatible);
    pml_store_u32(file.bytes + 20, 0);
    build_reseal(file.bytes, file.size_bytes);
    PML_ASSERT_FAILS(open_only(file.bytes, file.size_bytes, &error), PML_E_UNSUPPORTED, &error,
                     "'complex.panel' has flags 00020000");
    free(file.bytes);
}

/* ---- figure G11: memory asked for stays in proportion to the file ---- */

static size_t allocated_bytes;

static void *counting_allocate(size_t alignment, size_t size_bytes) {
    allocated_bytes += size_bytes;
    return aligned_alloc(alignment, size_bytes);
}

static void asks_for_memory_in_proportion(void) {
    built base = build_base();
    size_t most = 0;
    uint8_t *copy = malloc(base.size_bytes);
    static const uint64_t extremes[] = {1u << 20, INT32_MAX, UINT32_MAX, 1ull << 40, UINT64_MAX};
    pml_allocator_set(counting_allocate, free);
    for (size_t i = 8; i + 8 <= build_head_bytes(base.bytes); i += 4) {
        for (size_t j = 0; j < sizeof extremes / sizeof extremes[0]; j++) {
            memcpy(copy, base.bytes, base.size_bytes);
            memcpy(copy + i, &extremes[j], 4 + 4 * (j > 2));
            build_reseal(copy, base.size_bytes);
            allocated_bytes = 0;
            (void)open_only(copy, base.size_bytes, NULL);
            most = allocated_bytes > most ? allocated_bytes : most;
        }
    }
    pml_allocator_set(NULL, NULL);
    CU_ASSERT(most < 4 * base.size_bytes + 65536);
    free(copy);
    free(base.bytes);
}

/* The Nth allocation fails, for every N: an error, nothing leaked, and the next attempt works. */
static void survives_failing_allocations(void) {
    pml_error error = {0};
    built base = build_base();
    pml_status status = PML_E_MEMORY;
    unsigned long n = 0;
    while (status == PML_E_MEMORY && n < 1000) {
        pml_file *file = NULL;
        n++;
        pml_test_fail_allocation(n, n % 2 == 0);
        status = pml_file_parse(base.bytes, base.size_bytes, "test.pml", &file, &error);
        if (status == PML_OK) {
            status = pml_file_verify(file, &error);
        }
        pml_test_fail_allocation(0, false);
        CU_ASSERT(status == PML_OK || status == PML_E_MEMORY);
        pml_file_close(file);
    }
    CU_ASSERT_EQUAL(status, PML_OK);
    CU_ASSERT(n > 8);
    free(base.bytes);
}

/* Figure G8 on a small file: every byte counts. */
static void verify_finds_every_flipped_byte(void) {
    built base = build_rich(&build_v1);
    size_t n_missed = 0;
    for (size_t i = build_head_bytes(base.bytes); i < base.size_bytes; i++) {
        base.bytes[i] ^= (uint8_t)(1u << (i % 8));
        pml_file *file = NULL;
        CU_ASSERT_EQUAL_FATAL(pml_file_parse(base.bytes, base.size_bytes, "test.pml", &file, NULL), PML_OK);
        n_missed += pml_file_verify(file, NULL) != PML_E_MISMATCH;
        pml_file_close(file);
        base.bytes[i] ^= (uint8_t)(1u << (i % 8));
    }
    CU_ASSERT_EQUAL(n_missed, 0);
    free(base.bytes);
}

/* Padding that a checksum covers must be zero as well: in panels, between complex parts, in columns without a scale. */
/* Changes a byte of an extent whose record lies at `field`, in a file whose checksums and digest are right otherwise.
 */
static void check_changed(const char *tensor, unsigned field, uint64_t byte, uint8_t value, const char *says,
                          bool names_byte) {
    pml_error error = {0};
    built base = build_rich(&build_v1);
    size_t n = 0;
    while (strcmp(rich_tensors[n].name, tensor) != 0) {
        n++;
    }
    uint8_t *record = base.bytes + pml_load_u64(base.bytes + 96) + n * 192 + field;
    uint64_t offset = pml_load_u64(record), size_bytes = pml_load_u64(record + 8);
    base.bytes[offset + byte] = value;
    pml_store_u64(record + 16, pml_bytes_checksum(base.bytes + offset, (size_t)size_bytes));
    build_reseal(base.bytes, base.size_bytes);
    pml_file *file = NULL;
    CU_ASSERT_EQUAL_FATAL(pml_file_parse(base.bytes, base.size_bytes, "test.pml", &file, &error), PML_OK);
    /* The digest covers checksums: give it its due, so that only the byte is wrong. */
    uint8_t *content = NULL;
    size_t content_bytes;
    CU_ASSERT_EQUAL_FATAL(pml_metadata_encode(file->metadata, false, &content, &content_bytes, NULL), PML_OK);
    CU_ASSERT_EQUAL_FATAL(pml_content_digest(content, content_bytes, file->tensors, pml_file_n_tensors(file),
                                             file->header.content_digest, NULL),
                          PML_OK);
    pml_free(content);
    PML_ASSERT_FAILS(pml_file_verify(file, &error), PML_E_MISMATCH, &error, tensor);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, says));
    CU_ASSERT_TRUE(!names_byte || error.offset_bytes == offset + byte);
    pml_file_close(file);
    free(base.bytes);
}

static void verify_finds_padding_with_a_fitting_checksum(void) {
    static const struct {
        const char *tensor;
        unsigned field; /* offset of the extent in the record */
        uint64_t byte;  /* within the extent */
    } cases[] = {
        {"complex.panel", 104, 256 + 8},  /* column 18 of the second panel, real */
        {"complex.panel", 104, 2048 - 4}, /* last column, imaginary */
        {"complex.row", 104, 13},         /* between the parts */
        {"int8.column", 104, 64 + 1},     /* row 5 of column 0 */
        {"int8.column", 104, 128 + 16},   /* column 20 */
        {"int8.column", 128, 64 + 16},    /* its scale */
        {"int8.column", 152, 64 + 16},    /* its sum */
        {"int8.g32", 128, 3 * 32 + 2},    /* scale of column 17, group 0 */
        {"int8.g64", 152, 3 * 32 + 8},    /* sum of column 20, group 1 */
        {"spec.bf16", 104, 64 + 2},       /* row 3 of column 0 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_changed(cases[i].tensor, cases[i].field, cases[i].byte, 1, "padding in", true);
    }
}

static void verifying_sees_what_i8_must_not_be(void) {
    check_changed("int8.column", 104, 0, 0x80, "-128", true);
    check_changed("int8.column", 104, 4, 0x7f, "add up to", false);
    check_changed("int8.column", 152, 0, 0x55, "sum 0 of", false);
    check_changed("int8.column", 128, 4 * 20 + 3 - 4 * 16 + 64, 0x7f, "padding in", true);
    check_changed("int8.column", 128, 3, 0x7f, "scale 0 of", false); /* with the 0x80 of 0.25: infinity */
    check_changed("int8.g32", 104, 70, 0x80, "-128", false);
    check_changed("int8.g64", 152, 2 * 17, 0x11, "sum 17 of", false);
    check_changed("int8.g64", 128, 1, 0x7c, "scale 0 of", false);
}

PML_TESTS("runtime/file/reader", PML_TEST(verifying_sees_what_i8_must_not_be), PML_TEST(accepts_what_the_tests_build),
          PML_TEST(names_every_fault), PML_TEST(compares_extents_with_the_file),
          PML_TEST(rejects_every_corrupt_head_byte), PML_TEST(survives_resealed_corruption),
          PML_TEST(survives_extreme_fields), PML_TEST(rejects_every_prefix), PML_TEST(rejects_truncated_files),
          PML_TEST(rejects_what_is_not_a_file), PML_TEST(accepts_newer_minor), PML_TEST(asks_for_memory_in_proportion),
          PML_TEST(survives_failing_allocations), PML_TEST(verify_finds_every_flipped_byte),
          PML_TEST(verify_finds_padding_with_a_fitting_checksum))
