/* Files that are well-formed, sealed with a fitting checksum, and lie: every number of the metadata takes values that a
 * model cannot have, one at a time and several at once. What opens is a model whose sizes agree with its tensors;
 * anything else is an error that names the file, and costs little to find out. */
#include <malloc.h>

#include "runtime/file/file.h"
#include "tests/runtime/models/patchtst_builder.h"

typedef struct number { /* one 8-byte value of the metadata, in place */
    size_t position;
    uint32_t type;
} number;

enum { MOST_NUMBERS = 64, MOST_BYTES = 1 << 20 };

static size_t padded8(size_t n) {
    return (n + 7) / 8 * 8;
}

/* Where the numbers of the metadata lie (specs/pml-format.md, section 4). */
static size_t find_numbers(const uint8_t *bytes, number *numbers) {
    const size_t begin = (size_t)pml_load_u64(bytes + 80);
    const uint32_t n_entries = pml_load_u32(bytes + begin);
    size_t at = begin + 8, n = 0;
    for (uint32_t i = 0; i < n_entries; i++) {
        const uint32_t key_bytes = pml_load_u32(bytes + at), type = pml_load_u32(bytes + at + 4);
        const uint64_t count = pml_load_u64(bytes + at + 8);
        const bool is_text = type == PML_META_STRING || type == PML_META_STRING_ARRAY;
        at += 16 + padded8(key_bytes + 1);
        for (uint64_t j = 0; j < count; j++) {
            if (is_text) {
                at += 8 + padded8((size_t)pml_load_u64(bytes + at) + 1);
                continue;
            }
            CU_ASSERT_FATAL(n < MOST_NUMBERS);
            numbers[n++] = (number){at, type};
            at += 8;
        }
    }
    return n;
}

