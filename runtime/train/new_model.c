#include "runtime/train/new_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/input.h"
#include "runtime/base/quote.h"
#include "runtime/file/writer.h"
#include "runtime/models/series_metadata.h"
#include "runtime/series/series.h"
#include "runtime/text/text_model.h"
#include "runtime/train/data/labelled_texts.h"
#include "runtime/train/fresh_weights.h"

#define MOST_WEIGHTS 65536u /* tensors */
#define TOKENIZER "tokenizer"
#define SHORT_TEXT 512u /* tokens, where the tokenizer's file does not say how many a model takes */

/* ---- families ---- */
static pml_status find_family(const char *name, const pml_schema **schema, pml_error *error) {
    pml_quoted quoted;
    char known[512] = "";
    size_t used = 0;
    *schema = pml_schema_find(name);
    if (*schema != NULL && (*schema)->fresh != NULL) {
        return PML_OK;
    }
    for (size_t i = 0; pml_schemas[i] != NULL && used < sizeof known; i++) {
        if (pml_schemas[i]->fresh != NULL) {
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used == 0 ? "" : ", ",
                                     pml_schemas[i]->name);
        }
    }
    return PML_FAIL(error, PML_E_NOT_FOUND, "no family %s to make a model of; there are: %.400s",
                    pml_quote(&quoted, name), known);
}

/* ---- what the data say ---- */
/* The letter that time marks know a step by: "15t" is 't'. */
static char letter_of(const char *name) {
    const char *letters = name + strspn(name, "0123456789");
    return (char)(strchr(letters, 's') != NULL ? 's' : letters[0] == 'y' ? 'a' : letters[0]);
}

static pml_status look_at_series(const pml_new_model *model, pml_fresh_facts *facts, pml_metadata *metadata,
                                 pml_error *error) {
    pml_status status = PML_OK;
    pml_series *series = NULL;
    const pml_series_request all = {0};
    pml_step step;
    char name[32];
    PML_TRY(pml_series_read(model->data, &all, &series, error));
    facts->n_channels = model->is_single ? 1 : series->n_columns;
    facts->has_dates = series->stamps_us != NULL;
    if (facts->has_dates && series->n_rows >= 2 &&
        pml_step_find(series->stamps_us, series->n_rows, 1, &step, error) == PML_OK) {
        facts->frequency = letter_of(pml_step_name(&step, name));
        PML_TRY(pml_metadata_set_string(metadata, "series.frequency", name, error));
    }

done:
    pml_series_destroy(series);
    return status;
}

static pml_status look_at_tokenizer(const pml_new_model *model, const pml_schema *schema, pml_fresh_facts *facts,
                                    pml_error *error) {
    if (!schema->fresh->has_tokens) {
        return model->text == NULL
                   ? PML_OK
                   : PML_FAIL(error, PML_E_ARGUMENT, "family %s reads no text: it takes no tokenizer", schema->name);
    }
    if (model->text == NULL) {
        return PML_FAIL(error, PML_E_ARGUMENT, "a new model of family %s needs the tokenizer of another .pml",
                        schema->name);
    }
    if (pml_file_blob_find(model->text, TOKENIZER) == NULL) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "%s has no tokenizer", pml_file_path(model->text));
    }
    facts->tokenizer = pml_file_metadata(model->text);
    return PML_OK;
}

