/* Index text to table, and the table held against what the shards really hold. */
#include "formats/shard_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/file_map.h"
#include "formats/source.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/json_reader.h"
#include "runtime/base/log.h"
#include "runtime/base/quote.h"

/* Adds the shard that the current token names. */
static pml_status add_shard(pml_shard_index *index, const pml_json_reader *json, size_t *i_shard, pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted name;
    char cause[sizeof name + 96];
    if (!pml_is_base_name(json->text)) {
        (void)snprintf(cause, sizeof cause, "the shard %s: only files of the same directory may be named",
                       pml_quote(&name, json->text));
        PML_TRY(pml_json_fail(json, error, cause));
    }
    bool is_new;
    status =
        pml_names_add(&index->shards, json->text, json->text_bytes, PML_MAX_SHARDS, "shards", i_shard, &is_new, error);
    PML_TRY(pml_json_locate(json, status, error));
done:
    return status;
}

static pml_status read_weight_map(pml_json_reader *json, pml_shard_index *index, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_json_expect(json, PML_JSON_OBJECT_BEGIN, "an object as weight_map", error));
    for (;;) {
        PML_TRY(pml_json_next(json, error));
        if (json->token == PML_JSON_OBJECT_END) {
            break;
        }
        size_t i_tensor, i_shard;
        bool is_new;
        if (json->text_bytes > PML_MAX_NAME_BYTES) {
            PML_TRY(pml_json_fail(json, error, "a tensor's name is longer than 1024 bytes"));
        }
        status = pml_names_add(&index->tensors, json->text, json->text_bytes, PML_MAX_TENSORS, "tensors", &i_tensor,
                               &is_new, error);
        PML_TRY(pml_json_locate(json, status, error));
        if (!is_new) {
            pml_quoted name;
            char cause[sizeof name + 64];
            (void)snprintf(cause, sizeof cause, "tensor %s stands twice in weight_map", pml_quote(&name, json->text));
            PML_TRY(pml_json_fail(json, error, cause));
        }
        PML_TRY(pml_json_expect(json, PML_JSON_STRING, "a file name as value in weight_map", error));
        PML_TRY(add_shard(index, json, &i_shard, error));
        PML_TRY(pml_grow(&index->i_shards, &index->shard_capacity, i_tensor + 1, sizeof *index->i_shards,
                         PML_MAX_TENSORS, "tensors", error));
        index->i_shards[i_tensor] = (uint32_t)i_shard;
    }
done:
    return status;
}

/* `metadata` is free-form; of its keys only total_size means something here. */
static pml_status read_metadata(pml_json_reader *json, pml_shard_index *index, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_json_expect(json, PML_JSON_OBJECT_BEGIN, "an object as metadata", error));
    for (;;) {
        PML_TRY(pml_json_next(json, error));
        if (json->token == PML_JSON_OBJECT_END) {
            break;
        }
        if (strcmp(json->text, "total_size") != 0) {
            PML_TRY(pml_json_skip(json, error));
            continue;
        }
        if (index->has_total_size) {
            PML_TRY(pml_json_fail(json, error, "total_size stands twice"));
        }
        index->has_total_size = true;
        PML_TRY(pml_json_next(json, error));
        /* Some writers give it as 1.6e9 or as text: then no number of bytes equals it. */
        index->total_size_bytes = json->token == PML_JSON_NUMBER && json->is_u64 ? json->u64 : UINT64_MAX;
        PML_TRY(pml_json_skip(json, error));
    }
done:
    return status;
}

pml_status pml_shard_index_parse(const uint8_t *bytes, size_t size_bytes, const char *path, pml_shard_index *index,
                                 pml_error *error) {
    pml_status status = PML_OK;
    bool has_map = false, has_metadata = false;
    pml_json_reader json;
    pml_json_reader_init(&json, bytes, size_bytes, 0, path, PML_MAX_CONFIG_BYTES);
    if (size_bytes > PML_MAX_JSON_BYTES) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: an index of %zu bytes, more than allowed (%u)", path, size_bytes,
                         PML_MAX_JSON_BYTES));
    }
    PML_TRY(pml_json_expect(&json, PML_JSON_OBJECT_BEGIN, "an object as index", error));
    for (;;) {
        PML_TRY(pml_json_next(&json, error));
        if (json.token == PML_JSON_OBJECT_END) {
            break;
        }
        bool is_map = strcmp(json.text, "weight_map") == 0, is_metadata = strcmp(json.text, "metadata") == 0;
        if ((is_map && has_map) || (is_metadata && has_metadata)) {
            PML_TRY(pml_json_fail(&json, error, is_map ? "weight_map stands twice" : "metadata stands twice"));
        }
        has_map = has_map || is_map;
        has_metadata = has_metadata || is_metadata;
        PML_TRY(is_map        ? read_weight_map(&json, index, error)
                : is_metadata ? read_metadata(&json, index, error)
                              : pml_json_skip(&json, error));
    }
    PML_TRY(pml_json_expect(&json, PML_JSON_END, "nothing but spaces behind the index", error));
    if (!has_map || pml_names_count(&index->tensors) == 0) {
        PML_TRY(
            PML_FAIL(error, PML_E_FORMAT, "%s: %s", path, has_map ? "weight_map is empty" : "weight_map is missing"));
    }
