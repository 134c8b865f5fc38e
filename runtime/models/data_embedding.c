#include "runtime/models/data_embedding.h"

#include <stdio.h>

#include "runtime/ops/signal.h"

#define TAPS 3u

pml_status pml_data_embedding_load(pml_model *model, const char *name, pml_data_embedding *embedding,
                                   pml_error *error) {
    static const char *const tables[PML_CALENDAR_TABLES] = {"month", "day", "weekday", "hour", "minute"};
    pml_status status = PML_OK;
    char part[PML_MAX_NAME_BYTES];
    *embedding = (pml_data_embedding){0};
    snprintf(part, sizeof part, "%s.value", name);
    PML_TRY(pml_linear_load(model, part, false, &embedding->value, error));
    snprintf(part, sizeof part, "%s.time.weight", name);
    embedding->has_time = pml_model_has_weight(model, part);
    if (embedding->has_time) {
        PML_TRY(pml_model_weight(model, &embedding->time.weight, error, "%s", part));
    }
    for (size_t i = 0; i < PML_CALENDAR_TABLES; i++) {
        snprintf(part, sizeof part, "%s.%s.weight", name, tables[i]);
        if (pml_model_has_weight(model, part)) {
            PML_TRY(pml_model_weight(model, &embedding->tables[i], error, "%s", part));
            embedding->n_tables = i + 1;
        }
    }
    snprintf(part, sizeof part, "%s.position", name);
    embedding->has_position = pml_model_has_weight(model, part);
    if (embedding->has_position) {
        PML_TRY(pml_model_weight(model, &embedding->position, error, "%s", part));
    }
    PML_TRY(pml_model_config_dropout(model, "dropout", &embedding->dropout, error));

done:
    return status;
}

/* Column i of marks [B, T, n], as indexes [B, T]. */
static pml_status take_column(pml_context *context, const pml_tensor *marks, size_t i, pml_tensor *column,
                              pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, marks->shape, marks->rank - 1, column, error));
    const size_t n_columns = pml_tensor_columns(marks);
    const float *from = pml_tensor_f32_const(marks) + i;
    float *to = pml_tensor_f32(column);
    for (size_t row = 0, n_rows = pml_tensor_count(column); row < n_rows; row++) {
        to[row] = from[row * n_columns];
    }

done:
    return status;
}

/* *y += what the tables say of the marks, last column first: the order in which torch adds them. */
static pml_status add_tables(pml_context *context, const pml_data_embedding *embedding, const pml_tensor *marks,
                             pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    static const size_t order[] = {3, 2, 1, 0, 4}; /* hour, weekday, day, month, minute */
    pml_tensor total = {0};
    bool has_total = false;
    for (size_t k = 0; k < sizeof order / sizeof order[0]; k++) {
        const size_t i = order[k];
        pml_tensor column, rows, sum;
        if (i >= embedding->n_tables) {
            continue;
        }
        PML_TRY(take_column(context, marks, i, &column, error));
        PML_TRY(pml_op_lookup(context, &embedding->tables[i], PML_LOOKUP_ROWS, &column, &rows, error));
        if (has_total) {
            PML_TRY(pml_op_add(context, &total, &rows, &sum, error));
            rows = sum;
        }
        total = rows;
        has_total = true;
    }
    if (has_total) {
        pml_tensor sum;
        PML_TRY(pml_op_add(context, y, &total, &sum, error));
        *y = sum;
    }

done:
    return status;
}

pml_status pml_data_embedding_run(pml_context *context, const pml_data_embedding *embedding, const pml_tensor *x,
                                  const pml_tensor *marks, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const size_t base = pml_context_mark(context);
    pml_tensor steps, sum;
    PML_TRY(pml_op_unfold(context, x, TAPS, PML_UNFOLD_CIRCULAR, &steps, error));
    PML_TRY(pml_linear_run(context, &embedding->value, &steps, PML_ACTIVATION_IDENTITY, NULL, y, error));
    if (marks != NULL && embedding->has_time) {
        PML_TRY(pml_linear_run(context, &embedding->time, marks, PML_ACTIVATION_IDENTITY, y, &sum, error));
        *y = sum;
    }
    if (marks != NULL && embedding->n_tables > 0) {
        PML_TRY(add_tables(context, embedding, marks, y, error));
    }
    if (embedding->has_position) {
        PML_TRY(pml_op_add(context, y, &embedding->position, &sum, error));
        *y = sum;
    }
    PML_TRY(pml_op_dropout(context, y, embedding->dropout, y, error));
    pml_context_release(context, base, y);

done:
    return status;
}

size_t pml_data_embedding_bytes(const pml_data_embedding *embedding, size_t n_samples, size_t n_steps) {
    const size_t features = PML_FLOATS(n_samples, n_steps, pml_tensor_columns(&embedding->value.weight));
    const size_t taps = pml_tensor_rows(&embedding->value.weight);
    size_t bytes = PML_SUM(PML_FLOATS(n_samples, n_steps, taps), features, features, features);
    for (size_t i = 0; i < embedding->n_tables; i++) {
        bytes = PML_SUM(bytes, PML_FLOATS(n_samples, n_steps), features, features);
    }
    return bytes;
}
