/* Sentence-transformers: which modules follow the encoder. What cannot be computed is refused by name. */
#include "mappers/bert/bert_sentence.h"

#include <string.h>

#include "mappers/mapping.h"
#include "runtime/base/quote.h"

#define MOST 1000000.0

static pml_status fail(const char *file, const char *key, const char *expected, pml_error *error) {
    pml_quoted quoted;
    return PML_FAIL(error, PML_E_CONFIG, "%s: %s must be %s", file, pml_quote(&quoted, key), expected);
}

static pml_status read_count(const char *file, const cJSON *item, int64_t *count, pml_error *error) {
    const double value = cJSON_IsNumber(item) ? item->valuedouble : 0;
    if (!(value >= 1 && value <= MOST) || value != (double)(int64_t)value) {
        return fail(file, item->string, "an integer from 1 to 1000000", error);
    }
    *count = (int64_t)value;
    return PML_OK;
}

/* ---- 1_Pooling/config.json ---- */
static const struct {
    const char *flag, *word; /* one flag per mode, or the key "pooling_mode" with a word */
    const char *pooling;     /* NULL: not supported */
} modes[] = {{"pooling_mode_cls_token", "cls", "cls"},
             {"pooling_mode_mean_tokens", "mean", "mean"},
             {"pooling_mode_max_tokens", "max", "max"},
             {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", NULL},
             {"pooling_mode_weightedmean_tokens", "weightedmean", NULL},
             {"pooling_mode_lasttoken", "lasttoken", NULL}};

static pml_status choose_mode(const char *name, const char *pooling, bert_sentence *sentence, pml_error *error) {
    pml_quoted quoted;
    if (pooling == NULL) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: pooling by %s is not supported (cls, mean and max are)",
                        PML_BERT_POOLING, pml_quote(&quoted, name));
    }
    if (sentence->pooling != NULL) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: two poolings side by side, %s and %s, are not supported",
                        PML_BERT_POOLING, sentence->pooling, pooling);
    }
    sentence->pooling = pooling;
    return PML_OK;
}

static pml_status read_mode_word(const cJSON *word, bert_sentence *sentence, pml_error *error) {
    if (!cJSON_IsString(word)) {
        return fail(PML_BERT_POOLING, "pooling_mode", "a text", error);
    }
    const char *pooling = NULL;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        pooling = strcmp(modes[i].word, word->valuestring) == 0 ? modes[i].pooling : pooling;
    }
    return choose_mode(word->valuestring, pooling, sentence, error);
}

static pml_status read_pooling(const pml_map_source *source, bert_sentence *sentence, pml_error *error) {
    pml_status status = PML_OK;
    const cJSON *root = pml_map_side_find(source, PML_BERT_POOLING), *item;
    if (!cJSON_IsObject(root)) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s names a pooling module, but %s %s", PML_BERT_MODULES,
                         PML_BERT_POOLING, root == NULL ? "does not exist" : "is no object"));
    }
    cJSON_ArrayForEach(item, root) {
        if (strcmp(item->string, "pooling_mode") == 0) {
            PML_TRY(read_mode_word(item, sentence, error));
            continue;
        }
        if (strcmp(item->string, "word_embedding_dimension") == 0 ||
            strcmp(item->string, "embedding_dimension") == 0) { /* before and since sentence-transformers 5 */
            PML_TRY(read_count(PML_BERT_POOLING, item, &sentence->dimension, error));
            continue;
        }
        if (strcmp(item->string, "include_prompt") == 0 && !cJSON_IsTrue(item)) {
            PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s: include_prompt other than true is not supported",
                             PML_BERT_POOLING));
        }
        if (strncmp(item->string, "pooling_mode_", strlen("pooling_mode_")) != 0) {
            continue;
        }
        if (!cJSON_IsBool(item)) {
            PML_TRY(fail(PML_BERT_POOLING, item->string, "true or false", error));
        }
        const char *pooling = NULL;
        for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
            pooling = strcmp(modes[i].flag, item->string) == 0 ? modes[i].pooling : pooling;
        }
        if (cJSON_IsTrue(item)) {
            PML_TRY(choose_mode(item->string, pooling, sentence, error));
        }
    }
    if (sentence->pooling == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: no pooling mode is true", PML_BERT_POOLING));
    }
