/* Which data a model is trained on, by what it takes: windows of a series, or texts. */
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/file/reader.h"
#include "runtime/models/series_metadata.h"
#include "runtime/schema/series_ports.h"
#include "runtime/text/text_model.h"
#include "runtime/train/data/labelled_texts.h"
#include "runtime/train/data/masked_tokens.h"
#include "runtime/train/data/series_windows.h"
#include "runtime/train/data/token_blocks.h"
#include "runtime/train/train_setup.h"

void pml_train_data_close(pml_train_data *data) {
    pml_dataset_destroy(data->train);
    pml_dataset_destroy(data->val);
    pml_metadata_destroy(data->extra);
    *data = (pml_train_data){0};
}

/* ---- series ---- */
/* Sizes of a model that takes windows but does not forecast. */
static pml_status window_options(const pml_model *model, const char *task, pml_windows_options *options,
                                 pml_error *error) {
    const pml_model_port *values = pml_model_find_input(model, PML_PORT_VALUES);
    if (strncmp(task, "forecast", 8) == 0) {
        return pml_windows_options_of(model, options, error);
    }
    *options = (pml_windows_options){.context_length = values->shape[1], .horizon = 1, .without_future = true};
    return PML_OK;
}

static pml_status channels_of(const pml_train_setup *setup, pml_windows_options *options, pml_error *error) {
    static const char *const names[] = {"M", "S", "MS"};
    for (size_t i = 0; i < 3 && setup->features != NULL; i++) {
        if (strcmp(setup->features, names[i]) == 0) {
            options->channels = (pml_windows_channels)i;
            options->target = setup->target;
            return PML_OK;
        }
    }
    return setup->features == NULL && setup->target == NULL
               ? PML_OK
               : PML_FAIL(error, PML_E_ARGUMENT, "--features is M, S or MS; --target goes with S and MS");
}

/* What a forecast needs to know of the series, in the trained file. */
static pml_status describe(const pml_dataset *dataset, pml_train_data *data, pml_error *error) {
    pml_status status = PML_OK;
    const pml_windows_scale scale = pml_series_windows_scale(dataset);
    PML_TRY(pml_metadata_create(&data->extra, error));
    PML_TRY(pml_metadata_set_string(data->extra, "series.scaler", "standard", error));
    PML_TRY(pml_metadata_set_strings(data->extra, "series.columns", scale.columns, scale.n_channels, error));
    PML_TRY(pml_metadata_set_f64s(data->extra, "series.mean", scale.mean, scale.n_channels, error));
    PML_TRY(pml_metadata_set_f64s(data->extra, "series.std", scale.std, scale.n_channels, error));

done:
    return status;
}

static pml_status open_series(const pml_train_setup *setup, const pml_file *file, pml_model *model, const char *task,
                              pml_train_data *data, pml_error *error) {
    pml_status status = PML_OK;
    pml_series *series = NULL;
    pml_series_state state = {0};
    pml_windows_options options = {0};
    if (setup->n_data != 1 || setup->validation != NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "one series is trained on: --data FILE.csv, validated by its --split"));
    }
    PML_TRY(pml_series_state_get(pml_file_metadata(file), &state, error));
    PML_TRY(window_options(model, task, &options, error));
    PML_TRY(channels_of(setup, &options, error));
    const pml_model_port *values = pml_model_find_input(model, PML_PORT_VALUES);
    const pml_series_request request = {state.columns, state.n_columns, options.marks.count == 0};
    PML_TRY(pml_series_read(setup->data[0], &request, &series, error));
    PML_TRY(
        pml_split_parse(setup->split == NULL ? "0.7,0.1,0.2" : setup->split, series->n_rows, &options.split, error));
    options.mean = state.mean;
    options.std = state.std;
    options.n_scaled = state.n_scaled;
    options.part = PML_PART_TRAIN;
    PML_TRY(pml_series_windows_create(series, setup->data[0], &options, &data->train, error));
    const size_t n_columns = pml_series_windows_scale(data->train).n_channels;
    if (options.channels == PML_WINDOWS_M && values->shape[2] > 1 && values->shape[2] != n_columns) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: %zu columns of numbers, and the model takes %zu", setup->data[0],
                         n_columns, values->shape[2]));
    }
    PML_TRY(describe(data->train, data, error));
    options.part = PML_PART_VAL;
    PML_TRY(pml_series_windows_create(series, setup->data[0], &options, &data->val, error));

