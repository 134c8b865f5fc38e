#include "mappers/setting.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"

#define SETTING "setting="
#define MAX_VALUE_BYTES 48u

typedef enum kind_of_value { TEXT, NUMBER } kind_of_value;

static const struct {
    const char *letters, *key;
    kind_of_value kind;
    bool is_needed;
    bool is_extra; /* of Time-Series-Library alone; no place of iTransformer's form */
} places[] = {{"ft", "features", TEXT, true, false},     {"sl", "seq_len", NUMBER, true, false},
              {"ll", "label_len", NUMBER, false, false}, {"pl", "pred_len", NUMBER, true, false},
              {"dm", "d_model", NUMBER, true, false},    {"nh", "n_heads", NUMBER, true, false},
              {"el", "e_layers", NUMBER, true, false},   {"dl", "d_layers", NUMBER, false, false},
              {"df", "d_ff", NUMBER, true, false},       {"expand", "expand", NUMBER, false, true},
              {"dc", "d_conv", NUMBER, false, true},     {"fc", "factor", NUMBER, false, false},
              {"eb", "embed", TEXT, false, false},       {"dt", "distil", TEXT, false, false}};
#define N_PLACES (sizeof places / sizeof places[0])

static const char *const tasks[] = {"long_term_forecast", "short_term_forecast", "imputation", "anomaly_detection",
                                    "classification"};

/* Adds a value of `length` bytes; false when it is not of its kind, or memory is short. */
static bool add(cJSON *to, const char *key, kind_of_value is, const char *value, size_t length) {
    char text[MAX_VALUE_BYTES];
    if (length == 0 || length >= sizeof text) {
        return false;
    }
    memcpy(text, value, length);
    text[length] = '\0';
    if (is == TEXT) {
        return cJSON_AddStringToObject(to, key, text) != NULL;
    }
    return length <= 9 && strspn(text, "0123456789") == length &&
           cJSON_AddNumberToObject(to, key, (double)strtol(text, NULL, 10)) != NULL;
}

/* The place after `i` in iTransformer's form. */
static size_t next_place(size_t i) {
    do {
        i++;
    } while (i < N_PLACES && places[i].is_extra);
    return i;
}

/* Reads "_ft…" to the end; false when a place is empty, filled wrongly or, though needed, not there. */
static bool read_places(const char *features, cJSON *to) {
    const char *at = features;
    const bool is_shifted = at[3] >= '0' && at[3] <= '9';
    for (size_t i = 0; i < N_PLACES; i++) {
        const size_t n_letters = strlen(places[i].letters);
        if (*at != '_' || strncmp(at + 1, places[i].letters, n_letters) != 0) {
            if (places[i].is_needed) {
                return false;
            }
            continue;
        }
        const char *value = at + 1 + n_letters;
        const size_t length = strcspn(value, "_");
        const size_t place = is_shifted ? next_place(i) : i;
        if (place < N_PLACES && !add(to, places[place].key, places[place].kind, value, length)) {
            return false;
        }
        at = value + length;
    }
    return true;
}

/* "[<mode select>_modes<n>_]<data>[_<features>]" between the model's name and "_ft". */
static bool read_data(const char *from, const char *features, cJSON *to) {
    const char *end = features;
    if (features[3] >= '0' && features[3] <= '9') { /* iTransformer's form */
        const char *last = end;
        while (last > from && *last != '_') {
            last--;
        }
        while (last > from && last[-1] != '_') {
            last--;
        }
        if (last <= from || !add(to, "features", TEXT, last, (size_t)(end - last))) {
            return false;
        }
        end = last - 1;
    }
    const char *modes = strstr(from, "_modes");
    if (modes != NULL && modes < end) {
        const char *number = modes + strlen("_modes");
        const size_t n_digits = strspn(number, "0123456789");
        if (number[n_digits] != '_' || number + n_digits >= end ||
            !add(to, "mode_select", TEXT, from, (size_t)(modes - from)) ||
            !add(to, "modes", NUMBER, number, n_digits)) {
            return false;
        }
        from = number + n_digits + 1;
    }
    return add(to, "data", TEXT, from, (size_t)(end - from));
}

/* The arguments of a run of this model. */
static bool read_model(const char *setting, const char *model, cJSON *to) {
    const size_t n_model = strlen(model);
    const char *at = setting;
    do { /* the user's model id stands first, and may hold anything */
        at = strchr(at, '_');
        at = at != NULL ? at + 1 : NULL;
    } while (at != NULL && (strncmp(at, model, n_model) != 0 || at[n_model] != '_'));
    const char *features = at != NULL ? strstr(at + n_model, "_ft") : NULL;
    bool fits = features != NULL && add(to, "model", TEXT, model, n_model) &&
                read_data(at + n_model + 1, features, to) && read_places(features, to);
    for (size_t i = 0; fits && i < sizeof tasks / sizeof tasks[0]; i++) {
        if (strncmp(setting, tasks[i], strlen(tasks[i])) == 0 && setting[strlen(tasks[i])] == '_') {
            fits = cJSON_AddStringToObject(to, "task_name", tasks[i]) != NULL;
        }
    }
    return fits;
}