done:
    pml_json_reader_deinit(&json);
    return status;
}

void pml_shard_index_deinit(pml_shard_index *index) {
    pml_names_deinit(&index->tensors);
    pml_names_deinit(&index->shards);
    pml_free(index->i_shards);
    *index = (pml_shard_index){0};
}

/* ---- the shards --------------------------------------------------------------------------------------------- */
static int compare_names(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* What the shards hold must be what the index promises. */
static pml_status compare_with_index(const pml_shard_index *index, const char *path, const pml_source *source,
                                     uint64_t *total_bytes, pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted name;
    *total_bytes = 0;
    for (size_t i = 0; i < pml_source_n_tensors(source); i++) {
        const pml_source_tensor *tensor = pml_source_tensor_at(source, i);
        const char *file_name = pml_source_file_name(source, tensor->i_file);
        size_t i_tensor;
        if (!pml_names_find(&index->tensors, tensor->name, strlen(tensor->name), &i_tensor)) {
            PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, tensor->offset_bytes,
                                "%s: tensor %s at byte %llu: weight_map of %s does not list it",
                                pml_source_file_path(source, tensor->i_file), pml_quote(&name, tensor->name),
                                (unsigned long long)tensor->offset_bytes, path));
        }
        const char *promised = pml_names_at(&index->shards, index->i_shards[i_tensor]);
        if (strcmp(promised, file_name) != 0) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: tensor %s should be in %s but is in %s", path,
                             pml_quote(&name, tensor->name), promised, file_name));
        }
        if (!pml_ck_add(*total_bytes, tensor->size_bytes, total_bytes)) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: the sizes of its tensors overflow", path));
        }
    }
    for (size_t i = 0; i < pml_names_count(&index->tensors); i++) {
        if (pml_source_tensor_find(source, pml_names_at(&index->tensors, i)) == NULL) {
            pml_quoted shard;
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: the shard %s lacks the tensor %s", path,
                             pml_quote(&shard, pml_names_at(&index->shards, index->i_shards[i])),
                             pml_quote(&name, pml_names_at(&index->tensors, i))));
        }
    }
done:
    return status;
}

static pml_status open_shards(const pml_shard_index *index, const char *path, pml_source *source,
                              pml_shard_open open_shard, pml_error *error) {
    pml_status status = PML_OK;
    const char **names = NULL;
    size_t n_shards = pml_names_count(&index->shards);
    PML_TRY(pml_alloc(n_shards, sizeof *names, &names, error));
    for (size_t i = 0; i < n_shards; i++) {
        names[i] = pml_names_at(&index->shards, i);
    }
    qsort(names, n_shards, sizeof *names, compare_names);
    for (size_t i = 0; i < n_shards; i++) {
        PML_TRY(open_shard(source, names[i], path, error));
    }
done:
    pml_free(names);
    return status;
}

pml_status pml_shard_index_open(const char *path, pml_source *source, pml_shard_open open_shard, pml_error *error) {
    pml_status status = PML_OK;
    pml_file_map map = {0};
    pml_shard_index index = {0};
    uint64_t total_bytes;
    PML_TRY(pml_source_map(source, path, &map, error));
    PML_TRY(pml_shard_index_parse(map.data, map.size_bytes, path, &index, error));
    PML_TRY(open_shards(&index, path, source, open_shard, error));
    PML_TRY(pml_source_sort(source, error));
    PML_TRY(compare_with_index(&index, path, source, &total_bytes, error));
    if (index.has_total_size && index.total_size_bytes != total_bytes) {
        pml_log(PML_LOG_WARNING, "%s: total_size is not the %llu bytes that the tensors have", path,
                (unsigned long long)total_bytes);
    }
done:
    pml_shard_index_deinit(&index);
    pml_file_map_close(&map);
    return status;
}
