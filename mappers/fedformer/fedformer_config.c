#include "mappers/fedformer/fedformer_config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mappers/fedformer/frequency_modes.h"
#include "mappers/seasonal_rules.h"
#include "runtime/base/alloc.h"

#define SEED "fed.seed"
#define SELECT "mode_select"

const char *const pml_fedformer_other_keys[] = {PML_SEASONAL_LABEL_SHARE, SEED, SELECT, "modes", NULL};

/* ---- arguments that take more than a word ---- */
pml_status pml_fedformer_derive_kernels(pml_config_reader *r, const pml_config_rule *rule, char **text,
                                        pml_error *error) {
    pml_status status = PML_OK;
    const cJSON *item =
        r->source->config != NULL ? cJSON_GetObjectItemCaseSensitive(r->source->config, rule->source) : NULL;
    const pml_config_rule plain = {.key = rule->key, .source = rule->source};
    PML_TRY(pml_config_get(r, &plain, cJSON_IsNumber(item) ? PML_CONFIG_INT : PML_CONFIG_INT_LIST, text, error));

done:
    return status;
}

pml_status pml_fedformer_derive_activation(pml_config_reader *r, const pml_config_rule *rule, char **text,
                                           pml_error *error) {
    pml_status status = PML_OK;
    const pml_config_rule words = {.key = rule->key, .source = rule->source, .words = rule->words};
    if (pml_research_holds(r, "is_fourier")) {
        PML_TRY(pml_string_copy("tanh", 4, text, error));
    } else {
        PML_TRY(pml_config_get(r, &words, PML_CONFIG_CHOICE, text, error));
    }

done:
    return status;
}

/* ---- blocks that layers share ---- */
/* The tensor of the first layer, where `name` is of a later one; NULL: it is not. */
static const pml_source_tensor *first_of(const pml_map_source *source, const char *name) {
    static const char *const stacks[] = {"encoder.attn_layers.", "decoder.layers."};
    for (size_t i = 0; i < sizeof stacks / sizeof stacks[0]; i++) {
        const size_t length = strlen(stacks[i]);
        if (strncmp(name, stacks[i], length) != 0 || strstr(name, ".inner_correlation.") == NULL) {
            continue;
        }
        const char *rest = strchr(name + length, '.');
        char first[512];
        if (rest != NULL && (size_t)snprintf(first, sizeof first, "%s0%s", stacks[i], rest) < sizeof first &&
            strcmp(first, name) != 0) {
            return pml_map_tensor_find(source, first);
        }
    }
    return NULL;
}

/* The encoder's filter of that name, for a filter of another block. */
static const pml_source_tensor *filter_of(const pml_map_source *source, const char *name) {
    static const char *const filters[] = {".ec_s", ".ec_d", ".rc_e", ".rc_o"};
    const size_t length = strlen(name);
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        char first[128];
        if (strncmp(name, "decoder.layers.0.", strlen("decoder.layers.0.")) == 0 &&
            strcmp(name + (length < 5 ? 0 : length - 5), filters[i]) == 0) {
            (void)snprintf(first, sizeof first, "encoder.attn_layers.0.attention.inner_correlation.MWT_CZ.0%s",
                           filters[i]);
            return pml_map_tensor_find(source, first);
        }
    }
    return NULL;
}

static pml_status check_equal(pml_source *tensors, const pml_source_tensor *tensor, const pml_source_tensor *first,
                              pml_error *error) {
    pml_status status = PML_OK;
    const void *bytes = NULL, *expected = NULL;
    if (tensor->dtype == first->dtype && tensor->size_bytes == first->size_bytes) {
        PML_TRY(pml_source_tensor_view(tensors, tensor, &bytes, error));
        PML_TRY(pml_source_tensor_view(tensors, first, &expected, error));
    }
    if (bytes == NULL || memcmp(bytes, expected, (size_t)tensor->size_bytes) != 0) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "tensor %s is not the same as %s, which the blocks of a FEDformer share",
                         tensor->name, first->name));
    }

done:
    pml_source_tensor_release(tensors, tensor);
    pml_source_tensor_release(tensors, first);
    return status;
}

