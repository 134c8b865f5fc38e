/* Checkpoints and SavedModels that TensorFlow wrote, and ones that it never would. */
#include "formats/file_map.h"
#include "formats/source.h"
#include "formats/tensorflow/tf_slices.h"
#include "formats/tensorflow/tf_tensors.h"
#include "tests/formats/conformance.h"
#include "tests/formats/tf_builder.h"

#define ODD "providers/tf-checkpoint-odd/"

static void reads_a_checkpoint(void) {
    pml_conform_golden("providers/tf-checkpoint/bert_model.ckpt.index", "providers/tf-checkpoint/expected.safetensors");
}

static void reads_a_saved_model(void) {
    pml_conform_golden("providers/tf-savedmodel/saved_model.pb", "providers/tf-savedmodel/expected-names.safetensors");
    pml_conform_golden("providers/tf-savedmodel/variables/variables.index",
                       "providers/tf-savedmodel/expected.safetensors");
}

/* Every type, two data files, an empty tensor, a scalar, a name that shares nothing; texts are left out. */
static void reads_every_type(void) {
    const char *path = pml_test_golden(ODD "merged.ckpt.index"),
               *wanted_path = pml_test_golden(ODD "expected.safetensors");
    pml_source *source = NULL, *expected = NULL;
    pml_error error;
    if (path == NULL) {
        pml_test_skip("no golden data");
        return;
    }
    PML_ASSERT_OK(pml_source_open(path, &source, &error), &error);
    PML_ASSERT_OK(pml_source_open(wanted_path, &expected, &error), &error);
    CU_ASSERT_EQUAL(pml_source_n_tensors(source), pml_source_n_tensors(expected));
    for (size_t i = 0; i < pml_source_n_tensors(expected); i++) {
        const pml_source_tensor *wanted = pml_source_tensor_at(expected, i);
        const bool is_bf16 = strcmp(wanted->name, "b/bf16.as_f32") == 0;
        const pml_source_tensor *found = pml_source_tensor_find(source, is_bf16 ? "b/bf16" : wanted->name);
        const void *bytes, *wanted_bytes;
        CU_ASSERT_PTR_NOT_NULL_FATAL(found);
        PML_ASSERT_OK(pml_source_tensor_view(source, found, &bytes, &error), &error);
        PML_ASSERT_OK(pml_source_tensor_view(expected, wanted, &wanted_bytes, &error), &error);
        CU_ASSERT(found->rank == wanted->rank && memcmp(found->shape, wanted->shape, sizeof found->shape) == 0);
        CU_ASSERT_FALSE(found->is_made);
        if (!is_bf16) {
            CU_ASSERT(found->dtype == wanted->dtype && memcmp(bytes, wanted_bytes, wanted->size_bytes) == 0);
            continue;
        }
        CU_ASSERT_EQUAL(found->dtype, PML_DTYPE_BF16);
        for (size_t k = 0; k < 3; k++) {
            float value;
            uint16_t bits;
            memcpy(&value, (const char *)wanted_bytes + 4 * k, sizeof value);
            memcpy(&bits, (const char *)bytes + 2 * k, sizeof bits);
            CU_ASSERT_EQUAL(pml_f32_from_bf16(bits), value);
        }
    }
    pml_source_close(expected);
    pml_source_close(source);
}

static void joins_slices(void) {
    const char *path = pml_test_golden(ODD "partitioned.ckpt.index");
    pml_source *source = NULL;
    pml_error error;
    const void *split, *table;
    if (path == NULL) {
        pml_test_skip("no golden data");
        return;
    }
    PML_ASSERT_OK(pml_source_open(path, &source, &error), &error);
    const pml_source_tensor *made = pml_source_tensor_find(source, "split");
    const pml_source_tensor *plain = pml_source_tensor_find(source, "table");
    CU_ASSERT_FATAL(made != NULL && plain != NULL && made->is_made && !plain->is_made);
    for (int repeat = 0; repeat < 2; repeat++) {
        PML_ASSERT_OK(pml_source_tensor_view(source, made, &split, &error), &error);
        PML_ASSERT_OK(pml_source_tensor_view(source, plain, &table, &error), &error);
        CU_ASSERT(made->size_bytes == 80 && memcmp(split, table, 80) == 0);
        pml_source_tensor_release(source, made);
    }
    pml_source_close(source);
}

