#include "convert/calibrate.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/calibrate_sums.h"
#include "convert/series_state.h"
#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/input.h"
#include "runtime/models/series_metadata.h"

/* Outputs of one run that are kept to be compared. */
#define MOST_OUTPUT_BYTES ((size_t)1 << 24)
#define LEAST_TOKENS 16u

/* ---- inputs ---- */

static pml_status check_file(const char *path, pml_error *error) {
    struct stat info;
    if (stat(path, &info) != 0) {
        return pml_input_failure(path, errno, error);
    }
    if (!S_ISREG(info.st_mode)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--calibrate %s: not a regular file", path);
    }
    if ((uint64_t)info.st_size > PML_CALIBRATE_MOST_BYTES) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--calibrate %s: more than %llu bytes; a sample is enough", path,
                        (unsigned long long)PML_CALIBRATE_MOST_BYTES);
    }
    return PML_OK;
}

/* Whether anything is stored in fewer bits than FP32. */
static bool rounds(const pml_plan *plan) {
    for (size_t i = 0; i < plan->n_tensors; i++) {
        if (plan->tensors[i].dtype != PML_DTYPE_F32) {
            return true;
        }
    }
    return false;
}

static pml_status read_series(const pml_plan *plan, pml_calibration_inputs *inputs, pml_error *error) {
    pml_status status = PML_OK;
    const pml_schema *schema = plan->mapping->schema;
    const char *const sizes[2] = {schema->forecast->context_length, schema->forecast->n_channels};
    int64_t values[2] = {0, 0};
    pml_series_state state = {0};
    PML_TRY(pml_series_state_get(plan->metadata, &state, error));
    const pml_series_request request = {state.columns, state.n_columns, true};
    PML_TRY(pml_series_read(inputs->path, &request, &inputs->series, error));
    for (size_t i = 0; i < 2; i++) {
        if (sizes[i] != NULL) {
            PML_TRY(pml_schema_eval(schema, plan->metadata, sizes[i], -1, &values[i], error));
        }
    }
    if (inputs->series->n_rows < (uint64_t)values[0]) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s has %zu rows, the model looks at %lld", inputs->path,
                         inputs->series->n_rows, (long long)values[0]));
    }
    if (values[1] != 0 && inputs->series->n_columns != (uint64_t)values[1]) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s has %zu columns of numbers, the model takes %lld", inputs->path,
                         inputs->series->n_columns, (long long)values[1]));
    }
done:
    return status;
}

static pml_status read_texts(pml_calibration_inputs *inputs, pml_error *error) {
    pml_status status = PML_OK;
    const pml_text_options options = {.file = inputs->path};
    size_t n_kept = 0;
    PML_TRY(pml_texts_read(&options, NULL, 0, &inputs->texts, error));
    for (size_t i = 0; i < inputs->texts.count; i++) { /* blank lines are no texts */
        const pml_text_item item = inputs->texts.items[i];
        size_t n_blank = 0;
        while (n_blank < item.text_bytes && strchr(" \t\r\f\v", item.text[n_blank]) != NULL &&
               item.text[n_blank] != '\0') {
            n_blank++;
        }
        if (n_blank < item.text_bytes) {
            inputs->texts.items[n_kept++] = item;
        }
    }
    inputs->texts.count = n_kept;
    if (n_kept == 0) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "--calibrate %s: there is no text in it", inputs->path));
    }
done:
    return status;
}

