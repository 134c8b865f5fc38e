/* Checkpoints of the network that Autoformer and FEDformer share, without what stands in the place of attention. */
#ifndef PML_TESTS_MAPPERS_SEASONAL_NETWORK_H
#define PML_TESTS_MAPPERS_SEASONAL_NETWORK_H

#include "tests/mappers/mapped.h"

enum { D = 8, F = 12, C = 3 };

static inline void add(synthetic *s, const char *prefix, const char *name, unsigned rank, uint64_t a, uint64_t b,
                       uint64_t c) {
    synthetic_add(s, pml_test_path("%s%s", prefix, name), rank, a, b)->shape[2] = c;
}

static inline void add_linear(synthetic *s, const char *prefix, const char *name, uint64_t n_out, uint64_t n_in) {
    const char *full = pml_test_path("%s%s", prefix, name);
    add(s, full, ".weight", 2, n_out, n_in, 0);
    add(s, full, ".bias", 1, n_out, 0, 0);
}

static inline void add_attention(synthetic *s, const char *prefix) {
    static const char *const parts[] = {"query", "key", "value", "out"};
    for (size_t i = 0; i < 4; i++) {
        add_linear(s, prefix, pml_test_path(".%s_projection", parts[i]), D, D);
    }
}

/* Two encoder layers and one decoder layer; `time`: what names the parts of the time embedding, NULL: none. */
static inline synthetic network(const char *time, uint64_t n_channels) {
    static const char *const sides[] = {"enc_embedding.", "dec_embedding."};
    static const char *const tables[] = {"month", "day", "weekday", "hour"};
    static const uint64_t sizes[] = {13, 32, 7, 24};
    synthetic s = {.count = 0};
    for (size_t i = 0; i < 2; i++) {
        add(&s, sides[i], "value_embedding.tokenConv.weight", 3, D, n_channels, 3);
        add(&s, sides[i], "position_embedding.pe", 3, 1, 50, D);
        if (time != NULL && strcmp(time, "embed.weight") == 0) {
            add(&s, sides[i], "temporal_embedding.embed.weight", 2, D, 4, 0);
        } else if (time != NULL) {
            for (size_t k = 0; k < 4; k++) {
                add(&s, sides[i], pml_test_path("temporal_embedding.%s_%s", tables[k], time), 2, sizes[k], D, 0);
            }
        }
    }
    for (int l = 0; l < 3; l++) {
        const char *layer = pml_test_path("%s.%d", l < 2 ? "encoder.attn_layers" : "decoder.layers", l % 2);
        add_attention(&s, pml_test_path("%s.%s", layer, l < 2 ? "attention" : "self_attention"));
        add(&s, layer, ".conv1.weight", 3, F, D, 1);
        add(&s, layer, ".conv2.weight", 3, D, F, 1);
    }
    add_attention(&s, "decoder.layers.0.cross_attention");
    add(&s, "decoder.layers.0.", "projection.weight", 3, n_channels, D, 3);
    add(&s, "encoder.norm.layernorm", ".weight", 1, D, 0, 0);
    add(&s, "encoder.norm.layernorm", ".bias", 1, D, 0, 0);
    add(&s, "decoder.norm.layernorm", ".weight", 1, D, 0, 0);
    add(&s, "decoder.norm.layernorm", ".bias", 1, D, 0, 0);
    add_linear(&s, "decoder.", "projection", n_channels, D);
    return s;
}

#endif
