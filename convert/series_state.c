#include "convert/series_state.h"

#include <math.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/names.h"
#include "runtime/base/quote.h"

#define MAX_FREQUENCY_BYTES 32u

/* The number of channels that the family fixes; 0: any. */
static pml_status count_channels(const pml_schema *schema, const pml_metadata *metadata, uint64_t *n_channels,
                                 pml_error *error) {
    pml_status status = PML_OK;
    int64_t value = 0;
    if (schema->forecast != NULL && schema->forecast->n_channels != NULL) {
        PML_TRY(pml_schema_eval(schema, metadata, schema->forecast->n_channels, -1, &value, error));
    }
    *n_channels = value > 0 ? (uint64_t)value : 0;
done:
    return status;
}

static pml_status check_count(uint64_t n, uint64_t n_channels, const char *file, const char *key, pml_error *error) {
    if (n == 0 || (n_channels != 0 && n != n_channels)) {
        return PML_FAIL(error, PML_E_CONFIG, "%s: '%s' has %llu entries; the model has %llu channels", file, key,
                        (unsigned long long)n, (unsigned long long)n_channels);
    }
    return PML_OK;
}

/* Reads an array of finite numbers (above 0 if `positive`) into "series.<key>". */
static pml_status read_numbers(const pml_series_source *source, const char *key, bool positive, uint64_t n_channels,
                               pml_metadata *metadata, size_t *n_read, pml_error *error) {
    pml_status status = PML_OK;
    double *values = NULL;
    size_t n = 0;
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(source->scaler, key), *item;
    if (!cJSON_IsArray(array)) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: '%s' must be an array of numbers", source->scaler_name, key));
    }
    cJSON_ArrayForEach(item, array) {
        n++;
    }
    PML_TRY(check_count(n, n_channels, source->scaler_name, key, error));
    PML_TRY(pml_alloc(n, sizeof *values, &values, error));
    n = 0;
    cJSON_ArrayForEach(item, array) {
        if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble) || (positive && !(item->valuedouble > 0))) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: '%s', entry %zu: expected a finite number%s",
                             source->scaler_name, key, n, positive ? " above 0" : ""));
        }
        values[n++] = item->valuedouble;
    }
    PML_TRY(pml_metadata_set_f64s(metadata, positive ? "series.std" : "series.mean", values, n, error));
    *n_read = n;
done:
    pml_free(values);
    return status;
}

/* Stores distinct, non-empty names as "series.columns". */
static pml_status store_columns(const char *const *columns, size_t n, const char *origin, pml_metadata *metadata,
                                pml_error *error) {
    pml_status status = PML_OK;
    pml_names names = {0};
    for (size_t i = 0; i < n; i++) {
        pml_quoted quoted;
        size_t i_name;
        bool is_new;
        if (columns[i][0] == '\0' || strlen(columns[i]) > PML_MAX_NAME_BYTES) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: the name of column %zu is empty or too long", origin, i));
        }
        PML_TRY(pml_names_add(&names, columns[i], strlen(columns[i]), PML_MAX_CSV_COLUMNS, "columns", &i_name, &is_new,
                              error));
        if (!is_new) {
            PML_TRY(
                PML_FAIL(error, PML_E_CONFIG, "%s: column %s appears twice", origin, pml_quote(&quoted, columns[i])));
        }
    }
    PML_TRY(pml_metadata_set_strings(metadata, "series.columns", columns, n, error));
done:
    pml_names_deinit(&names);
    return status;
}

static pml_status read_columns(const pml_series_source *source, uint64_t n_channels, pml_metadata *metadata,
                               pml_error *error) {
    pml_status status = PML_OK;
    const char **columns = NULL;
    size_t n = 0;
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(source->scaler, "columns"), *item;
    if (array == NULL) {
        goto done;
    }
    if (!cJSON_IsArray(array)) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: 'columns' must be an array of names", source->scaler_name));
    }
    PML_TRY(pml_alloc((size_t)cJSON_GetArraySize(array) + 1, sizeof *columns, &columns, error));
    cJSON_ArrayForEach(item, array) {
        if (!cJSON_IsString(item)) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: 'columns', entry %zu: expected a text", source->scaler_name, n));
        }
        columns[n++] = item->valuestring;
    }
    PML_TRY(check_count(n, n_channels, source->scaler_name, "columns", error));
    PML_TRY(store_columns(columns, n, source->scaler_name, metadata, error));