static pml_status check_shared(const pml_map_source *source, pml_error *error) {
    for (size_t i = 0; i < pml_source_n_tensors(source->tensors); i++) {
        const pml_source_tensor *tensor = pml_source_tensor_at(source->tensors, i);
        const char *name = pml_map_strip(tensor->name);
        const pml_source_tensor *first = first_of(source, name);
        first = first != NULL ? first : filter_of(source, name);
        pml_status status = first != NULL ? check_equal(source->tensors, tensor, first, error) : PML_OK;
        if (status != PML_OK) {
            return status;
        }
    }
    return PML_OK;
}

/* ---- frequencies ---- */
typedef struct place {                          /* in the order in which a network draws them */
    const char *key, *stack, *attention, *list; /* of the configuration; of an index file */
    size_t n_steps, n_modes;
} place;
#define N_PLACES 4u

static pml_status measure(const pml_config_reader *r, place places[N_PLACES], pml_error *error) {
    static const place all[N_PLACES] = {
        {.key = "encoder_modes", .stack = "encoder.attn_layers", .attention = "attention", .list = "index"},
        {.key = "decoder_modes", .stack = "decoder.layers", .attention = "self_attention", .list = "index"},
        {.key = "query_modes", .stack = "decoder.layers", .attention = "cross_attention", .list = "index_q"},
        {.key = "key_modes", .stack = "decoder.layers", .attention = "cross_attention", .list = "index_kv"}};
    static const char *const counts[N_PLACES] = {"num_encoder_modes", "num_decoder_modes", "num_query_modes",
                                                 "num_encoder_modes"};
    /* Blocks of the decoder are built for half the look-back and the horizon, whatever label_length is. */
    static const char *const steps[N_PLACES] = {"context_length", "context_length / 2 + prediction_length",
                                                "context_length / 2 + prediction_length", "context_length"};
    pml_status status = PML_OK;
    for (size_t i = 0; i < N_PLACES; i++) {
        int64_t n_steps, n_modes;
        places[i] = all[i];
        PML_TRY(pml_schema_eval(r->schema, r->config, steps[i], -1, &n_steps, error));
        PML_TRY(pml_schema_eval(r->schema, r->config, counts[i], -1, &n_modes, error));
        if (n_modes < 1 || n_modes > n_steps / 2) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG,
                             "%s is %" PRId64 ", but series of %" PRId64 " steps have %" PRId64
                             " frequencies to choose "
                             "from: context_length or prediction_length is not that of the checkpoint",
                             counts[i], n_modes, n_steps, n_steps / 2));
        }
        places[i].n_steps = (size_t)n_steps;
        places[i].n_modes = (size_t)n_modes;
    }

done:
    return status;
}

static pml_status store(pml_config_reader *r, const char *key, const int64_t *modes, size_t count, pml_error *error) {
    char name[64];
    (void)snprintf(name, sizeof name, "config.%s", key);
    return pml_metadata_set_i64s(r->config, name, modes, count, error);
}

/* One list of an index file: ascending numbers that such a block can have. */
static pml_status read_list(const place *p, const cJSON *list, const char *block, int64_t *modes, pml_error *error) {
    if (!cJSON_IsArray(list) || (size_t)cJSON_GetArraySize(list) != p->n_modes) {
        return PML_FAIL(error, PML_E_CONFIG, "%s: %s.%s is not a list of %zu numbers", PML_MODES_INDEX, block, p->list,
                        p->n_modes);
    }
    size_t i = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, list) {
        const double value = cJSON_IsNumber(item) ? item->valuedouble : -1;
        if (!(value >= 0 && value < (double)(p->n_steps / 2)) || value != (double)(int64_t)value ||
            (i > 0 && value <= (double)modes[i - 1])) {
            return PML_FAIL(error, PML_E_CONFIG,
                            "%s: element %zu of %s.%s is no frequency above the one before and "
                            "below %zu",
                            PML_MODES_INDEX, i, block, p->list, p->n_steps / 2);
        }
        modes[i++] = (int64_t)value;
    }
    return PML_OK;
}

