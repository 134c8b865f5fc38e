/* Models and checkpoints of a run, through the one writer of .pml files. */
#include "runtime/train/save.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/file/file.h"
#include "runtime/file/writer.h"
#include "runtime/models/model_private.h"
#include "runtime/ops/repack.h"

/* ---- models ---- */
static pml_status check_finite(const pml_parameter *parameter, pml_error *error) {
    const size_t bad = pml_model_first_nonfinite(parameter->values, parameter->count);
    return bad == parameter->count
               ? PML_OK
               : PML_FAIL(error, PML_E_NUMERIC, "element %zu of the weight '%s' is not finite", bad, parameter->name);
}

static pml_status make_metadata(const pml_model *model, const pml_metadata *extra, pml_metadata **metadata,
                                pml_error *error) {
    pml_status status = PML_OK;
    const pml_metadata *base = pml_file_metadata(model->file);
    PML_TRY(pml_metadata_create(metadata, error));
    for (size_t i = 0; i < pml_metadata_count(base); i++) {
        const pml_meta_entry *entry = pml_metadata_at(base, i);
        if (strcmp(entry->key, "provenance.max_errors") != 0) { /* of the weights before training */
            PML_TRY(pml_metadata_set_entry(*metadata, entry, error));
        }
    }
    for (size_t i = 0; extra != NULL && i < pml_metadata_count(extra); i++) {
        PML_TRY(pml_metadata_set_entry(*metadata, pml_metadata_at(extra, i), error));
    }

done:
    return status;
}

static pml_status declare(pml_writer *writer, const pml_model *model, pml_error *error) {
    pml_status status = PML_OK;
    size_t i_tensor;
    for (size_t i = 0; i < pml_file_n_tensors(model->file); i++) {
        const pml_file_tensor *tensor = pml_file_tensor_at(model->file, i);
        const pml_parameter *parameter = pml_model_parameter_find(model, tensor->name);
        if (parameter != NULL) {
            PML_TRY(check_finite(parameter, error));
            PML_TRY(pml_writer_add_tensor(writer, tensor->name, PML_DTYPE_F32, tensor->layout, tensor->shape,
                                          tensor->rank, tensor->transforms, &i_tensor, error));
        } else {
            PML_TRY(pml_writer_add_grouped(writer, tensor->name, tensor->dtype, tensor->layout, tensor->group_rows,
                                           tensor->shape, tensor->rank, tensor->transforms, &i_tensor, error));
        }
    }
    for (size_t i = 0; i < pml_file_n_blobs(model->file); i++) {
        const pml_file_blob *blob = pml_file_blob_at(model->file, i);
        if (strcmp(blob->name, "selftest") != 0) {
            PML_TRY(pml_writer_add_blob(writer, blob->name, blob->data, blob->size_bytes, error));
        }
    }

done:
    return status;
}

/* Row-major values in the layout of the stored tensor. */
static pml_status write_parameter(pml_writer *writer, size_t i_tensor, const pml_file_tensor *tensor,
                                  const pml_parameter *parameter, pml_error *error) {
    pml_status status = PML_OK;
    float *panels = NULL;
    if (tensor->layout == PML_LAYOUT_ROW) {
        PML_TRY(pml_writer_tensor_write(writer, i_tensor, parameter->values, parameter->count * sizeof(float), error));
        goto done;
    }
    const size_t n_in = parameter->shape[parameter->rank - 2], n_out = parameter->shape[parameter->rank - 1];
    const size_t each = pml_repack_count(n_in, n_out);
    PML_TRY(pml_alloc(each + 1, sizeof *panels, &panels, error));
    for (size_t at = 0; at < parameter->count; at += n_in * n_out) {
        pml_repack_rows(parameter->values + at, n_in, n_out, n_out, panels);
        PML_TRY(pml_writer_tensor_write(writer, i_tensor, panels, each * sizeof *panels, error));
    }

done:
    pml_free(panels);
    return status;
}