/* ---- checkpoints with one fault ---- */
typedef struct slice_row {
    uint64_t start, length; /* of the first axis */
    bool is_missing;        /* has no entry of its own */
} slice_row;

typedef struct recipe { /* zero = a good checkpoint of "aa" [2] and "ab" [3], both F32, in one data file of 20 bytes */
    const char *name;
    pml_status status;
    const char *part; /* of the message */
    bool has_no_header, is_big_endian, has_data_twice, is_restart_bad, is_restart_shared, is_unsorted, is_compressed;
    uint64_t n_shards, min_consumer, i_shard, offset, size_change, type, shared, crc_change, rank;
    int64_t dimension;
    const slice_row *slices; /* then "s" [4,2] is there, with these */
    size_t n_slices;
} recipe;

static const float numbers[] = {1, 2, 3, 4, 5};
static const float sliced[16] = {10, 11, 12, 13, 14, 15, 16, 17};

static void put_shape(tf_buffer *entry, const uint64_t *shape, size_t rank) {
    static tf_buffer message, dimension;
    message.used = 0;
    for (size_t i = 0; i < rank; i++) {
        dimension.used = 0;
        tf_put_number(&dimension, 1, shape[i]);
        tf_put_message(&message, 2, &dimension);
    }
    tf_put_message(entry, 2, &message);
}

static void put_place(tf_buffer *entry, uint64_t i_shard, uint64_t offset, const void *bytes, uint64_t size_bytes,
                      uint32_t crc_change) {
    tf_put_number(entry, 3, i_shard);
    tf_put_number(entry, 4, offset);
    tf_put_number(entry, 5, size_bytes);
    tf_put_varint(entry, 6 << 3 | 5);
    tf_put_u32(entry, pml_crc32c_mask(pml_crc32c_extend(0, bytes, (size_t)size_bytes)) ^ crc_change);
}

static void put_header(tf_buffer *block, const recipe *r) {
    static tf_buffer header, version;
    header.used = version.used = 0;
    tf_put_number(&header, 1, r->n_shards != 0 ? r->n_shards : 1);
    if (r->is_big_endian) {
        tf_put_number(&header, 2, 1);
    }
    tf_put_number(&version, 1, 1);
    tf_put_number(&version, 2, r->min_consumer);
    tf_put_message(&header, 3, &version);
    tf_put_entry(block, 0, "", 0, &header);
}

static void put_slices(tf_buffer *block, const recipe *r) {
    static tf_buffer entry;
    for (size_t i = 0; i < r->n_slices; i++) { /* keys ascend with the start */
        const slice_row *row = &r->slices[i];
        const uint64_t shape[] = {row->length, 2};
        const uint8_t key[] = {0,    's', 0, 1, 1, 2, (uint8_t)(0x80 | row->start), (uint8_t)(0x80 | row->length),
                               0x80, 0x7f};
        entry.used = 0;
        tf_put_number(&entry, 1, 1);
        put_shape(&entry, shape, 2);
        put_place(&entry, 0, 20 + 8 * row->start, sliced + 2 * row->start, 8 * row->length, 0);
        if (!row->is_missing) {
            tf_put_entry(block, 0, key, sizeof key, &entry);
        }
    }
}

static void put_divided(tf_buffer *block, const recipe *r) {
    static tf_buffer entry, slice, extent;
    const uint64_t whole[] = {4, 2};
    entry.used = 0;
    tf_put_number(&entry, 1, 1);
    put_shape(&entry, whole, 2);
    for (size_t i = 0; i < r->n_slices; i++) {
        slice.used = extent.used = 0;
        tf_put_number(&extent, 1, r->slices[i].start);
        tf_put_number(&extent, 2, r->slices[i].length);
        tf_put_message(&slice, 1, &extent);
        extent.used = 0; /* the second axis is whole */
        tf_put_message(&slice, 1, &extent);
        tf_put_message(&entry, 7, &slice);
    }
    tf_put_entry(block, 0, "s", 1, &entry);
}

