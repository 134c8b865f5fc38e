#include "runtime/text/text_pool.h"

#include <math.h>
#include <string.h>

pml_status pml_text_pool_choose(const pml_model *model, const char *how, pml_text_pool *pool, pml_error *error) {
    const pml_model_port *port = pml_model_find_output(model, "sentence_embedding");
    *pool = (pml_text_pool){.run = {.output = "sentence_embedding"}};
    if (how != NULL || port == NULL) {
        pool->how = how != NULL ? how : "mean";
        pool->run.output = "last_hidden_state";
        pool->run.per_token = true;
        port = pml_model_find_output(model, "last_hidden_state");
    }
    if (port == NULL || port->rank < 2) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "the model has neither sentence embeddings nor hidden states");
    }
    pool->width = port->shape[port->rank - 1];
    return PML_OK;
}

static void pool_rows(const char *how, const float *rows, size_t n_rows, size_t width, float *vector) {
    memcpy(vector, rows, width * sizeof *vector);
    for (size_t d = 0; strcmp(how, "cls") != 0 && d < width; d++) {
        double sum = rows[d], greatest = rows[d];
        for (size_t t = 1; t < n_rows; t++) {
            const double value = rows[t * width + d];
            sum += value;
            greatest = value > greatest ? value : greatest;
        }
        vector[d] = (float)(strcmp(how, "max") == 0 ? greatest : sum / (double)n_rows);
    }
}

void pml_text_pool_take(const pml_text_pool *pool, const pml_text_result *result, float *vector) {
    double squares = 0;
    if (pool->how == NULL) {
        memcpy(vector, result->values, pool->width * sizeof *vector);
    } else {
        pool_rows(pool->how, result->values, result->encoding->count, pool->width, vector);
    }
    for (size_t d = 0; d < pool->width; d++) {
        squares += (double)vector[d] * (double)vector[d];
    }
    const double length = sqrt(squares);
    for (size_t d = 0; pool->normalizes && length > 0 && d < pool->width; d++) {
        vector[d] = (float)(vector[d] / length);
    }
}