static pml_status copy_tensor(pml_writer *writer, size_t i_tensor, const pml_file *file, const pml_file_tensor *tensor,
                              pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_writer_tensor_write(writer, i_tensor, pml_file_tensor_data(file, tensor), (size_t)tensor->size_bytes,
                                    error));
    if (tensor->dtype == PML_DTYPE_I8) {
        PML_TRY(pml_writer_extent_write(writer, i_tensor, PML_EXTENT_SCALES,
                                        pml_file_extent_data(file, &tensor->scales), (size_t)tensor->scales.size_bytes,
                                        error));
        PML_TRY(pml_writer_extent_write(writer, i_tensor, PML_EXTENT_SUMS, pml_file_extent_data(file, &tensor->sums),
                                        (size_t)tensor->sums.size_bytes, error));
        pml_writer_set_scale_factor(writer, i_tensor, tensor->scale_factor);
    }
    pml_writer_set_quantization_error(writer, i_tensor, tensor->quantization_error);

done:
    return status;
}

pml_status pml_trained_model_write(const pml_model *model, const pml_metadata *extra, const char *path,
                                   pml_error *error) {
    pml_status status = PML_OK;
    pml_writer *writer = NULL;
    pml_metadata *metadata = NULL;
    PML_TRY(pml_writer_create(PML_KIND_MODEL, &writer, error));
    PML_TRY(make_metadata(model, extra, &metadata, error));
    PML_TRY(pml_writer_set_metadata(writer, metadata, error));
    PML_TRY(declare(writer, model, error));
    PML_TRY(pml_writer_begin(writer, path, true, error));
    for (size_t i = 0; i < pml_file_n_tensors(model->file); i++) { /* declared in this order: indexes agree */
        const pml_file_tensor *tensor = pml_file_tensor_at(model->file, i);
        const pml_parameter *parameter = pml_model_parameter_find(model, tensor->name);
        if (parameter != NULL) {
            PML_TRY(write_parameter(writer, i, tensor, parameter, error));
        } else {
            PML_TRY(copy_tensor(writer, i, model->file, tensor, error));
        }
    }
    PML_TRY(pml_writer_finish(writer, error));

done:
    pml_writer_destroy(writer);
    pml_metadata_destroy(metadata);
    return status;
}

/* ---- adapters ---- */
static pml_status describe_adapter(const pml_model *model, const pml_metadata *extra, pml_metadata **metadata,
                                   pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_metadata_create(metadata, error));
    PML_TRY(pml_metadata_set_string(*metadata, "general.family", model->schema->name, error));
    PML_TRY(pml_adapter_recipe_write(pml_model_adapter_recipe(model), *metadata, error));
    for (size_t i = 0; extra != NULL && i < pml_metadata_count(extra); i++) {
        PML_TRY(pml_metadata_set_entry(*metadata, pml_metadata_at(extra, i), error));
    }

done:
    return status;
}

pml_status pml_trained_adapter_write(const pml_model *model, const pml_metadata *extra, const char *path,
                                     pml_error *error) {
    pml_status status = PML_OK;
    pml_writer *writer = NULL;
    pml_metadata *metadata = NULL;
    PML_TRY(pml_writer_create(PML_KIND_ADAPTER, &writer, error));
    PML_TRY(pml_writer_set_base_digest(writer, pml_file_content_digest(model->file), error));
    PML_TRY(describe_adapter(model, extra, &metadata, error));
    PML_TRY(pml_writer_set_metadata(writer, metadata, error));
    for (size_t i = 0; i < pml_model_n_parameters(model); i++) {
        const pml_parameter *parameter = pml_model_parameter_at(model, i);
        uint64_t shape[PML_MAX_RANK];
        size_t i_tensor; /* i: declared in this order */
        for (unsigned axis = 0; axis < parameter->rank; axis++) {
            shape[axis] = parameter->shape[axis];
        }
        PML_TRY(check_finite(parameter, error));
        PML_TRY(pml_writer_add_tensor(writer, parameter->name, PML_DTYPE_F32, PML_LAYOUT_ROW, shape, parameter->rank,
                                      NULL, &i_tensor, error));
    }
    PML_TRY(pml_writer_begin(writer, path, true, error));
    for (size_t i = 0; i < pml_model_n_parameters(model); i++) {
        const pml_parameter *parameter = pml_model_parameter_at(model, i);
        PML_TRY(
            pml_writer_tensor_write(writer, i, parameter->values, parameter->count * sizeof *parameter->values, error));
    }
    PML_TRY(pml_writer_finish(writer, error));

done:
    pml_writer_destroy(writer);
    pml_metadata_destroy(metadata);
    return status;
}