static pml_status read_index(pml_config_reader *r, const cJSON *root, const place *p, pml_error *error) {
    pml_status status = PML_OK;
    int64_t *modes = NULL, *again = NULL;
    char block[96];
    PML_TRY(pml_alloc(p->n_modes, sizeof *modes, &modes, error));
    PML_TRY(pml_alloc(p->n_modes, sizeof *again, &again, error));
    for (unsigned layer = 0;; layer++) {
        (void)snprintf(block, sizeof block, "%s.%u.%s.inner_correlation", p->stack, layer, p->attention);
        const cJSON *entry = cJSON_GetObjectItemCaseSensitive(root, block);
        if (entry == NULL && layer > 0) {
            break;
        }
        PML_TRY(
            read_list(p, cJSON_GetObjectItemCaseSensitive(entry, p->list), block, layer == 0 ? modes : again, error));
        if (layer > 0 && memcmp(modes, again, p->n_modes * sizeof *modes) != 0) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: %s.%s is not that of layer 0, but layers share their blocks",
                             PML_MODES_INDEX, block, p->list));
        }
    }
    PML_TRY(store(r, p->key, modes, p->n_modes, error));

done:
    pml_free(modes);
    pml_free(again);
    return status;
}

/* "random" unless a configuration says "low". */
static pml_status is_random(pml_config_reader *r, bool *random, pml_error *error) {
    static const pml_config_rule select = {.key = SELECT, .source = SELECT, .words = "random=random|low=low"};
    pml_status status = PML_OK;
    char *text = NULL;
    PML_TRY(pml_config_get(r, &select, PML_CONFIG_CHOICE, &text, error));
    *random = text == NULL || strcmp(text, "random") == 0;

done:
    pml_free(text);
    return status;
}

static pml_status draw(pml_config_reader *r, const place *places, bool is_drawn, pml_error *error) {
    /* neuralforecast seeds numpy with an argument of its own, just before it builds the network. */
    const bool is_seeded = strcmp(r->detection->dialect, PML_NEURALFORECAST) == 0;
    const pml_config_rule seed_rule = {.key = SEED, .source = is_seeded ? "random_seed" : SEED, .null_is_absent = true};
    pml_status status = PML_OK;
    pml_numpy_random random;
    char *seed = NULL;
    int64_t *modes = NULL;
    PML_TRY(pml_config_get(r, &seed_rule, PML_CONFIG_INT, &seed, error));
    const long long value = seed == NULL ? 0 : strtoll(seed, NULL, 10);
    if (is_drawn && (seed == NULL || value < 0 || value > UINT32_MAX)) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG,
                         "which frequencies the network drew is not in the checkpoint; pass --set " SEED "=N, what "
                         "numpy.random was seeded with before it was built (0 to 4294967295; 2021 in the official "
                         "scripts), or --modes-index FILE"));
    }
    pml_numpy_random_seed(&random, (uint32_t)value);
    for (size_t i = 0; i < N_PLACES; i++) {
        size_t count;
        PML_TRY(pml_frequency_modes_choose(is_drawn ? &random : NULL, places[i].n_steps, places[i].n_modes, &modes,
                                           &count, error));
        PML_TRY(store(r, places[i].key, modes, count, error));
        pml_free(modes);
        modes = NULL;
    }

done:
    pml_free(modes);
    pml_free(seed);
    return status;
}

pml_status pml_fedformer_complete(pml_config_reader *r, pml_error *error) {
    pml_status status = PML_OK;
    place places[N_PLACES];
    bool random;
    PML_TRY(check_shared(r->source, error));
    if (!pml_research_holds(r, "is_fourier")) {
        goto done;
    }
    const cJSON *index = pml_map_side_find(r->source, PML_MODES_INDEX);
    PML_TRY(measure(r, places, error));
    PML_TRY(is_random(r, &random, error));
    if (index != NULL) {
        for (size_t i = 0; i < N_PLACES; i++) {
            PML_TRY(read_index(r, index, &places[i], error));
        }
        goto done;
    }
    bool is_drawn = false; /* a set that is complete is the same however it was drawn */
    for (size_t i = 0; i < N_PLACES; i++) {
        is_drawn = is_drawn || (random && places[i].n_modes < places[i].n_steps / 2);
    }
    PML_TRY(draw(r, places, is_drawn, error));

done:
    return status;
}