pml_status pml_calibration_read(const pml_plan *plan, const char *path, pml_calibration_inputs *inputs,
                                pml_error *error) {
    pml_status status = PML_OK;
    const pml_schema *schema = plan->mapping->schema;
    int64_t forecasts = schema->forecast != NULL;
    *inputs = (pml_calibration_inputs){.path = path};
    PML_TRY(check_file(path, error));
    if (!rounds(plan)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--calibrate: nothing is rounded, the outputs are those of FP32"));
    }
    if (forecasts && schema->forecast->when != NULL) {
        PML_TRY(pml_schema_eval(schema, plan->metadata, schema->forecast->when, -1, &forecasts, error));
    }
    if (forecasts) {
        PML_TRY(read_series(plan, inputs, error));
    } else if (plan->tokenizer.bytes != NULL) {
        PML_TRY(read_texts(inputs, error));
    } else {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED,
                         "--calibrate: this %s model neither forecasts nor has a tokenizer to read text with",
                         schema->name));
    }
done:
    return status;
}

void pml_calibration_inputs_deinit(pml_calibration_inputs *inputs) {
    pml_texts_free(&inputs->texts);
    pml_series_destroy(inputs->series);
    *inputs = (pml_calibration_inputs){0};
}

/* ---- running both ---- */

enum { EXACT, ROUNDED, N_MODELS };

typedef struct both {
    pml_file *files[N_MODELS];
    pml_model *models[N_MODELS];
    const pml_calibration_inputs *inputs;
    pml_calibration *result;
    float *kept; /* outputs of the FP32 model, one after the other */
    size_t kept_floats;
} both;

/* Runs both models on the same inputs and adds up how their outputs differ. `kept` holds what FP32 said afterwards. */
static pml_status run_both(both *b, const pml_array *arrays, size_t n_arrays, pml_error *error) {
    pml_status status = PML_OK;
    size_t n_floats = 0;
    PML_TRY(pml_cancel_check(error));
    PML_TRY(pml_model_run(b->models[EXACT], arrays, n_arrays, error));
    for (size_t i = 0; i < pml_model_n_outputs(b->models[EXACT]); i++) {
        n_floats += pml_calibrated_size(pml_model_output_at(b->models[EXACT], i));
    }
    if (n_floats > b->kept_floats) {
        pml_free(b->kept);
        b->kept = NULL;
        b->kept_floats = 0;
        PML_TRY(pml_alloc(n_floats, sizeof *b->kept, &b->kept, error));
        b->kept_floats = n_floats;
    }
    n_floats = 0;
    for (size_t i = 0; i < pml_model_n_outputs(b->models[EXACT]); i++) {
        const pml_array *output = pml_model_output_at(b->models[EXACT], i);
        const size_t n = pml_calibrated_size(output);
        if (n > 0) {
            memcpy(b->kept + n_floats, output->data, n * sizeof *b->kept);
        }
        n_floats += n;
    }
    PML_TRY(pml_model_run(b->models[ROUNDED], arrays, n_arrays, error));
    n_floats = 0;
    for (size_t i = 0; i < pml_model_n_outputs(b->models[ROUNDED]); i++) {
        const pml_array *output = pml_model_output_at(b->models[ROUNDED], i);
        const pml_model_port *port = pml_model_find_output(b->models[ROUNDED], output->name);
        const size_t n = pml_calibrated_size(output);
        const size_t n_row = port->token_axis > 0 && output->rank == 3 ? output->shape[2] : n;
        pml_calibrated_output *sums = pml_calibrated_find(b->result, output->name);
        if (sums != NULL) {
            pml_calibrated_add(sums, b->kept + n_floats, output->data, n, n_row);
        }
        n_floats += n;
    }
done:
    return status;
}

/* Likelihoods of the tokens that follow, from the logits that both said. */
static void score_tokens(both *b, const float *ids, size_t n, size_t vocab_size) {
    const pml_array *rounded = pml_model_output(b->models[ROUNDED], "logits");
    const float *exact = b->kept;
    for (size_t i = 0; strcmp(pml_model_output_at(b->models[EXACT], i)->name, "logits") != 0; i++) {
        exact += pml_calibrated_size(pml_model_output_at(b->models[EXACT], i));
    }
    for (size_t k = 0; k + 1 < n; k++) {
        const size_t next = (size_t)ids[k + 1];
        b->result->loss_f32 += pml_calibrated_loss(exact + k * vocab_size, vocab_size, next);
        b->result->loss += pml_calibrated_loss(rounded->data + k * vocab_size, vocab_size, next);
        b->result->n_scored++;
    }
}

