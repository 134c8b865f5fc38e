/* Small models of any family made in a test: a configuration as text, deterministic weights in F32 rows, one call. */
#ifndef PML_TESTS_RUNTIME_MODELS_SERIES_MODEL_H
#define PML_TESTS_RUNTIME_MODELS_SERIES_MODEL_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/file/writer.h"
#include "runtime/models/model.h"
#include "tests/harness.h"

typedef struct series_model {
    pml_file *file;
    pml_model *model;
} series_model;

static pml_error error;
static unsigned long long random_state;

static inline float next_value(void) {
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (float)(double)(random_state >> 40) / 8388608.0F - 1.0F;
}

/* "key=value" of one canonical key, by the schema's type. */
static inline void set_key(const pml_schema *schema, pml_metadata *m, const char *setting) {
    char name[96], full[112];
    const size_t length = strcspn(setting, "=");
    (void)snprintf(name, sizeof name, "%.*s", (int)length, setting);
    (void)snprintf(full, sizeof full, "config.%s", name);
    const char *value = setting + length + 1;
    const pml_config_key *key = pml_schema_key(schema, name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    if (key->type == PML_CONFIG_INT) {
        PML_ASSERT_OK(pml_metadata_set_i64(m, full, strtoll(value, NULL, 10), &error), &error);
    } else if (key->type == PML_CONFIG_REAL) {
        PML_ASSERT_OK(pml_metadata_set_f64(m, full, strtod(value, NULL), &error), &error);
    } else if (key->type == PML_CONFIG_BOOL) {
        PML_ASSERT_OK(pml_metadata_set_bool(m, full, strcmp(value, "true") == 0, &error), &error);
    } else {
        PML_ASSERT_OK(pml_metadata_set_string(m, full, value, &error), &error);
    }
}

/* Metadata of `settings`, NULL-terminated. The caller destroys it. */
static inline pml_metadata *series_metadata(const char *family, const char *const *settings) {
    pml_metadata *m = NULL;
    PML_ASSERT_OK(pml_metadata_create(&m, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_string(m, "general.family", family, &error), &error);
    for (; *settings != NULL; settings++) {
        set_key(pml_schema_find(family), m, *settings);
    }
    return m;
}

/* Writes a file of these metadata, with all its weights random. */
static inline pml_file *series_file(const pml_metadata *metadata, const char *family) {
    static int n_files;
    const char *path = pml_test_path("%s/%s-%d.pml", pml_test_temporary_dir(), family, n_files++);
    pml_weight_list list = {0};
    pml_writer *writer = NULL;
    pml_file *file = NULL;
    random_state = 7;
    PML_ASSERT_OK(pml_schema_weights(pml_schema_find(family), metadata, PML_MAX_TENSORS, &list, &error), &error);
    PML_ASSERT_OK(pml_writer_create(PML_KIND_MODEL, &writer, &error), &error);
    PML_ASSERT_OK(pml_writer_set_metadata(writer, metadata, &error), &error);
    for (size_t i = 0; i < list.count; i++) {
        size_t i_tensor;
        PML_ASSERT_OK(pml_writer_add_tensor(writer, list.items[i].name, PML_DTYPE_F32, PML_LAYOUT_ROW,
                                            list.items[i].shape, list.items[i].rank, NULL, &i_tensor, &error),
                      &error);
    }
    PML_ASSERT_OK(pml_writer_begin(writer, path, false, &error), &error);
    for (size_t i = 0; i < list.count; i++) {
        size_t count = 1;
        float *values = NULL;
        for (unsigned axis = 0; axis < list.items[i].rank; axis++) {
            count *= (size_t)list.items[i].shape[axis];
        }
        PML_ASSERT_OK(pml_alloc(count, sizeof *values, &values, &error), &error);
        for (size_t k = 0; k < count; k++) {
            values[k] = 0.5F * next_value() + (strstr(list.items[i].name, ".var") != NULL ? 1 : 0);
        }
        PML_ASSERT_OK(pml_writer_tensor_write(writer, i, values, count * sizeof *values, &error), &error);
        pml_free(values);
    }
    PML_ASSERT_OK(pml_writer_finish(writer, &error), &error);
    pml_writer_destroy(writer);
    pml_weight_list_deinit(&list);
    PML_ASSERT_OK(pml_file_open(path, &file, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    return file;
}

static inline series_model series_open(const char *family, const char *const *settings) {
    pml_metadata *metadata = series_metadata(family, settings);
    series_model m = {.file = series_file(metadata, family)};
    pml_metadata_destroy(metadata);
    PML_ASSERT_OK(pml_model_create(m.file, NULL, &m.model, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m.model);
    return m;
}

static inline void series_close(series_model *m) {
    pml_model_destroy(m->model);
    pml_file_close(m->file);
}

/* The values of a weight, row-major. */
static inline const float *series_weight(const series_model *m, const char *name) {
    const pml_file_tensor *tensor = pml_file_tensor_find(m->file, name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tensor);
    return (const float *)(const void *)pml_file_tensor_data(m->file, tensor);
}

static inline void fill_values(float *values, size_t count) {
    random_state = 99;
    for (size_t i = 0; i < count; i++) {
        values[i] = next_value();
    }
}

static inline bool is_close(const float *values, const double *expected, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!(fabs((double)values[i] - expected[i]) <= 2e-5 * (1 + fabs(expected[i])))) {
            (void)printf("    [%zu] is %.9g, expected %.9g\n", i, (double)values[i], expected[i]);
            return false;
        }
    }
    return true;
}

#endif
