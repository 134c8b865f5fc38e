/* Checkpoints made for tests: tensors of zeros under chosen names, written as safetensors. */
#ifndef PML_TESTS_MAPPERS_SYNTHETIC_H
#define PML_TESTS_MAPPERS_SYNTHETIC_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "formats/json_document.h"
#include "mappers/mapping.h"
#include "tests/harness.h"

#define MAX_SYNTHETIC 128

typedef struct synthetic_tensor {
    char name[160];
    const char *dtype; /* "F32" … */
    unsigned rank;
    uint64_t shape[5];
} synthetic_tensor;

typedef struct synthetic {
    synthetic_tensor tensors[MAX_SYNTHETIC];
    size_t count;
} synthetic;

static inline synthetic_tensor *synthetic_add(synthetic *s, const char *name, unsigned rank, uint64_t a, uint64_t b) {
    synthetic_tensor *t = &s->tensors[s->count++];
    *t = (synthetic_tensor){.dtype = "F32", .rank = rank, .shape = {a, b}};
    (void)snprintf(t->name, sizeof t->name, "%s", name);
    return t;
}

static inline synthetic_tensor *synthetic_find(synthetic *s, const char *name) {
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->tensors[i].name, name) == 0) {
            return &s->tensors[i];
        }
    }
    CU_FAIL("no such synthetic tensor");
    return &s->tensors[0];
}

static inline void synthetic_remove(synthetic *s, const char *name) {
    *synthetic_find(s, name) = s->tensors[s->count - 1];
    s->count--;
}

static inline uint64_t synthetic_bytes(const synthetic_tensor *t) {
    uint64_t bytes = strcmp(t->dtype, "I64") == 0 ? 8 : strcmp(t->dtype, "F32") == 0 ? 4 : 1;
    for (unsigned i = 0; i < t->rank; i++) {
        bytes *= t->shape[i];
    }
    return bytes;
}

/* Writes the file; its data is a hole of zeros, so that large tensors take no room. The file's size is returned,
 * *header_bytes (may be NULL) is how much of it comes before the data. */