/* Tokens of one run: what the model takes, and no more outputs than may be kept. */
static size_t most_tokens(const both *b, const pml_text_model *text) {
    size_t token_bytes = sizeof(float);
    for (size_t i = 0; i < pml_model_n_outputs(b->models[EXACT]); i++) {
        const char *name = pml_model_output_at(b->models[EXACT], i)->name;
        const pml_model_port *port = pml_model_find_output(b->models[EXACT], name);
        size_t n = port->token_axis > 0 ? sizeof(float) : 0;
        for (unsigned a = 0; a < port->rank; a++) {
            n *= port->shape[a];
        }
        token_bytes += n;
    }
    size_t most = MOST_OUTPUT_BYTES / token_bytes;
    most = most < LEAST_TOKENS ? LEAST_TOKENS : most;
    return text->max_tokens > 0 && text->max_tokens < most ? text->max_tokens : most;
}

static pml_status run_text(both *b, const pml_text_model *text, const pml_text_item *item, size_t most, float *values,
                           pml_encoding *encoding, pml_error *error) {
    pml_status status = PML_OK;
    pml_model *model = b->models[EXACT];
    const pml_model_port *logits = pml_model_find_output(model, "logits");
    const pml_model_port *port = pml_model_find_input(model, "input_ids");
    const bool is_language_model = pml_model_schema(model)->state != NULL && logits != NULL && logits->rank == 3;
    const size_t n_inputs = pml_model_find_input(model, "token_type_ids") != NULL ? 2 : 1;
    /* Texts of a language model go on in the next run, others are cut as `embed` cuts them. */
    const pml_encode_options limit = {.max_tokens = is_language_model ? 0 : most};
    PML_TRY(pml_tokenizer_run(text->tokenizer, item->text, item->text_bytes, NULL, 0, &limit, encoding, error));
    for (size_t first = 0; first < encoding->count && b->result->n_tokens < PML_CALIBRATE_MOST_TOKENS; first += most) {
        const size_t n = encoding->count - first < most ? encoding->count - first : most;
        for (size_t k = 0; k < n; k++) {
            values[k] = (float)encoding->tokens[first + k].id;
            values[most + k] = (float)encoding->tokens[first + k].type_id;
        }
        const pml_array arrays[2] = {{"input_ids", values, 2, {1, n}}, {"token_type_ids", values + most, 2, {1, n}}};
        PML_TRY(run_both(b, arrays, n_inputs, error));
        if (is_language_model && logits->shape[2] == port->index_below) {
            score_tokens(b, values, n, logits->shape[2]);
        }
        b->result->n_tokens += n;
    }
done:
    return status;
}

static pml_status run_texts(both *b, pml_error *error) {
    pml_status status = PML_OK;
    pml_text_model text = {0};
    pml_encoding encoding = {0};
    float *values = NULL;
    const pml_texts *texts = &b->inputs->texts;
    PML_TRY(pml_text_model_open(b->files[EXACT], b->models[EXACT], &text, error));
    const size_t most = most_tokens(b, &text);
    PML_TRY(pml_alloc(2 * most, sizeof *values, &values, error));
    for (size_t i = 0; i < texts->count && b->result->n_tokens < PML_CALIBRATE_MOST_TOKENS; i++) {
        PML_TRY(run_text(b, &text, &texts->items[i], most, values, &encoding, error));
        b->result->n_inputs++;
    }
done:
    pml_free(values);
    pml_encoding_deinit(&encoding);
    pml_text_model_close(&text);
    return status;
}