pml_status pml_setting_read(const char *setting, const char *const *models, cJSON **arguments, pml_error *error) {
    *arguments = NULL;
    for (; *models != NULL; models++) {
        cJSON *object = cJSON_CreateObject();
        if (object == NULL) {
            return PML_FAIL(error, PML_E_MEMORY, "not enough memory for the arguments of a run");
        }
        if (read_model(setting, *models, object)) {
            *arguments = object;
            return PML_OK;
        }
        cJSON_Delete(object);
    }
    return PML_OK;
}

/* ---- a source with them ---- */
/* Puts the arguments into a copy of the configuration, where they replace those of the same name. */
static pml_status merge(const pml_map_source *source, cJSON **arguments, cJSON **config, pml_error *error) {
    *config = cJSON_IsObject(source->config) ? cJSON_Duplicate(source->config, true) : cJSON_CreateObject();
    bool is_whole = *config != NULL;
    while (is_whole && (*arguments)->child != NULL) {
        cJSON *item = cJSON_DetachItemViaPointer(*arguments, (*arguments)->child);
        char name[MAX_VALUE_BYTES];
        (void)snprintf(name, sizeof name, "%s", item->string);
        cJSON_DeleteItemFromObjectCaseSensitive(*config, name);
        is_whole = cJSON_AddItemToObject(*config, name, item);
        if (!is_whole) {
            cJSON_Delete(item);
        }
    }
    return is_whole ? PML_OK : PML_FAIL(error, PML_E_MEMORY, "not enough memory for the arguments of a run");
}

pml_status pml_setting_apply(const pml_map_source *source, const char *const *models, pml_setting_source *applied,
                             pml_error *error) {
    pml_status status = PML_OK;
    cJSON *arguments = NULL;
    char *directory = NULL;
    bool is_named = false;
    *applied = (pml_setting_source){.source = *source, .options = *source->options};
    PML_TRY(pml_alloc(source->options->n_settings + 1, sizeof *applied->settings, &applied->settings, error));
    applied->options.n_settings = 0;
    for (size_t i = 0; i < source->options->n_settings; i++) {
        const char *text = source->options->settings[i];
        if (strncmp(text, SETTING, strlen(SETTING)) != 0) {
            applied->settings[applied->options.n_settings++] = text;
            continue;
        }
        cJSON_Delete(arguments);
        arguments = NULL;
        is_named = true;
        PML_TRY(pml_setting_read(text + strlen(SETTING), models, &arguments, error));
        if (arguments == NULL) {
            pml_quoted quoted;
            PML_TRY(PML_FAIL(error, PML_E_CONFIG,
                             "--set %s: no setting string of a run of %s (…_%s_…_ftM_sl336_ll48_pl96_dm16_nh4_el3_dl1_"
                             "df128_…)",
                             pml_quote(&quoted, text), models[0], models[0]));
        }
    }
    if (!is_named && source->config == NULL) {
        directory = realpath(pml_source_directory(source->tensors), NULL);
        if (directory != NULL) {
            PML_TRY(pml_setting_read(basename(directory), models, &arguments, error));
        }
    }
    applied->options.settings = applied->settings;
    if (arguments != NULL) {
        PML_TRY(merge(source, &arguments, &applied->config, error));
        applied->source.config = applied->config;
        applied->source.config_name = source->config != NULL ? source->config_name : "the run's name";
    }
done:
    cJSON_Delete(arguments);
    free(directory); /* realpath's own */
    applied->source.options = &applied->options;
    if (status != PML_OK) {
        pml_setting_deinit(applied);
    }
    return status;
}

void pml_setting_deinit(pml_setting_source *applied) {
    pml_free(applied->settings);
    cJSON_Delete(applied->config);
    *applied = (pml_setting_source){.settings = NULL};
}

bool pml_setting_has(const pml_map_source *source, const char *argument) {
    const size_t length = strlen(argument);
    if (cJSON_GetObjectItemCaseSensitive(source->config, argument) != NULL) {
        return true;
    }
    for (size_t i = 0; i < source->options->n_settings; i++) {
        const char *text = source->options->settings[i];
        if (strncmp(text, argument, length) == 0 && text[length] == '=') {
            return true;
        }
    }
    return false;
}