static inline uint64_t synthetic_write(const synthetic *s, const char *path, size_t *header_bytes) {
    static char header[65536];
    size_t used = 8;
    uint64_t offset = 0;
    for (size_t i = 0; i < s->count; i++) {
        const synthetic_tensor *t = &s->tensors[i];
        used += (size_t)snprintf(header + used, sizeof header - used, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[",
                                 i == 0 ? "{" : ",", t->name, t->dtype);
        for (unsigned j = 0; j < t->rank; j++) {
            used += (size_t)snprintf(header + used, sizeof header - used, "%s%llu", j > 0 ? "," : "",
                                     (unsigned long long)t->shape[j]);
        }
        used += (size_t)snprintf(header + used, sizeof header - used, "],\"data_offsets\":[%llu,%llu]}",
                                 (unsigned long long)offset, (unsigned long long)(offset + synthetic_bytes(t)));
        offset += synthetic_bytes(t);
    }
    used += (size_t)snprintf(header + used, sizeof header - used, "%s}", s->count == 0 ? "{" : "");
    while (used % 8 != 0) {
        header[used++] = ' ';
    }
    const uint64_t length = used - 8;
    memcpy(header, &length, 8);
    pml_test_write_file(path, header, used);
    if (truncate(path, (off_t)(used + offset)) != 0) {
        perror(path);
        exit(1);
    }
    if (header_bytes != NULL) {
        *header_bytes = used;
    }
    return used + offset;
}

/* Writes the file and opens it. The caller closes. */
static inline pml_source *synthetic_open(const synthetic *s, const char *name) {
    const char *path = pml_test_path("%s/%s.safetensors", pml_test_temporary_dir(), name);
    pml_source *source = NULL;
    pml_error error;
    (void)synthetic_write(s, path, NULL);
    PML_ASSERT_OK(pml_source_open(path, &source, &error), &error);
    return source;
}

/* A PatchTST of Hugging Face: C 2, T 15, P = stride = 5 (N 3), D 4, H 2, F 8, L 1, S 2, BatchNorm, flattened head. */
static inline void synthetic_patchtst(synthetic *s) {
    static const char *const linears[][2] = {{"self_attn.q_proj", "44"},
                                             {"self_attn.k_proj", "44"},
                                             {"self_attn.v_proj", "44"},
                                             {"self_attn.out_proj", "44"},
                                             {"ff.0", "84"},
                                             {"ff.3", "48"}};
    static const char *const norm_parts[] = {"weight", "bias", "running_mean", "running_var"};
    *s = (synthetic){.count = 0};
    synthetic_add(s, "model.encoder.embedder.input_embedding.weight", 2, 4, 5);
    synthetic_add(s, "model.encoder.embedder.input_embedding.bias", 1, 4, 0);
    synthetic_add(s, "model.encoder.positional_encoder.position_enc", 2, 3, 4);
    for (size_t i = 0; i < sizeof linears / sizeof linears[0]; i++) {
        uint64_t out = (uint64_t)(linears[i][1][0] - '0'), in = (uint64_t)(linears[i][1][1] - '0');
        char name[160];
        (void)snprintf(name, sizeof name, "model.encoder.layers.0.%s.weight", linears[i][0]);
        synthetic_add(s, name, 2, out, in);
        (void)snprintf(name, sizeof name, "model.encoder.layers.0.%s.bias", linears[i][0]);
        synthetic_add(s, name, 1, out, 0);
    }
    for (size_t i = 0; i < 8; i++) {
        char name[160];
        (void)snprintf(name, sizeof name, "model.encoder.layers.0.norm_sublayer%d.batchnorm.%s", i < 4 ? 1 : 3,
                       norm_parts[i % 4]);
        synthetic_add(s, name, 1, 4, 0);
    }
    synthetic_add(s, "model.encoder.layers.0.norm_sublayer1.batchnorm.num_batches_tracked", 0, 0, 0)->dtype = "I64";
    synthetic_add(s, "model.encoder.layers.0.norm_sublayer3.batchnorm.num_batches_tracked", 0, 0, 0)->dtype = "I64";
    synthetic_add(s, "head.projection.weight", 2, 2, 12);
    synthetic_add(s, "head.projection.bias", 1, 2, 0);
}

/* The configuration of that checkpoint; `more` is further keys, each with a comma in front. */
#define SYNTHETIC_CONFIG(more)                                                                                         \
    "{\"model_type\":\"patchtst\",\"architectures\":[\"PatchTSTForPrediction\"],\"num_input_channels\":2,"             \
    "\"context_length\":15,\"patch_length\":5,\"patch_stride\":5,\"num_hidden_layers\":1,\"d_model\":4,"               \
    "\"num_attention_heads\":2,\"ffn_dim\":8,\"pooling_type\":null,\"prediction_length\":2" more "}"

/* A map source over a config text (NULL: none). */
typedef struct synthetic_source {
    pml_map_source map;
    pml_map_options options;
    cJSON *config;
} synthetic_source;

static inline void synthetic_source_init(synthetic_source *source, const synthetic *s, const char *config) {
    pml_error error;
    *source = (synthetic_source){.config = NULL};
    source->map.tensors = synthetic_open(s, "checkpoint");
    if (config != NULL) {
        PML_ASSERT_OK(pml_json_document_parse(config, strlen(config), "config.json", &source->config, &error), &error);
        source->map.config_text = config;
        source->map.config_bytes = strlen(config);
    }
    source->map.config = source->config;
    source->map.config_name = "config.json";
    source->map.options = &source->options;
}

static inline void synthetic_source_deinit(synthetic_source *source) {
    pml_source_close(source->map.tensors);
    cJSON_Delete(source->config);
}

/* Maps, and asserts the status and a part of the message. */
static inline void synthetic_expect(const synthetic *s, const char *config, pml_status expected, const char *part) {
    synthetic_source source;
    pml_error error;
    pml_mapping *mapping = NULL;
    synthetic_source_init(&source, s, config);
    pml_status status = pml_mapping_create(&source.map, &mapping, &error);
    if (expected == PML_OK) {
        PML_ASSERT_OK(status, &error);
        CU_ASSERT_PTR_NOT_NULL(mapping);
    } else {
        PML_ASSERT_FAILS(status, expected, &error, part);
        CU_ASSERT_PTR_NULL(mapping);
    }
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
}

#endif
