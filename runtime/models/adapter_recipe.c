/* What adapters are made of, as text and as metadata. */
#include <fnmatch.h>
#include <math.h>
#include <string.h>

#include "runtime/base/plugin.h"
#include "runtime/base/quote.h"
#include "runtime/models/adapter.h"

#define KIND "lora"
#define TARGETS "*.attention.q/*.attention.v"
#define WHOLE "classifier/span"

enum { RANK, ALPHA, DROPOUT };
static const pml_plugin_option option_table[] = {
    {"r", PML_PLUGIN_INTEGER, "8", "[1, 4096]", "columns of A, rows of B"},
    {"alpha", PML_PLUGIN_NUMBER, "8", "(0, 1000000]", "what is added is multiplied by alpha / r"},
    {"dropout", PML_PLUGIN_NUMBER, "0", "[0, 1)", "of what goes into an adapter"},
    {0}};
static const pml_plugin plugin = {.name = KIND, .help = "low-rank adapters", .options = option_table};

static pml_status copy(const char *from, size_t length, char to[PML_ADAPTER_PATTERNS_BYTES], pml_error *error) {
    if (length >= PML_ADAPTER_PATTERNS_BYTES) {
        return PML_FAIL(error, PML_E_ARGUMENT, "the patterns of an adapter have at most %u bytes",
                        PML_ADAPTER_PATTERNS_BYTES - 1);
    }
    memcpy(to, from, length);
    to[length] = '\0';
    return PML_OK;
}

pml_status pml_adapter_recipe_parse(const char *text, pml_adapter_recipe *recipe, pml_error *error) {
    static const char *const keys[] = {"targets=", "whole="};
    pml_status status = PML_OK;
    pml_settings settings;
    char numbers[256] = "";
    size_t n_numbers = 0;
    *recipe = (pml_adapter_recipe){.targets = TARGETS, .whole = WHOLE};
    for (const char *at = text; *at != '\0';) {
        const size_t length = strcspn(at, ",");
        char *const patterns[] = {recipe->targets, recipe->whole};
        size_t k = 0;
        while (k < 2 && strncmp(at, keys[k], strlen(keys[k])) != 0) {
            k++;
        }
        if (k < 2) {
            PML_TRY(copy(at + strlen(keys[k]), length - strlen(keys[k]), patterns[k], error));
        } else if (n_numbers + length + 2 > sizeof numbers) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "the options of an adapter are too long"));
        } else {
            if (n_numbers > 0) {
                numbers[n_numbers++] = ',';
            }
            memcpy(numbers + n_numbers, at, length);
            n_numbers += length;
            numbers[n_numbers] = '\0';
        }
        at += length;
        at += *at == ',' && at[1] != '\0';
        if (*at == ',') {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "an option of an adapter is empty"));
        }
    }
    PML_TRY(pml_plugin_configure("adapter", &plugin, numbers, &settings, error));
    recipe->rank = (size_t)pml_setting(&settings, RANK);
    recipe->alpha = pml_setting(&settings, ALPHA);
    recipe->dropout = pml_setting(&settings, DROPOUT);

done:
    return status;
}

pml_status pml_adapter_recipe_write(const pml_adapter_recipe *recipe, pml_metadata *metadata, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_metadata_set_string(metadata, "adapter.kind", KIND, error));
    PML_TRY(pml_metadata_set_i64(metadata, "adapter.rank", (int64_t)recipe->rank, error));
    PML_TRY(pml_metadata_set_f64(metadata, "adapter.alpha", recipe->alpha, error));
    PML_TRY(pml_metadata_set_f64(metadata, "adapter.dropout", recipe->dropout, error));
    PML_TRY(pml_metadata_set_string(metadata, "adapter.targets", recipe->targets, error));
    PML_TRY(pml_metadata_set_string(metadata, "adapter.whole", recipe->whole, error));

done:
    return status;
}

static pml_status get_patterns(const pml_metadata *metadata, const char *key, char to[PML_ADAPTER_PATTERNS_BYTES],
                               pml_error *error) {
    const char *text = NULL;
    pml_status status = pml_metadata_get_string(metadata, key, &text, error);
    if (status == PML_OK && strlen(text) >= PML_ADAPTER_PATTERNS_BYTES) {
        status = PML_FAIL(error, PML_E_FORMAT, "'%s' has more than %u bytes", key, PML_ADAPTER_PATTERNS_BYTES - 1);
    }
    return status == PML_OK ? copy(text, strlen(text), to, error) : status;
}

pml_status pml_adapter_recipe_read(const pml_metadata *metadata, pml_adapter_recipe *recipe, pml_error *error) {
    pml_status status = PML_OK;
    const char *kind = NULL;
    int64_t rank = 0;
    pml_quoted quoted;
    *recipe = (pml_adapter_recipe){0};
    PML_TRY(pml_metadata_get_string(metadata, "adapter.kind", &kind, error));
    if (strcmp(kind, KIND) != 0) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "this build does not know adapters of kind %s",
                         pml_quote(&quoted, kind)));
    }
    PML_TRY(pml_metadata_get_i64(metadata, "adapter.rank", &rank, error));
    PML_TRY(pml_metadata_get_f64(metadata, "adapter.alpha", &recipe->alpha, error));
    PML_TRY(pml_metadata_get_f64(metadata, "adapter.dropout", &recipe->dropout, error));
    PML_TRY(get_patterns(metadata, "adapter.targets", recipe->targets, error));
    PML_TRY(get_patterns(metadata, "adapter.whole", recipe->whole, error));
    if (rank < 1 || rank > (int64_t)PML_ADAPTER_MAX_RANK) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "'adapter.rank' is %lld, not 1 to %u", (long long)rank,
                         PML_ADAPTER_MAX_RANK));
    }
    if (!(recipe->alpha > 0 && recipe->alpha <= 1e6) || !(recipe->dropout >= 0 && recipe->dropout < 1)) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT,
                         "'adapter.alpha' is %g, 'adapter.dropout' %g: they lie in (0, 1e6] and [0, 1)", recipe->alpha,
                         recipe->dropout));
    }
    recipe->rank = (size_t)rank;

done:
    return status;
}

bool pml_adapter_fits(const char *patterns, const char *weight) {
    char layer[PML_MAX_NAME_BYTES + 1], pattern[PML_ADAPTER_PATTERNS_BYTES];
    const char *dot = strrchr(weight, '.');
    const size_t length = dot == NULL ? strlen(weight) : (size_t)(dot - weight);
    if (length >= sizeof layer) {
        return false;
    }
    memcpy(layer, weight, length);
    layer[length] = '\0';
    for (const char *at = patterns; *at != '\0';) {
        const size_t n = strcspn(at, "/");
        if (n < sizeof pattern) {
            memcpy(pattern, at, n);
            pattern[n] = '\0';
            if (n > 0 && fnmatch(pattern, layer, 0) == 0) {
                return true;
            }
        }
        at += n;
        at += *at == '/';
    }
    return false;
}