/* Classes of a classifier that nobody counted, and their names. */
static pml_status look_at_labels(const pml_new_model *model, pml_fresh_facts *facts, pml_metadata *metadata,
                                 pml_error *error) {
    pml_status status = PML_OK;
    const pml_meta_entry *head = pml_metadata_find(metadata, "config.head");
    pml_text_model text = {0};
    pml_dataset *dataset = NULL;
    const char **names = NULL;
    if (model->data == NULL || head == NULL || head->type != PML_META_STRING ||
        strcmp(head->value.string, "sequence_classification") != 0 ||
        pml_metadata_find(metadata, "config.num_labels") != NULL) {
        goto done;
    }
    PML_TRY(pml_text_model_open(model->text, NULL, &text, error));
    const pml_labelled_options options = {.max_tokens = text.max_tokens == 0 ? SHORT_TEXT : text.max_tokens};
    PML_TRY(pml_labelled_texts_create(text.tokenizer, model->data, &options, &dataset, error));
    facts->n_labels = pml_labelled_texts_n_labels(dataset);
    if (pml_labelled_texts_label(dataset, 0) == NULL) {
        goto done;
    }
    PML_TRY(pml_alloc(facts->n_labels, sizeof *names, &names, error));
    for (size_t i = 0; i < facts->n_labels; i++) {
        names[i] = pml_labelled_texts_label(dataset, i);
    }
    PML_TRY(pml_metadata_set_strings(metadata, "text.labels", names, facts->n_labels, error));

done:
    pml_free(names);
    pml_dataset_destroy(dataset);
    pml_text_model_close(&text);
    return status;
}

/* ---- metadata ---- */
static pml_status read_config(const pml_new_model *model, const pml_schema *schema, pml_metadata *metadata,
                              pml_error *error) {
    pml_status status = PML_OK;
    char *bytes = NULL;
    size_t size_bytes;
    if (model->config != NULL) {
        PML_TRY(pml_input_read(model->config, PML_E_ARGUMENT, PML_MAX_CONFIG_BYTES, &bytes, &size_bytes, error));
        PML_TRY(pml_fresh_config_read(schema, bytes, size_bytes, model->config, metadata, error));
    }
    for (size_t i = 0; i < model->n_settings; i++) {
        PML_TRY(pml_fresh_config_set(schema, model->settings[i], metadata, error));
    }

done:
    pml_free(bytes);
    return status;
}

static pml_status set_general(const pml_new_model *model, const pml_schema *schema, pml_metadata *metadata,
                              pml_error *error) {
    pml_status status = PML_OK;
    const pml_fresh_spec *fresh = schema->fresh;
    const char *variant = schema->variants[0];
    char seed[32];
    static const char *const options[] = {"dtype=f32", "layout=panel"}; /* as the converter would be asked for it */
    int64_t is_other = 0;
    const pml_meta_entry *head = pml_metadata_find(metadata, "config.head");
    if (head != NULL && head->type == PML_META_STRING) {
        variant = head->value.string;
    }
    if (fresh->other != NULL) {
        PML_TRY(pml_schema_eval(schema, metadata, fresh->other_when, -1, &is_other, error));
    }
    (void)snprintf(seed, sizeof seed, "%" PRIu64, model->seed);
    PML_TRY(pml_metadata_set_string(metadata, "general.family", schema->name, error));
    PML_TRY(pml_metadata_set_string(metadata, "general.architecture", schema->architecture, error));
    PML_TRY(pml_metadata_set_string(metadata, "general.variant", variant, error));
    PML_TRY(
        pml_metadata_set_string(metadata, "provenance.dialect", is_other != 0 ? fresh->other : fresh->dialect, error));
    PML_TRY(pml_metadata_set_string(metadata, "provenance.source", "made from nothing", error));
    PML_TRY(pml_metadata_set_strings(metadata, "provenance.options", options, 2, error));
    PML_TRY(pml_metadata_set_string(metadata, "provenance.seed", seed, error));

done:
    return status;
}

/* "series.context_length" and "series.horizon" of a model that forecasts, "text.max_tokens" of one that reads. */
static pml_status set_lengths(const pml_schema *schema, pml_metadata *metadata, pml_error *error) {
    pml_status status = PML_OK;
    int64_t max_tokens;
    if (schema->fresh->has_tokens) {
        PML_TRY(pml_metadata_get_i64(metadata, "config.max_positions", &max_tokens, error));
        PML_TRY(pml_metadata_set_i64(metadata, "text.max_tokens", max_tokens, error));
    }
    const pml_forecast_spec *forecast = schema->forecast;
    int64_t forecasts = forecast != NULL, length;
    if (forecast != NULL && forecast->when != NULL) {
        PML_TRY(pml_schema_eval(schema, metadata, forecast->when, -1, &forecasts, error));
    }
    if (forecasts != 0) {
        PML_TRY(pml_schema_eval(schema, metadata, forecast->context_length, -1, &length, error));
        PML_TRY(pml_metadata_set_i64(metadata, "series.context_length", length, error));
        PML_TRY(pml_schema_eval(schema, metadata, forecast->horizon, -1, &length, error));
        PML_TRY(pml_metadata_set_i64(metadata, "series.horizon", length, error));
    }

done:
    return status;
}