static uint64_t double_bits(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

#define N_EXTREMES 16u
static uint64_t extreme(uint32_t type, unsigned i) {
    static const int64_t integers[N_EXTREMES] = {
        0, 1, 2, -1, 3, 4, 8, 16, 10000, 1000000, 10000000, INT32_MAX, 1LL << 31, 1LL << 32, INT64_MAX, INT64_MIN};
    static const double reals[N_EXTREMES] = {0,     -0.0,  1,      -1,    0x1p-1074, 1e-300, 1e-30,    1e30,
                                             1e300, 1e308, -1e308, 0.999, 1e-5,      1e6,    INFINITY, NAN};
    if (type == PML_META_BOOL) {
        return i % 2;
    }
    return type == PML_META_I64 || type == PML_META_I64_ARRAY ? (uint64_t)integers[i] : double_bits(reals[i]);
}

static size_t live_bytes, peak_bytes;

static void *count_allocation(size_t alignment, size_t size_bytes) {
    void *pointer = aligned_alloc(alignment, size_bytes);
    live_bytes += pointer == NULL ? 0 : malloc_usable_size(pointer);
    peak_bytes = live_bytes > peak_bytes ? live_bytes : peak_bytes;
    return pointer;
}

static void count_release(void *pointer) {
    live_bytes -= malloc_usable_size(pointer);
    free(pointer);
}

/* Runs what opened, where that costs little. Every result is finite. */
static pml_status run(pml_model *model, pml_error *failure) {
    static double context[4096], forecast[4096];
    pml_forecast_shape shape;
    pml_status status = pml_model_forecast_shape(model, &shape, failure);
    if (status != PML_OK) {
        return status;
    }
    const size_t n_channels = shape.n_channels == 0 ? C : shape.n_channels;
    if (shape.context_length > 4096 / n_channels || shape.horizon > 4096 / n_channels) {
        return PML_OK;
    }
    for (size_t i = 0; i < shape.context_length * n_channels; i++) {
        context[i] = sin((double)i) * 3;
    }
    status = pml_model_forecast(model, context, shape.context_length, n_channels, forecast, failure);
    for (size_t i = 0; status == PML_OK && i < shape.horizon * n_channels; i++) {
        CU_ASSERT_TRUE(isfinite(forecast[i]));
    }
    return status;
}

/* Whether a file with these bytes opens, loads and runs, or is refused as it should be. *n_ran counts those that ran.
 */
static void try_file(uint8_t *bytes, size_t size_bytes, size_t *n_ran) {
    pml_file *file = NULL;
    pml_model *model = NULL;
    pml_error failure = {.message = ""};
    live_bytes = peak_bytes = 0;
    pml_store_u64(bytes + PML_CHECKSUM_OFFSET, pml_head_checksum(bytes, (size_t)pml_load_u64(bytes + 144)));
    pml_allocator_set(count_allocation, count_release);
    pml_status status = pml_file_parse(bytes, size_bytes, "lie.pml", &file, &failure);
    if (status == PML_OK) {
        status = pml_model_create(file, NULL, &model, &failure);
    }
    bool fits =
        status == PML_OK || ((status == PML_E_FORMAT || status == PML_E_CONFIG || status == PML_E_UNSUPPORTED) &&
                             strncmp(failure.message, "lie.pml: ", 9) == 0);
    fits = fits && peak_bytes <= MOST_BYTES;
    if (status == PML_OK) {
        status = run(model, &failure);
        fits = fits &&
               (status == PML_OK || status == PML_E_NUMERIC || status == PML_E_CONFIG || status == PML_E_UNSUPPORTED);
        *n_ran += status == PML_OK;
    }
    pml_model_destroy(model);
    pml_file_close(file);
    pml_allocator_set(NULL, NULL);
    CU_ASSERT_EQUAL(live_bytes, 0);
    if (!fits) {
        (void)printf("\n    %s: %zu bytes: %s\n", pml_status_name(status), peak_bytes, failure.message);
    }
    CU_ASSERT_TRUE(fits);
}

static const build builds[] = {
    {.has_scaler = true},
    {.channel_attention = true, .norm_type = "layernorm", .use_cls_token = true, .is_row = true},
    {.distribution = "student_t", .pooling = "mean", .post_norm = true},
    {.head = "regression", .has_range = true, .pooling = "max"},
    {.head = "pretraining", .mask_input = true},
    {.head = "none", .scaling = "mean"},
};

static void numbers_that_no_model_has_are_errors(void) {
    size_t n_ran = 0, n_tried = 0;
    for (size_t k = 0; k < sizeof builds / sizeof builds[0]; k++) {
        pml_file *file = make_file(&builds[k]);
        number numbers[MOST_NUMBERS];
        size_t size_bytes;
        uint8_t *bytes = pml_test_read_file(pml_file_path(file), &size_bytes);
        uint8_t *copy = malloc(size_bytes);
        pml_file_close(file);
        const size_t n = find_numbers(bytes, numbers);
        CU_ASSERT_TRUE(copy != NULL && n >= 19);
        for (size_t i = 0; i < n; i++) {
            for (unsigned j = 0; j < N_EXTREMES; j++, n_tried++) {
                memcpy(copy, bytes, size_bytes);
                pml_store_u64(copy + numbers[i].position, extreme(numbers[i].type, j));
                try_file(copy, size_bytes, &n_ran);
            }
        }
        uint64_t random = 88172645463325252u + k;
        for (unsigned round = 0; round < 1500; round++, n_tried++) {
            memcpy(copy, bytes, size_bytes);
            for (unsigned j = 0; j < 2 + round % 3; j++) {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                const number *changed = &numbers[random % n];
                pml_store_u64(copy + changed->position, extreme(changed->type, (unsigned)(random >> 32) % N_EXTREMES));
            }
            try_file(copy, size_bytes, &n_ran);
        }
        free(copy);
        free(bytes);
    }
    (void)printf("%zu of %zu ran ", n_ran, n_tried);
    CU_ASSERT_TRUE(n_ran > 100 && n_ran < n_tried);
}

PML_TESTS("runtime/models/model_hostile", PML_TEST(numbers_that_no_model_has_are_errors))
