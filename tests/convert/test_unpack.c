/* Weights of every stored form, unpacked into tensors of every transform, against the definition of both. */
#include <stdio.h>
#include <string.h>

#include "convert/elements.h"
#include "convert/export/unpack.h"
#include "runtime/file/writer.h"
#include "tests/harness.h"

/* Odd sizes, so that panels have padding on both sides. */
static const pml_config_key keys[] = {{.name = "n", .type = PML_CONFIG_INT, .least = 1, .greatest = 9}, {.name = NULL}};
static const pml_config_constraint no_constraints[] = {{NULL, NULL}};
static const pml_weight_spec weights[] = {{"as_is", PML_ROLE_MATRIX, "19, 37", NULL, NULL},
                                          {"turned", PML_ROLE_MATRIX, "21, 35", NULL, NULL},
                                          {"stack", PML_ROLE_MATRIX, "3, 7, 18", NULL, NULL},
                                          {"q", PML_ROLE_MATRIX, "9, 17", NULL, NULL},
                                          {"k", PML_ROLE_MATRIX, "9, 17", NULL, NULL},
                                          {"v", PML_ROLE_MATRIX, "9, 17", NULL, NULL},
                                          {"mixed", PML_ROLE_MATRIX, "30, 5", NULL, NULL},
                                          {"batch", PML_ROLE_MATRIX, "2, 5, 33", NULL, NULL},
                                          {"column", PML_ROLE_MATRIX, "40, 1", NULL, NULL},
                                          {"row", PML_ROLE_MATRIX, "1, 40", NULL, NULL},
                                          {"table", PML_ROLE_MATRIX, "6, 8", NULL, NULL},
                                          {"large", PML_ROLE_MATRIX, "700, 801", NULL, NULL},
                                          {NULL, 0, NULL, NULL, NULL}};
static const pml_schema schema = {.name = "made", .config = keys, .constraints = no_constraints, .weights = weights};

static const pml_map_rule rules[] = {
    {NULL, "as_is", "as_is", "", NULL, NULL},
    {NULL, "turned", "turned", "transpose", NULL, NULL},
    {NULL, "list.{c}", "stack", "transpose;stack(c)", NULL, NULL},
    {NULL, "fused", "q", "transpose;slice(1,0,3)", NULL, NULL},
    {NULL, "fused", "k", "transpose;slice(1,1,3)", NULL, NULL},
    {NULL, "fused", "v", "transpose;slice(1,2,3)", NULL, NULL},
    {NULL, "mixed", "mixed", "reshape(5,6,5);permute(2,1,0);reshape(30,5)", NULL, NULL},
    {NULL, "batch", "batch", "permute(1,2,0)", NULL, NULL},
    {NULL, "column", "column", "transpose", NULL, NULL},
    {NULL, "row", "row", "transpose", NULL, NULL},
    {NULL, "table", "table", "narrow(0,2,6)", NULL, NULL},
    {NULL, "large", "large", "transpose", NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL, NULL}};
static const pml_config_rule no_rules[] = {{.key = NULL}};
static const pml_map_foreign tensors[] = {{.pattern = "mixed", .shape = "5, 30"},
                                          {.pattern = "table", .shape = "9, 8", .fill = PML_FILL_ZEROS},
                                          {.pattern = NULL}};
static const pml_map_dialect dialects[] = {
    {.name = "own", .keys = no_rules, .tensors = tensors, .config_file = "config.json"}, {.name = NULL}};
static const pml_mapper mapper = {.name = "made", .rules = rules, .schema = &schema, .dialects = dialects};

/* Bits that tell elements apart. */
static uint32_t number(uint64_t i_element) {
    return (uint32_t)(i_element * 2654435761u);
}

static void put_bits(uint8_t *at, pml_dtype dtype, uint64_t i_element) {
    const uint32_t bits = number(i_element);
    memcpy(at, &bits, pml_dtype_bits(dtype) / 8); /* bits are copied, whatever number they are */
}

