#include "runtime/schema/schema.h"
#include "tests/harness.h"

static pml_error error;

/* The official ETTh1 run (T = S = 96, 7 channels, D 512, F 2048); a count of 0 is absent. */
static pml_metadata *configure(const char *version, const char *activation, int64_t n_modes, int64_t n_gates,
                               int64_t wavelet_channels) {
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {{"config.num_input_channels", 7},
                   {"config.context_length", 96},
                   {"config.label_length", 48},
                   {"config.prediction_length", 96},
                   {"config.num_encoder_layers", 2},
                   {"config.num_decoder_layers", 1},
                   {"config.d_model", 512},
                   {"config.num_attention_heads", 8},
                   {"config.ffn_dim", 2048},
                   {"config.num_gates", n_gates},
                   {"config.num_encoder_modes", n_modes < 48 ? n_modes : 48},
                   {"config.num_decoder_modes", n_modes},
                   {"config.num_query_modes", n_modes},
                   {"config.wavelet_channels", wavelet_channels},
                   {"config.wavelet_modes", wavelet_channels > 0 ? 16 : 0},
                   {"config.cross_modes", wavelet_channels > 0 ? 64 : 0},
                   {"config.ignored_levels", wavelet_channels > 0 ? 3 : 0}};
    const int64_t kernel = 24;
    pml_metadata *m = NULL;
    PML_ASSERT_OK(pml_metadata_create(&m, &error), &error);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i].value != 0) {
            PML_ASSERT_OK(pml_metadata_set_i64(m, numbers[i].key, numbers[i].value, &error), &error);
        }
    }
    PML_ASSERT_OK(pml_metadata_set_i64s(m, "config.decomposition_kernels", &kernel, 1, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_string(m, "config.activation", "gelu", &error), &error);
    PML_ASSERT_OK(pml_metadata_set_string(m, "config.time_embedding", "timeF", &error), &error);
    PML_ASSERT_OK(pml_metadata_set_string(m, "config.frequency", "h", &error), &error);
    PML_ASSERT_OK(pml_metadata_set_string(m, "config.version", version, &error), &error);
    PML_ASSERT_OK(pml_metadata_set_string(m, "config.cross_activation", activation, &error), &error);
    return m;
}

static uint64_t count_parameters(pml_metadata *m) {
    pml_weight_list list = {0};
    uint64_t total = 0;
    const pml_schema *schema = pml_schema_find("fedformer");
    PML_ASSERT_OK(pml_schema_check_config(schema, m, &error), &error);
    PML_ASSERT_OK(pml_schema_weights(schema, m, PML_MAX_TENSORS, &list, &error), &error);
    for (size_t i = 0; i < list.count; i++) {
        uint64_t n = 1;
        for (unsigned axis = 0; axis < list.items[i].rank; axis++) {
            n *= list.items[i].shape[axis];
        }
        total += n;
    }
    pml_weight_list_deinit(&list);
    pml_metadata_destroy(m);
    return total;
}

/* Published: 16,303,127 and 114,350,319 parameters, a complex one counted once, which is two numbers here. Of wavelets
 * the published count has the unused T0 of the cross block (8 * 8 + 8) and not the four filters (4 * 16 * 8). */
static void counts_the_published_parameters(void) {
    const uint64_t modes = 8 * 64 * 64 * (48 + 64 + 64), wide = 6 * 1024 * 1024 * 16;
    CU_ASSERT_EQUAL(count_parameters(configure("fourier", "tanh", 64, 1, 0)), 16303127 + modes);
    CU_ASSERT_EQUAL(count_parameters(configure("fourier", "tanh", 64, 0, 0)), 16303127 + modes - 2 * (1 + 2 * 2 + 3));
    const uint64_t wavelets = count_parameters(configure("wavelets", "softmax", 0, 1, 128));
    CU_ASSERT_TRUE(wavelets > wide);
}

static void what_cannot_be_is_refused(void) {
    static const struct {
        const char *version, *activation;
        int64_t n_modes, wavelet_channels;
        const char *words;
    } cases[] = {{"fourier", "tanh", 0, 0, "needs encoder_modes"},
                 {"wavelets", "tanh", 0, 0, "needs wavelet_channels"},
                 {"fourier", "softmax", 8, 0, "softmax is for version wavelets"},
                 {"waves", "tanh", 8, 0, "version"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_metadata *m =
            configure(cases[i].version, cases[i].activation, cases[i].n_modes, 0, cases[i].wavelet_channels);
        PML_ASSERT_FAILS(pml_schema_check_config(pml_schema_find("fedformer"), m, &error), PML_E_CONFIG, &error,
                         cases[i].words);
        pml_metadata_destroy(m);
    }
}

PML_TESTS("runtime/schema/fedformer", PML_TEST(counts_the_published_parameters), PML_TEST(what_cannot_be_is_refused))