static void build(const recipe *r, tf_buffer *table) {
    static tf_buffer block, entry;
    const uint64_t two = 2;
    uint64_t shape[16] = {r->dimension != 0 ? (uint64_t)r->dimension : 3, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    uint32_t restarts[64] = {0}, n_restarts = 1;
    block.used = 0;
    if (!r->has_no_header) {
        put_header(&block, r);
    }
    if (r->n_slices > 0) { /* without shared prefixes: each is a restart point or none, as it likes */
        put_slices(&block, r);
    }
    entry.used = 0;
    tf_put_number(&entry, 1, 1);
    put_shape(&entry, &two, 1);
    put_place(&entry, 0, 0, numbers, 8, 0);
    tf_put_entry(&block, 0, r->is_unsorted ? "b" : "aa", r->is_unsorted ? 1 : 2, &entry);
    if (r->is_restart_bad || r->is_restart_shared) {
        restarts[n_restarts++] = (uint32_t)block.used - (r->is_restart_bad ? 1 : 0);
    }
    entry.used = 0;
    tf_put_number(&entry, 1, r->type != 0 ? r->type : 1);
    put_shape(&entry, shape, r->rank != 0 ? r->rank : 1);
    put_place(&entry, r->i_shard, r->offset != 0 ? r->offset : 8, numbers + 2, 12 + r->size_change,
              (uint32_t)r->crc_change);
    tf_put_entry(&block,
                 r->shared != 0   ? r->shared
                 : r->is_unsorted ? 0
                                  : 1,
                 r->is_unsorted ? "ab" : "b", r->is_unsorted ? 2 : 1, &entry);
    if (r->n_slices > 0) {
        put_divided(&block, r);
    }
    for (uint32_t i = 0; i < n_restarts; i++) {
        tf_put_u32(&block, restarts[i]);
    }
    tf_put_u32(&block, r->has_data_twice ? 1000000 : n_restarts);
    tf_build_table(table, block.bytes, block.used, r->is_compressed ? 1 : 0);
}

/* Writes it; returns the path of the index. */
static const char *write_recipe(const recipe *r) {
    static tf_buffer table, data;
    const char *stem = pml_test_path("%s/model", pml_test_fresh_dir(r->name));
    build(r, &table);
    data.used = 0;
    tf_put(&data, numbers, sizeof numbers);
    tf_put(&data, sliced, sizeof sliced);
    const char *path = pml_test_path("%s.index", stem);
    pml_test_write_file(path, table.bytes, table.used);
    pml_test_write_file(pml_test_path("%s.data-00000-of-00001", stem), data.bytes,
                        r->n_slices > 0 ? data.used : sizeof numbers);
    return path;
}

/* Opens the checkpoint and views every tensor. */
static pml_status open_all(const char *path, pml_error *error) {
    pml_status status = PML_OK;
    pml_source *source = NULL;
    PML_TRY(pml_source_open(path, &source, error));
    for (size_t i = 0; i < pml_source_n_tensors(source); i++) {
        const void *bytes;
        PML_TRY(pml_source_tensor_view(source, pml_source_tensor_at(source, i), &bytes, error));
    }
done:
    pml_source_close(source);
    return status;
}

#define SLICES(...)                                                                                                    \
    .slices = (const slice_row[]){__VA_ARGS__}, .n_slices = sizeof((const slice_row[]){__VA_ARGS__}) / sizeof(slice_row)

static const recipe recipes[] = {
    {.name = "good", .status = PML_OK},
    {.name = "good_slices", .status = PML_OK, SLICES({0, 1, 0}, {1, 3, 0})},
    {.name = "no_header", .status = PML_E_FORMAT, .part = "has no header", .has_no_header = true},
    {.name = "big_endian", .status = PML_E_UNSUPPORTED, .part = "big-endian", .is_big_endian = true},
    {.name = "newer_version", .status = PML_E_UNSUPPORTED, .part = "version 9", .min_consumer = 9},
    {.name = "too_many_shards", .status = PML_E_FORMAT, .part = "names 5000 data files", .n_shards = 5000},
    {.name = "negative_shards", .status = PML_E_FORMAT, .part = "data files; 1 to", .n_shards = UINT64_MAX},
    {.name = "shard_beyond_count", .status = PML_E_FORMAT, .part = "'ab': is in data file 1 of 1", .i_shard = 1},
    {.name = "shard_missing", .status = PML_E_NOT_FOUND, .part = "model.data-00000-of-00002", .n_shards = 2},
    {.name = "offset_past_shard", .status = PML_E_FORMAT, .part = "past the end of the file", .offset = 9},
    {.name = "offset_overflow", .status = PML_E_FORMAT, .part = "past the end of the file", .offset = INT64_MAX},
    {.name = "offset_negative", .status = PML_E_FORMAT, .part = "negative or too large", .offset = UINT64_MAX},
    {.name = "size_not_shape",
     .status = PML_E_FORMAT,
     .part = "its shape needs 12 bytes of F32",
     .size_change = (uint64_t)-4},
    {.name = "dimension_negative", .status = PML_E_FORMAT, .part = "damaged or negative", .dimension = -3},
    {.name = "dimension_huge", .status = PML_E_FORMAT, .part = "overflows", .dimension = INT64_MAX},
    {.name = "nine_dimensions", .status = PML_E_UNSUPPORTED, .part = "more than 8 dimensions", .rank = 9},
    {.name = "type_variant", .status = PML_E_UNSUPPORTED, .part = "type number 21", .type = 21},
    {.name = "type_unknown", .status = PML_E_UNSUPPORTED, .part = "type number 1000", .type = 1000},
    {.name = "wrong_checksum",
     .status = PML_E_FORMAT,
     .part = "'ab': the checksum of its bytes is wrong",
     .crc_change = 1},
    {.name = "shared_beyond_key", .status = PML_E_FORMAT, .part = "shares more than there is", .shared = 3},
    {.name = "keys_descending", .status = PML_E_FORMAT, .part = "not in ascending order", .is_unsorted = true},
    {.name = "restart_inside_entry", .status = PML_E_FORMAT, .part = "restart points", .is_restart_bad = true},
    {.name = "restart_shares", .status = PML_E_FORMAT, .part = "shares more than there is", .is_restart_shared = true},
    {.name = "restarts_beyond_block",
     .status = PML_E_FORMAT,
     .part = "restart points do not fit",
     .has_data_twice = true},
    {.name = "snappy", .status = PML_E_UNSUPPORTED, .part = "compressed (snappy)", .is_compressed = true},
    {.name = "slice_missing",
     .status = PML_E_FORMAT,
     .part = "'s': one of its slices is missing",
     SLICES({0, 1, 0}, {1, 3, 1})},
    {.name = "slices_overlap", .status = PML_E_FORMAT, .part = "'s': its slices overlap", SLICES({0, 2, 0}, {1, 3, 0})},
    {.name = "slices_gap", .status = PML_E_FORMAT, .part = "'s': its slices leave a gap", SLICES({0, 1, 0}, {2, 2, 0})},
    {.name = "slices_short",
     .status = PML_E_FORMAT,
     .part = "'s': its slices leave a gap",
     SLICES({0, 1, 0}, {1, 2, 0})},
    {.name = "slice_past_end",
     .status = PML_E_FORMAT,
     .part = "'s': a slice reaches past its end",
     SLICES({0, 1, 0}, {1, 4, 0})},
    {.name = "slice_whole_twice", .status = PML_E_FORMAT, .part = "slice", SLICES({0, 4, 0}, {0, 4, 1})},
};

static void refuses_what_is_wrong(void) {
    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
        const recipe *r = &recipes[i];
        pml_error error = {0};
        const char *path = write_recipe(r);
        pml_status status = open_all(path, &error);
        const bool is_right =
            status == r->status &&
            (status == PML_OK || (strstr(error.message, r->part) != NULL && strstr(error.message, "/model") != NULL));
        if (!is_right) {
            printf("\n%s: %s: %s\n", r->name, pml_status_name(status), error.message);
        }
        CU_ASSERT_TRUE(is_right);
    }
}