done:
    pml_free(columns);
    return status;
}

/* "a,b,c" of the user's. */
static pml_status split_columns(const char *text, uint64_t n_channels, pml_metadata *metadata, pml_error *error) {
    pml_status status = PML_OK;
    char *copy = NULL;
    const char **columns = NULL;
    size_t n = 1;
    for (const char *at = text; (at = strchr(at, ',')) != NULL; at++) {
        n++;
    }
    PML_TRY(check_count(n, n_channels, "--set", "series.columns", error));
    PML_TRY(pml_string_copy(text, strlen(text), &copy, error));
    PML_TRY(pml_alloc(n, sizeof *columns, &columns, error));
    char *rest = copy;
    for (size_t i = 0; i < n; i++) {
        columns[i] = strsep(&rest, ",");
    }
    PML_TRY(store_columns(columns, n, "--set series.columns", metadata, error));
done:
    pml_free(copy);
    pml_free(columns);
    return status;
}

static pml_status read_scaler(const pml_series_source *source, uint64_t n_channels, pml_metadata *metadata,
                              pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted quoted;
    size_t n_mean, n_std;
    const cJSON *kind = cJSON_GetObjectItemCaseSensitive(source->scaler, "kind");
    if (!cJSON_IsObject(source->scaler)) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: expected an object", source->scaler_name));
    }
    if (!cJSON_IsString(kind)) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: 'kind' must be a text, such as \"standard\"", source->scaler_name));
    }
    if (strcmp(kind->valuestring, "none") == 0) { /* not scaled: the file only names columns or tells the step */
        PML_TRY(read_columns(source, n_channels, metadata, error));
        goto done;
    }
    if (strcmp(kind->valuestring, "standard") != 0) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s: 'kind' is %s; only \"standard\" scalers are understood",
                         source->scaler_name, pml_quote(&quoted, kind->valuestring)));
    }
    PML_TRY(pml_metadata_set_string(metadata, "series.scaler", "standard", error));
    PML_TRY(read_numbers(source, "mean", false, n_channels, metadata, &n_mean, error));
    PML_TRY(read_numbers(source, "std", true, n_channels, metadata, &n_std, error));
    if (n_mean != n_std) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: 'mean' has %zu entries and 'std' %zu", source->scaler_name, n_mean,
                         n_std));
    }
    /* Names must be as many as means, also where the family takes any number of channels. */
    PML_TRY(read_columns(source, n_mean, metadata, error));
done:
    return status;
}

/* Takes the frequency from the user, else from the scaler file. */
static pml_status read_frequency(const pml_series_source *source, pml_metadata *metadata, pml_error *error) {
    const char *frequency = source->frequency, *origin = "--set frequency";
    if (frequency == NULL && source->scaler != NULL) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(source->scaler, "frequency");
        item = item != NULL ? item : cJSON_GetObjectItemCaseSensitive(source->scaler, "freq");
        if (item == NULL || cJSON_IsNull(item)) {
            return PML_OK;
        }
        origin = source->scaler_name;
        frequency = cJSON_IsString(item) ? item->valuestring : "";
    }
    if (frequency == NULL) {
        return PML_OK;
    }
    const size_t n = strlen(frequency);
    if (n == 0 || n > MAX_FREQUENCY_BYTES ||
        strspn(frequency, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") != n) {
        return PML_FAIL(error, PML_E_CONFIG, "%s: the frequency must be a short text such as \"h\" or \"15min\"",
                        origin);
    }
    return pml_metadata_set_string(metadata, "series.frequency", frequency, error);
}

pml_status pml_series_state_read(const pml_series_source *source, const pml_schema *schema, pml_metadata *metadata,
                                 pml_error *error) {
    pml_status status = PML_OK;
    uint64_t n_channels;
    PML_TRY(count_channels(schema, metadata, &n_channels, error));
    if (source->scaler != NULL) {
        PML_TRY(read_scaler(source, n_channels, metadata, error));
        const pml_meta_entry *mean = pml_metadata_find(metadata, "series.mean");
        n_channels = mean != NULL ? mean->count : n_channels;
    }
    if (source->columns != NULL) {
        PML_TRY(split_columns(source->columns, n_channels, metadata, error));
    }
    PML_TRY(read_frequency(source, metadata, error));
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