/* ---- checkpoints ---- */
typedef struct stored_array { /* one tensor of a checkpoint */
    char name[PML_MAX_NAME_BYTES + 1];
    float *values;
    size_t count;
} stored_array;

/* Arrays of a checkpoint by number: parameters, moments, averages. False behind the last. */
static bool array_at(const pml_trainer *trainer, size_t i, stored_array *array) {
    const size_t n = pml_model_n_parameters(trainer->model);
    if (i < n) {
        const pml_parameter *parameter = pml_model_parameter_at(trainer->model, i);
        (void)snprintf(array->name, sizeof array->name, "%s", parameter->name);
        array->values = parameter->values;
        array->count = parameter->count;
        return true;
    }
    i -= n;
    if (i >= trainer->n_slots * trainer->set.n_views) {
        i -= trainer->n_slots * trainer->set.n_views;
        if (trainer->averages == NULL || i >= trainer->set.n_views) {
            return false;
        }
        (void)snprintf(array->name, sizeof array->name, "average/%s", trainer->views[i].name);
        array->values = trainer->averages[i];
        array->count = trainer->views[i].count;
        return true;
    }
    const pml_parameter_view *view = &trainer->views[i / trainer->n_slots];
    (void)snprintf(array->name, sizeof array->name, "%s/%s", trainer->optimizer->slots[i % trainer->n_slots],
                   view->name);
    array->values = view->slots[i % trainer->n_slots];
    array->count = view->count;
    return true;
}

/* Numbers of a point by key. */
typedef struct point_key {
    const char *key;
    uint64_t *number;
    double *real; /* when there is no number */
} point_key;
#define POINT_KEYS 10
static void point_keys(pml_run_point *point, point_key keys[POINT_KEYS]) {
    const point_key all[POINT_KEYS] = {
        {"train.steps", &point->n_steps, NULL},
        {"train.epoch", &point->position.epoch, NULL},
        {"train.draw", &point->position.i_draw, NULL},
        {"train.best_step", &point->best_step, NULL},
        {"train.bad_evaluations", &point->n_bad_evaluations, NULL},
        {"train.evaluated_step", &point->evaluated_step, NULL},
        {"train.logged_steps", &point->n_logged, NULL},
        {"train.logged_loss", NULL, &point->logged_loss},
        {"train.best_loss", NULL, &point->best_loss},
        {"train.first_loss", NULL, &point->first_loss},
    };
    memcpy(keys, all, sizeof all);
}

static pml_status describe(const pml_run_point *point, const char *recipe, pml_metadata **metadata, pml_error *error) {
    pml_status status = PML_OK;
    pml_run_point copy = *point;
    point_key keys[POINT_KEYS];
    point_keys(&copy, keys);
    PML_TRY(pml_metadata_create(metadata, error));
    for (size_t i = 0; i < POINT_KEYS; i++) {
        if (keys[i].number != NULL) {
            PML_TRY(pml_metadata_set_i64(*metadata, keys[i].key, (int64_t)*keys[i].number, error));
        } else {
            PML_TRY(pml_metadata_set_f64(*metadata, keys[i].key, *keys[i].real, error));
        }
    }
    PML_TRY(pml_metadata_set_bool(*metadata, "train.has_best", point->has_best, error));
    PML_TRY(pml_metadata_set_string(*metadata, "train.recipe", recipe, error));

done:
    return status;
}