/* A slice that no tensor names, and one that lies about its shape. */
static void refuses_stray_slices(void) {
    static tf_buffer block, entry, table;
    pml_error error;
    const uint8_t key[] = {0, 's', 0, 1, 1, 1, 0x80, 0x81};
    const uint64_t one = 1;
    const recipe r = {0};
    block.used = entry.used = 0;
    put_header(&block, &r);
    tf_put_number(&entry, 1, 1);
    put_shape(&entry, &one, 1);
    put_place(&entry, 0, 0, numbers, 4, 0);
    tf_put_entry(&block, 0, key, sizeof key, &entry);
    tf_put_u32(&block, 0);
    tf_put_u32(&block, 1);
    tf_build_table(&table, block.bytes, block.used, 0);
    const char *stem = pml_test_path("%s/stray", pml_test_fresh_dir("stray"));
    pml_test_write_file(pml_test_path("%s.index", stem), table.bytes, table.used);
    pml_test_write_file(pml_test_path("%s.data-00000-of-00001", stem), numbers, sizeof numbers);
    PML_ASSERT_FAILS(open_all(pml_test_path("%s.index", stem), &error), PML_E_FORMAT, &error, "no tensor names");
}

static void survives_every_failing_allocation(void) {
    const recipe r = {.name = "scarce", SLICES({0, 1, 0}, {1, 3, 0})};
    const char *paths[] = {write_recipe(&r), pml_test_golden("providers/tf-savedmodel/saved_model.pb")};
    for (size_t i = 0; i < 2 && paths[i] != NULL; i++) {
        pml_status status = PML_E_MEMORY;
        for (unsigned long n = 1; status == PML_E_MEMORY && n < 2000; n++) {
            pml_error error;
            pml_test_fail_allocation(n, false);
            status = open_all(paths[i], &error);
            pml_test_fail_allocation(0, false);
        }
        CU_ASSERT_EQUAL(status, PML_OK);
    }
}