/* One window: both forecasts, in units of the scaler where there is one. */
static pml_status run_window(both *b, const pml_forecast_shape *shape, const pml_series_state *state, size_t row,
                             double *forecasts[N_MODELS], float *floats[N_MODELS], pml_error *error) {
    pml_status status = PML_OK;
    const pml_series *series = b->inputs->series;
    const size_t n = shape->horizon * series->n_columns;
    for (size_t m = 0; m < N_MODELS; m++) {
        PML_TRY(pml_model_forecast(b->models[m], series->values + row * series->n_columns, shape->context_length,
                                   series->n_columns, forecasts[m], error));
        for (size_t i = 0; i < n; i++) {
            const size_t c = i % series->n_columns;
            if (state->mean != NULL && c < state->n_scaled) {
                forecasts[m][i] = (forecasts[m][i] - state->mean[c]) / state->std[c];
            }
            floats[m][i] = (float)forecasts[m][i];
        }
    }
    for (size_t i = 0; i < n; i++) {
        const double difference = forecasts[ROUNDED][i] - forecasts[EXACT][i];
        b->result->squared += difference * difference;
        b->result->absolute += fabs(difference);
        b->result->n_values++;
    }
    pml_calibrated_add(pml_calibrated_find(b->result, "forecast"), floats[EXACT], floats[ROUNDED], n, n);
done:
    return status;
}

static pml_status run_series(both *b, pml_error *error) {
    pml_status status = PML_OK;
    const pml_series *series = b->inputs->series;
    pml_forecast_shape shape;
    pml_series_state state = {0};
    double *forecasts[N_MODELS] = {NULL};
    float *floats[N_MODELS] = {NULL};
    b->result->is_series = true;
    PML_TRY(pml_model_forecast_shape(b->models[EXACT], &shape, error));
    PML_TRY(pml_series_state_get(pml_file_metadata(b->files[EXACT]), &state, error));
    const size_t n_columns = series->n_columns;
    for (size_t m = 0; m < N_MODELS; m++) {
        PML_TRY(pml_alloc(shape.horizon, n_columns * sizeof **forecasts, &forecasts[m], error));
        PML_TRY(pml_alloc(shape.horizon, n_columns * sizeof **floats, &floats[m], error));
    }
    const size_t n_places = series->n_rows - shape.context_length + 1;
    const size_t n_windows = n_places < PML_CALIBRATE_MOST_WINDOWS ? n_places : PML_CALIBRATE_MOST_WINDOWS;
    for (size_t i = 0; i < n_windows; i++) {
        const size_t row = n_windows == 1 ? 0 : i * (n_places - 1) / (n_windows - 1);
        PML_TRY(pml_cancel_check(error));
        PML_TRY(run_window(b, &shape, &state, row, forecasts, floats, error));
        b->result->n_inputs++;
    }
done:
    for (size_t m = 0; m < N_MODELS; m++) {
        pml_free(forecasts[m]);
        pml_free(floats[m]);
    }
    return status;
}

pml_status pml_calibration_run(const pml_plan *plan, const pml_calibration_inputs *inputs, pml_calibration *calibration,
                               pml_error *error) {
    pml_status status = PML_OK;
    both b = {.inputs = inputs, .result = calibration};
    *calibration = (pml_calibration){0};
    PML_TRY(pml_convert_reference(plan, &b.files[EXACT], error));
    PML_TRY(pml_file_open(plan->output, &b.files[ROUNDED], error));
    for (size_t m = 0; m < N_MODELS; m++) {
        PML_TRY(pml_model_create(b.files[m], NULL, &b.models[m], error));
    }
    PML_TRY(inputs->series != NULL ? run_series(&b, error) : run_texts(&b, error));
done:
    if (status != PML_OK) {
        status = pml_error_prefix(error, status, "--calibrate (%s)", inputs->path);
    }
    pml_free(b.kept);
    for (size_t m = 0; m < N_MODELS; m++) {
        pml_model_destroy(b.models[m]);
        pml_file_close(b.files[m]);
    }
    return status;
}