done:
    return status;
}

/* ---- modules.json ---- */
/* "Pooling" of "sentence_transformers.models.Pooling"; NULL: another library's. */
static const char *module_kind(const char *type) {
    if (strncmp(type, "sentence_transformers.", strlen("sentence_transformers.")) != 0) {
        return NULL;
    }
    return strrchr(type, '.') + 1;
}

/* A module is either at the given folder, or it is not what we read. */
static pml_status check_path(const cJSON *path, const char *expected, pml_error *error) {
    if (!cJSON_IsString(path)) {
        return fail(PML_BERT_MODULES, "path", "a text", error);
    }
    if (strcmp(path->valuestring, expected) != 0) {
        pml_quoted quoted;
        return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: a module lies in %s; it is read from '%s' only",
                        PML_BERT_MODULES, pml_quote(&quoted, path->valuestring), expected);
    }
    return PML_OK;
}

static pml_status read_module(const pml_map_source *source, const cJSON *module, int i_module, bert_sentence *sentence,
                              pml_error *error) {
    pml_status status = PML_OK;
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(module, "type");
    const cJSON *path = cJSON_GetObjectItemCaseSensitive(module, "path");
    if (!cJSON_IsString(type)) {
        PML_TRY(fail(PML_BERT_MODULES, "type", "a text", error));
    }
    const char *kind = module_kind(type->valuestring);
    if (kind != NULL && strcmp(kind, "Transformer") == 0 && i_module == 0) {
        PML_TRY(check_path(path, "", error));
    } else if (kind != NULL && strcmp(kind, "Pooling") == 0 && i_module == 1) {
        PML_TRY(check_path(path, "1_Pooling", error));
        PML_TRY(read_pooling(source, sentence, error));
    } else if (kind != NULL && strcmp(kind, "Normalize") == 0 && i_module == 2) {
        sentence->normalize = true;
    } else {
        pml_quoted quoted;
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED,
                         "%s: module %d, %s, is not supported (Transformer, Pooling and Normalize are, in this order)",
                         PML_BERT_MODULES, i_module, pml_quote(&quoted, type->valuestring)));
    }
done:
    return status;
}

static pml_status read_modules(const pml_map_source *source, bert_sentence *sentence, pml_error *error) {
    pml_status status = PML_OK;
    const cJSON *root = pml_map_side_find(source, PML_BERT_MODULES), *module;
    int i_module = 0;
    if (root == NULL) {
        goto done;
    }
    if (!cJSON_IsArray(root) || cJSON_GetArraySize(root) == 0) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: a list of modules is expected", PML_BERT_MODULES));
    }
    cJSON_ArrayForEach(module, root) {
        PML_TRY(read_module(source, module, i_module, sentence, error));
        i_module++;
    }
done:
    return status;
}

/* ---- sentence_bert_config.json ---- */
static pml_status read_limits(const pml_map_source *source, bert_sentence *sentence, pml_error *error) {
    pml_status status = PML_OK;
    const cJSON *root = pml_map_side_find(source, PML_BERT_SENTENCE);
    const cJSON *length = cJSON_GetObjectItemCaseSensitive(root, "max_seq_length");
    const cJSON *lower = cJSON_GetObjectItemCaseSensitive(root, "do_lower_case");
    if (root != NULL && !cJSON_IsObject(root)) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: an object is expected", PML_BERT_SENTENCE));
    }
    if (length != NULL && !cJSON_IsNull(length)) {
        PML_TRY(read_count(PML_BERT_SENTENCE, length, &sentence->max_tokens, error));
    }
    if (lower != NULL && !cJSON_IsFalse(lower)) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED,
                         "%s: do_lower_case other than false is not supported: texts would be changed before the "
                         "tokenizer sees them",
                         PML_BERT_SENTENCE));
    }
done:
    return status;
}

pml_status pml_bert_sentence_read(const pml_map_source *source, bert_sentence *sentence, pml_error *error) {
    *sentence = (bert_sentence){0};
    const pml_status status = read_modules(source, sentence, error);
    return status != PML_OK ? status : read_limits(source, sentence, error);
}