static void refuses_every_truncation(void) {
    static tf_buffer table;
    build(&(recipe){.name = "good", SLICES({0, 1, 0}, {1, 3, 0})}, &table);
    for (size_t n = 0; n < table.used; n++) {
        pml_tf_bundle bundle = {0};
        pml_error error = {0};
        unsigned char *exact = malloc(n > 0 ? n : 1); /* so that a sanitizer sees one byte read too many */
        memcpy(exact, table.bytes, n);
        pml_status status = pml_tf_bundle_read((pml_tf_span){exact, n}, "cut", &bundle, &error);
        CU_ASSERT_EQUAL(status, PML_E_FORMAT);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "cut"));
        pml_tf_bundle_deinit(&bundle);
        free(exact);
    }
}

/* No byte of an index can change without being seen: blocks have checksums, the footer has a place for each bit but
 * its padding. */
static void sees_every_changed_byte(void) {
    static tf_buffer table, changed;
    build(&(recipe){.name = "good"}, &table);
    size_t n_seen = 0;
    for (size_t i = 0; i < table.used - PML_TF_FOOTER_BYTES; i++) {
        pml_tf_bundle bundle = {0};
        pml_error error;
        changed = table;
        changed.bytes[i] ^= 0x10;
        n_seen += pml_tf_bundle_read((pml_tf_span){changed.bytes, changed.used}, "x", &bundle, &error) != PML_OK;
        pml_tf_bundle_deinit(&bundle);
    }
    CU_ASSERT_EQUAL(n_seen, table.used - PML_TF_FOOTER_BYTES);
}

/* A folder with a link in the place of "variables" is not entered; its checkpoint is found by its usual name. */
static void opens_folders(void) {
    const char *golden = pml_test_golden("providers/tf-checkpoint");
    pml_source *source = NULL;
    pml_error error;
    if (golden == NULL) {
        pml_test_skip("no golden data");
        return;
    }
    PML_ASSERT_OK(pml_source_open(golden, &source, &error), &error);
    pml_source_close(source);
    PML_ASSERT_OK(pml_source_open(pml_test_golden("providers/tf-savedmodel"), &source, &error), &error);
    CU_ASSERT_STRING_EQUAL(pml_source_format(source)->name, "tensorflow");
    pml_source_close(source);
    PML_ASSERT_FAILS(pml_source_open(pml_test_golden("providers/tf-checkpoint-odd/merged.ckpt.data-00000-of-00002"),
                                     &source, &error),
                     PML_E_UNSUPPORTED, &error, "in no format");
}

PML_TESTS("formats/tensorflow", PML_TEST(reads_a_checkpoint), PML_TEST(reads_a_saved_model), PML_TEST(reads_every_type),
          PML_TEST(joins_slices), PML_TEST(refuses_what_is_wrong), PML_TEST(refuses_stray_slices),
          PML_TEST(survives_every_failing_allocation), PML_TEST(refuses_every_truncation),
          PML_TEST(sees_every_changed_byte), PML_TEST(opens_folders))