pml_status pml_checkpoint_write(const pml_trainer *trainer, const pml_run_point *point, const char *recipe,
                                const char *path, pml_error *error) {
    pml_status status = PML_OK;
    pml_writer *writer = NULL;
    pml_metadata *metadata = NULL;
    stored_array array;
    PML_TRY(pml_writer_create(PML_KIND_CHECKPOINT, &writer, error));
    PML_TRY(pml_writer_set_base_digest(writer, pml_file_content_digest(trainer->model->file), error));
    PML_TRY(describe(point, recipe, &metadata, error));
    PML_TRY(pml_writer_set_metadata(writer, metadata, error));
    for (size_t i = 0; array_at(trainer, i, &array); i++) {
        size_t i_tensor;
        const uint64_t shape[] = {array.count};
        PML_TRY(
            pml_writer_add_tensor(writer, array.name, PML_DTYPE_F32, PML_LAYOUT_ROW, shape, 1, NULL, &i_tensor, error));
    }
    PML_TRY(pml_writer_begin(writer, path, true, error));
    for (size_t i = 0; array_at(trainer, i, &array); i++) {
        PML_TRY(pml_writer_tensor_write(writer, i, array.values, array.count * sizeof(float), error));
    }
    PML_TRY(pml_writer_finish(writer, error));

done:
    pml_writer_destroy(writer);
    pml_metadata_destroy(metadata);
    return status;
}

static pml_status read_point(const pml_file *file, const char *recipe, pml_run_point *point, pml_error *error) {
    pml_status status = PML_OK;
    const pml_metadata *metadata = pml_file_metadata(file);
    const char *stored = NULL;
    point_key keys[POINT_KEYS];
    point_keys(point, keys);
    PML_TRY(pml_metadata_get_string(metadata, "train.recipe", &stored, error));
    if (strcmp(recipe, stored) != 0) {
        PML_TRY(PML_FAIL(error, PML_E_MISMATCH, "it is of a run with other options: %s; now %s", stored, recipe));
    }
    for (size_t i = 0; i < POINT_KEYS; i++) {
        int64_t number = 0;
        if (keys[i].number == NULL) {
            PML_TRY(pml_metadata_get_f64(metadata, keys[i].key, keys[i].real, error));
            continue;
        }
        PML_TRY(pml_metadata_get_i64(metadata, keys[i].key, &number, error));
        if (number < 0) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "'%s' is %lld", keys[i].key, (long long)number));
        }
        *keys[i].number = (uint64_t)number;
    }
    PML_TRY(pml_metadata_get_bool(metadata, "train.has_best", &point->has_best, error));

done:
    return status;
}

pml_status pml_checkpoint_read(pml_trainer *trainer, const char *path, const char *recipe, pml_run_point *point,
                               pml_error *error) {
    pml_status status = PML_OK;
    pml_file *file = NULL;
    stored_array array;
    size_t n = 0;
    *point = (pml_run_point){0};
    PML_TRY(pml_file_open(path, &file, error));
    if (pml_file_get_kind(file) != PML_KIND_CHECKPOINT) {
        PML_TRY(PML_FAIL(error, PML_E_MISMATCH, "it is not of kind checkpoint"));
    }
    PML_TRY(pml_file_verify(file, error));
    if (memcmp(pml_file_base_digest(file), pml_file_content_digest(trainer->model->file), 16) != 0) {
        PML_TRY(PML_FAIL(error, PML_E_MISMATCH, "it is of a run that began with another model than %s",
                         pml_file_path(trainer->model->file)));
    }
    PML_TRY(read_point(file, recipe, point, error));
    for (; array_at(trainer, n, &array); n++) {
        const pml_file_tensor *tensor = pml_file_tensor_find(file, array.name);
        if (tensor == NULL || tensor->dtype != PML_DTYPE_F32 || tensor->layout != PML_LAYOUT_ROW || tensor->rank != 1 ||
            tensor->shape[0] != array.count) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "tensor '%s' is missing or does not have %zu values", array.name,
                             array.count));
        }
        memcpy(array.values, pml_file_tensor_data(file, tensor), array.count * sizeof(float));
    }
    if (n != pml_file_n_tensors(file)) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%zu tensors, of which this run has %zu", pml_file_n_tensors(file), n));
    }
    trainer->n_steps = point->n_steps;

done:
    if (status != PML_OK && file != NULL) {
        pml_error_prefix(error, status, "%s", path);
    }
    pml_file_close(file);
    return status;
}