pml_status pml_new_model_describe(const pml_new_model *model, pml_metadata **metadata, pml_error *error) {
    pml_status status = PML_OK;
    const pml_schema *schema = NULL;
    pml_metadata *made = NULL;
    pml_fresh_facts facts = {.seed = model->seed};
    PML_TRY(find_family(model->family, &schema, error));
    PML_TRY(pml_metadata_create(&made, error));
    PML_TRY(look_at_tokenizer(model, schema, &facts, error));
    PML_TRY(read_config(model, schema, made, error));
    if (schema->fresh->has_tokens) {
        PML_TRY(look_at_labels(model, &facts, made, error));
    } else if (model->data != NULL) {
        PML_TRY(look_at_series(model, &facts, made, error));
    }
    PML_TRY(pml_fresh_config_complete(schema, &facts, made, error));
    PML_TRY(set_general(model, schema, made, error));
    PML_TRY(set_lengths(schema, made, error));
    *metadata = made;
    made = NULL;

done:
    pml_metadata_destroy(made);
    return status;
}

/* ---- the file ---- */
static pml_layout layout_of(const pml_weight_instance *weight) {
    return weight->spec->role == PML_ROLE_MATRIX || weight->spec->role == PML_ROLE_CONVOLUTION ? PML_LAYOUT_PANEL
                                                                                               : PML_LAYOUT_ROW;
}

static pml_status declare(pml_writer *writer, const pml_new_model *model, const pml_weight_list *weights,
                          pml_error *error) {
    pml_status status = PML_OK;
    size_t i_tensor;
    for (size_t i = 0; i < weights->count; i++) {
        const pml_weight_instance *weight = &weights->items[i];
        PML_TRY(pml_writer_add_tensor(writer, weight->name, PML_DTYPE_F32, layout_of(weight), weight->shape,
                                      weight->rank, NULL, &i_tensor, error));
    }
    if (model->text != NULL) {
        const pml_file_blob *blob = pml_file_blob_find(model->text, TOKENIZER);
        PML_TRY(pml_writer_add_blob(writer, TOKENIZER, blob->data, blob->size_bytes, error));
    }

done:
    return status;
}

pml_status pml_new_model_write(const pml_new_model *model, const char *path, pml_error *error) {
    pml_status status = PML_OK;
    pml_metadata *metadata = NULL;
    pml_writer *writer = NULL;
    pml_weight_list weights = {0};
    pml_fresh_weights *maker = NULL;
    PML_TRY(pml_new_model_describe(model, &metadata, error));
    const pml_schema *schema = pml_schema_find(model->family);
    PML_TRY(pml_schema_weights(schema, metadata, MOST_WEIGHTS, &weights, error));
    PML_TRY(pml_fresh_weights_create(schema, metadata, &weights, model->seed, &maker, error));
    PML_TRY(pml_writer_create(PML_KIND_MODEL, &writer, error));
    PML_TRY(pml_writer_set_metadata(writer, metadata, error));
    PML_TRY(declare(writer, model, &weights, error));
    PML_TRY(pml_writer_begin(writer, path, true, error));
    for (size_t i = 0; i < weights.count; i++) { /* declared in this order: indexes agree */
        const void *bytes;
        size_t size_bytes;
        PML_TRY(pml_fresh_weights_fill(maker, i, layout_of(&weights.items[i]), &bytes, &size_bytes, error));
        PML_TRY(pml_writer_tensor_write(writer, i, bytes, size_bytes, error));
    }
    PML_TRY(pml_writer_finish(writer, error));

done:
    pml_fresh_weights_destroy(maker);
    pml_weight_list_deinit(&weights);
    pml_writer_destroy(writer);
    pml_metadata_destroy(metadata);
    return status;
}
