#include "mappers/labels.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"

/* The label of class `id`; NULL: id2label has none. */
static const cJSON *label_of(const cJSON *labels, size_t id) {
    char key[32];
    (void)snprintf(key, sizeof key, "%zu", id);
    return cJSON_GetObjectItemCaseSensitive(labels, key);
}

pml_status pml_map_set_labels(const pml_config_reader *reader, pml_error *error) {
    pml_status status = PML_OK;
    const cJSON *labels = cJSON_GetObjectItemCaseSensitive(reader->source->config, "id2label");
    const cJSON *problem = cJSON_GetObjectItemCaseSensitive(reader->source->config, "problem_type");
    const char **texts = NULL;
    char(*defaults)[32] = NULL;
    int64_t n_labels = 0;
    PML_TRY(pml_schema_eval(reader->schema, reader->config, "num_labels", -1, &n_labels, error));
    const size_t n = (size_t)n_labels;
    PML_TRY(pml_alloc(n, sizeof *texts, &texts, error));
    PML_TRY(pml_alloc(n, sizeof *defaults, &defaults, error));
    const bool has_labels = labels != NULL && !cJSON_IsNull(labels);
    if (has_labels && (!cJSON_IsObject(labels) || (size_t)cJSON_GetArraySize(labels) != n)) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG,
                         "%s: id2label must name exactly %zu labels, as many as the classifier gives scores",
                         reader->source->config_name, n));
    }
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(defaults[i], sizeof defaults[i], "LABEL_%zu", i);
        const cJSON *label = label_of(labels, i);
        texts[i] = cJSON_IsString(label) ? label->valuestring : defaults[i];
        if (has_labels && !cJSON_IsString(label)) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: id2label has no text for label %zu (ids run from 0 to %zu)",
                             reader->source->config_name, i, n - 1));
        }
    }
    PML_TRY(pml_metadata_set_strings(reader->config, "text.labels", texts, n, error));
    if (cJSON_IsString(problem) && strcmp(problem->valuestring, "multi_label_classification") == 0) {
        PML_TRY(pml_metadata_set_bool(reader->config, "text.multi_label", true, error));
    }
done:
    pml_free(texts);
    pml_free(defaults);
    return status;
}