static pml_file *make_file(pml_dtype dtype, pml_layout layout, const pml_metadata *config) {
    pml_error error;
    pml_writer *writer = NULL;
    pml_file *file = NULL;
    pml_weight_list list = {0};
    size_t i_tensors[32];
    const char *path =
        pml_test_path("%s/%s-%s.pml", pml_test_temporary_dir(), pml_dtype_name(dtype), pml_layout_name(layout));
    PML_ASSERT_OK(pml_schema_weights(&schema, config, 100, &list, &error), &error);
    PML_ASSERT_OK(pml_writer_create(PML_KIND_MODEL, &writer, &error), &error);
    PML_ASSERT_OK(pml_writer_set_metadata(writer, config, &error), &error);
    for (size_t i = 0; i < list.count; i++) {
        PML_ASSERT_OK(pml_writer_add_tensor(writer, list.items[i].name, dtype, layout, list.items[i].shape,
                                            list.items[i].rank, "", &i_tensors[i], &error),
                      &error);
    }
    PML_ASSERT_OK(pml_writer_begin(writer, path, true, &error), &error);
    for (size_t i = 0; i < list.count; i++) {
        pml_file_tensor tensor = {.dtype = dtype, .layout = layout, .rank = list.items[i].rank};
        memcpy(tensor.shape, list.items[i].shape, sizeof list.items[i].shape);
        PML_ASSERT_OK(pml_layout_size(layout, dtype, tensor.shape, tensor.rank, &tensor.size_bytes, &error), &error);
        uint8_t *bytes = calloc(1, (size_t)tensor.size_bytes);
        if (bytes == NULL) {
            abort();
        }
        for (uint64_t k = 0; k < pml_elements_count(&tensor); k++) {
            put_bits(bytes + pml_element_offset_bytes(&tensor, k), dtype, k);
        }
        PML_ASSERT_OK(pml_writer_tensor_write(writer, i_tensors[i], bytes, (size_t)tensor.size_bytes, &error), &error);
        free(bytes);
    }
    PML_ASSERT_OK(pml_writer_finish(writer, &error), &error);
    PML_ASSERT_OK(pml_file_open(path, &file, &error), &error);
    pml_writer_destroy(writer);
    pml_weight_list_deinit(&list);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    return file;
}

typedef struct collected {
    uint8_t *bytes;
    size_t size, capacity;
} collected;

static pml_status collect(void *user, const void *bytes, size_t size_bytes, pml_error *error) {
    collected *c = user;
    (void)error;
    CU_ASSERT_TRUE_FATAL(size_bytes <= c->capacity - c->size);
    memcpy(c->bytes + c->size, bytes, size_bytes);
    c->size += size_bytes;
    return PML_OK;
}

/* Where the view says that element `i` of the part lies in the tensor: its factors are a number with mixed digits. */
static uint64_t place_of(const pml_view *view, uint64_t i) {
    uint64_t place = view->offset;
    for (unsigned k = view->n_factors; k-- > 0; i /= view->factor_size[k]) {
        place += i % view->factor_size[k] * view->factor_stride[k];
    }
    return place;
}