done:
    pml_series_destroy(series);
    return status;
}

/* ---- texts ---- */
static pml_status open_texts(const pml_train_setup *setup, const pml_text_model *text, bool is_masked,
                             const char *const *paths, size_t n_paths, pml_dataset **dataset, pml_error *error) {
    pml_status status = PML_OK;
    pml_token_stream stream = {0};
    const size_t max_tokens = setup->max_tokens == 0 ? text->max_tokens : setup->max_tokens;
    if (is_masked) {
        const pml_masked_options options = {.max_tokens = max_tokens, .by_line = setup->by_line};
        PML_TRY(pml_masked_tokens_create(text->tokenizer, paths, n_paths, &options, dataset, error));
    } else {
        const pml_stream_options options = {.by_line = setup->by_line};
        PML_TRY(pml_token_stream_read(text->tokenizer, paths, n_paths, &options, &stream, error));
        PML_TRY(pml_token_blocks_create(&stream, paths[0], max_tokens, dataset, error));
    }

done:
    pml_token_stream_deinit(&stream);
    return status;
}

static pml_status open_labelled(const pml_train_setup *setup, const pml_text_model *text, size_t n_labels,
                                const char *path, pml_dataset **dataset, pml_error *error) {
    const pml_labelled_options options = {.max_tokens = setup->max_tokens == 0 ? text->max_tokens : setup->max_tokens,
                                          .labels = text->labels,
                                          .n_labels = text->labels == NULL ? n_labels : text->n_labels,
                                          .is_multi_label = text->is_multi_label};
    return pml_labelled_texts_create(text->tokenizer, path, &options, dataset, error);
}

static pml_status open_text(const pml_train_setup *setup, const pml_file *file, pml_model *model, const char *task,
                            pml_train_data *data, pml_error *error) {
    pml_status status = PML_OK;
    pml_text_model text = {0};
    const char *const validation[] = {setup->validation};
    PML_TRY(pml_text_model_open(file, model, &text, error));
    if (strcmp(task, "classify-text") == 0) {
        const pml_model_port *logits = pml_model_find_output(model, "logits");
        if (setup->n_data != 1) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "one file of JSON lines is trained on: --data FILE.jsonl"));
        }
        PML_TRY(open_labelled(setup, &text, logits->shape[1], setup->data[0], &data->train, error));
        if (setup->validation != NULL) {
            PML_TRY(open_labelled(setup, &text, logits->shape[1], setup->validation, &data->val, error));
        }
        goto done;
    }
    const bool is_masked = strcmp(text.head, "masked_lm") == 0;
    PML_TRY(open_texts(setup, &text, is_masked, setup->data, setup->n_data, &data->train, error));
    if (setup->validation != NULL) {
        PML_TRY(open_texts(setup, &text, is_masked, validation, 1, &data->val, error));
    }

done:
    pml_text_model_close(&text);
    return status;
}

pml_status pml_train_data_open(const pml_train_setup *setup, const pml_file *file, pml_model *model, const char *task,
                               pml_train_data *data, pml_error *error) {
    *data = (pml_train_data){0};
    if (setup->n_data == 0) {
        return PML_FAIL(error, PML_E_ARGUMENT, "train needs --data FILE");
    }
    if (pml_model_find_input(model, PML_PORT_VALUES) != NULL) {
        return open_series(setup, file, model, task, data, error);
    }
    return open_text(setup, file, model, task, data, error);
}