static size_t check_tensor(const pml_file *file, const pml_reverse *reverse, const pml_reverse_tensor *tensor,
                           pml_unpacker *unpacker) {
    pml_error error;
    pml_unpack_job job = {.file = file, .reverse = reverse, .tensor = tensor, .sink = collect};
    PML_ASSERT_OK(pml_unpack_dtype(file, tensor, &job.dtype, &error), &error);
    const size_t element_bytes = pml_dtype_bits(job.dtype) / 8;
    uint64_t count = 1;
    for (unsigned k = 0; k < tensor->rank; k++) {
        count *= tensor->shape[k];
    }
    collected found = {.bytes = malloc((size_t)count * element_bytes), .capacity = (size_t)count * element_bytes};
    uint8_t *expected = calloc((size_t)count, element_bytes);
    if (found.bytes == NULL || expected == NULL) {
        abort();
    }
    job.user = &found;
    PML_ASSERT_OK(pml_unpacker_run(unpacker, &job, &error), &error);
    CU_ASSERT_EQUAL(found.size, found.capacity);
    for (size_t i = 0; i < tensor->n_parts; i++) {
        const pml_reverse_part *part = &tensor->parts[i];
        pml_view view;
        uint64_t n = 1;
        PML_ASSERT_OK(pml_reverse_view(reverse, tensor, part, &view, &error), &error);
        for (unsigned k = 0; k < view.rank; k++) {
            n *= view.shape[k];
        }
        for (uint64_t k = 0; k < n; k++) {
            put_bits(expected + place_of(&view, k) * element_bytes, job.dtype, part->i_stack * n + k);
        }
    }
    const bool is_same = memcmp(found.bytes, expected, found.capacity) == 0;
    if (!is_same) {
        (void)printf("\n    tensor %s differs\n", tensor->name);
    }
    CU_ASSERT_TRUE(is_same);
    free(found.bytes);
    free(expected);
    return tensor->n_parts;
}

static void every_form_and_transform(void) {
    static const pml_dtype dtypes[] = {PML_DTYPE_F32, PML_DTYPE_BF16};
    static const pml_layout layouts[] = {PML_LAYOUT_ROW, PML_LAYOUT_PANEL};
    pml_error error;
    pml_metadata *config = NULL;
    pml_reverse reverse;
    pml_unpacker *unpacker = NULL;
    PML_ASSERT_OK(pml_metadata_create(&config, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_i64(config, "config.n", 1, &error), &error);
    PML_ASSERT_OK(pml_reverse_create(&mapper, dialects, config, &reverse, &error), &error);
    PML_ASSERT_OK(pml_unpacker_create(&unpacker, &error), &error);
    for (size_t i = 0; i < 4; i++) {
        pml_file *file = make_file(dtypes[i % 2], layouts[i / 2], config);
        size_t n_parts = 0;
        for (size_t k = 0; k < reverse.count; k++) {
            n_parts += check_tensor(file, &reverse, &reverse.tensors[k], unpacker);
        }
        CU_ASSERT_EQUAL(n_parts, 14); /* 12 weights, one of which in three tensors */
        pml_file_close(file);
    }
    pml_unpacker_destroy(unpacker);
    pml_reverse_deinit(&reverse);
    pml_metadata_destroy(config);
}

/* Time-Series-Library's table of positions, by its formula. */
static void a_table_is_made_again(void) {
    static const float expected[12] = {0,           1,           0,           1, /* rates 1 and 1/100 */
                                       0.84147098f, 0.54030231f, 0.00999983f, 0.99995000f, 0.90929743f, -0.41614684f,
                                       0.01999867f, 0.99980001f};
    pml_error error;
    pml_unpacker *unpacker = NULL;
    const pml_reverse_tensor table = {
        .name = "table", .rank = 3, .shape = {1, 3, 4}, .fill = PML_FILL_SINCOS, .dtype = PML_DTYPE_F32};
    float values[12];
    collected found = {.bytes = (uint8_t *)values, .capacity = sizeof values};
    const pml_unpack_job job = {.tensor = &table, .dtype = PML_DTYPE_F32, .sink = collect, .user = &found};
    PML_ASSERT_OK(pml_unpacker_create(&unpacker, &error), &error);
    PML_ASSERT_OK(pml_unpacker_run(unpacker, &job, &error), &error);
    for (size_t i = 0; i < 12; i++) {
        CU_ASSERT_DOUBLE_EQUAL(values[i], expected[i], 1e-6);
    }
    pml_unpacker_destroy(unpacker);
}

PML_TESTS("convert/export/unpack", PML_TEST(every_form_and_transform), PML_TEST(a_table_is_made_again))
