#include <dirent.h>

#include "tests/mappers/synthetic.h"

static pml_status status_of(const char *name) {
    for (int i = 0; i <= PML_E_INTERRUPTED; i++) {
        if (strcmp(pml_status_name((pml_status)i), name) == 0) {
            return (pml_status)i;
        }
    }
    CU_FAIL("unknown status in an .expected file");
    return PML_OK;
}

/* Reads and maps one configuration file over the synthetic checkpoint. */
static pml_status map_with(const char *path, pml_error *error) {
    synthetic s;
    synthetic_source source;
    pml_mapping *mapping = NULL;
    size_t size_bytes;
    synthetic_patchtst(&s);
    char *text = (char *)pml_test_read_file(path, &size_bytes);
    synthetic_source_init(&source, &s, NULL);
    pml_status status = pml_json_document_parse(text, size_bytes, "config.json", &source.config, error);
    if (status == PML_OK) {
        source.map.config = source.config;
        source.map.config_text = text;
        source.map.config_bytes = size_bytes;
        status = pml_mapping_create(&source.map, &mapping, error);
    }
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
    free(text);
    return status;
}

/* tests/goldens/configs: each <fault>.json beside <fault>.expected, two lines: status and a part of the message. */
static void judges_every_golden_file(void) {
    const char *folder = pml_test_path("%s/tests/goldens/configs", pml_test_source_dir());
    DIR *directory = opendir(folder);
    CU_ASSERT_PTR_NOT_NULL_FATAL(directory);
    size_t n_files = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char *end = strstr(entry->d_name, ".json");
        if (end == NULL || end[5] != '\0') {
            continue;
        }
        pml_error error = {.message = ""};
        size_t size_bytes;
        const char *stem = pml_test_path("%s/%.*s", folder, (int)(end - entry->d_name), entry->d_name);
        char *expected = (char *)pml_test_read_file(pml_test_path("%s.expected", stem), &size_bytes);
        char *part = memchr(expected, '\n', size_bytes);
        CU_ASSERT_PTR_NOT_NULL_FATAL(part);
        *part++ = '\0';
        part[size_bytes - (size_t)(part - expected) - 1] = '\0';
        pml_status status = map_with(pml_test_path("%s.json", stem), &error);
        bool is_right = status_of(expected) == status && (status == PML_OK || strstr(error.message, part) != NULL);
        if (!is_right) {
            (void)printf("\n    %s: expected %s with \"%s\", got %s: %s\n", entry->d_name, expected, part,
                         pml_status_name(status), status == PML_OK ? "" : error.message);
        }
        CU_ASSERT_TRUE(is_right);
        free(expected);
        n_files++;
    }
    (void)closedir(directory);
    CU_ASSERT_TRUE(n_files >= 100);
}

typedef struct setting_case {
    const char *setting;
    pml_status expected;
    const char *part;
} setting_case;

static void judges_settings(void) {
    static const setting_case cases[] = {
        {"num_attention_heads=4", PML_OK, NULL},
        {"activation_function=gelu_new", PML_OK, NULL},
        {"activation=gelu_tanh", PML_OK, NULL},
        {"scaling=true", PML_OK, NULL},
        {"scaling=none", PML_OK, NULL},
        {"scaling=null", PML_OK, NULL},
        {"positional_encoding=learned", PML_OK, NULL},
        {"positional_encoding_type=random", PML_OK, NULL},
        {"head=prediction", PML_OK, NULL},
        {"architectures=PatchTSTForPrediction", PML_OK, NULL},
        {"unmasked_channel_indices=0,1", PML_OK, NULL},
        {"output_range=none", PML_OK, NULL},
        {"stride=5", PML_OK, NULL},
        {"distribution=none", PML_OK, NULL},
        {"series.columns=a,b", PML_OK, NULL},
        {"frequency=h", PML_OK, NULL},
        {"norm_eps=1e-3", PML_OK, NULL},
        {"norm_eps=nan", PML_E_CONFIG, "norm_eps"},
        {"norm_eps=inf", PML_E_CONFIG, "norm_eps"},
        {"norm_eps=", PML_E_CONFIG, "norm_eps"},
        {"norm_eps=0x1p-3", PML_E_CONFIG, "norm_eps"},
        {"norm_eps=-1", PML_E_CONFIG, "norm_eps"},
        {"d_model=16.0", PML_E_CONFIG, "d_model=16.0: an integer"},
        {"d_model= 4", PML_E_CONFIG, "d_model"},
        {"d_model=+4", PML_E_CONFIG, "d_model"},
        {"d_model=4x", PML_E_CONFIG, "d_model"},
        {"d_model=99999999999999999999", PML_E_CONFIG, "d_model"},
        {"d_model=8", PML_E_CONFIG, "--set d_model=8, but tensor"},
        {"num_attention_heads=-2", PML_E_CONFIG, "num_attention_heads"},
        {"num_attention_heads=3", PML_E_CONFIG, "num_attention_heads"},
        {"pre_norm=1", PML_E_CONFIG, "pre_norm"},
        {"pre_norm=yes", PML_E_CONFIG, "pre_norm"},
        {"scaling=minmax", PML_E_CONFIG, "scaling 'minmax'"},
        {"scaling=@null", PML_E_CONFIG, "scaling"},
        {"pooling=mean", PML_E_CONFIG, "pooling"},
        {"activation=mish", PML_E_UNSUPPORTED, "activation 'mish'"},
        {"head=forecast", PML_E_UNSUPPORTED, "head 'forecast'"},
        {"head=regression", PML_E_CONFIG, "head.projection.weight"},
        {"distribution=normal", PML_E_CONFIG, "head.projection.weight"},
        {"loss=nll", PML_E_CONFIG, "head.projection.weight"},
        {"hidden_layers=1", PML_E_CONFIG, "--set hidden_layers: family patchtst has no such key"},
        {"D_MODEL=4", PML_E_CONFIG, "no such key"},
        {"=4", PML_E_CONFIG, "no such key"},
        {"unmasked_channel_indices=0,,1", PML_E_CONFIG, "unmasked_channel_indices"},
        {"unmasked_channel_indices=0,2", PML_E_CONFIG, "unmasked_channel_indices"},
        {"output_range=1", PML_E_CONFIG, "output_range"},
        {"output_range=[0, 1]", PML_E_CONFIG, "a list like 0.5,2 is expected"},
    };
    synthetic s;
    synthetic_patchtst(&s);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        synthetic_source source;
        pml_error error;
        pml_mapping *mapping = NULL;
        synthetic_source_init(&source, &s, SYNTHETIC_CONFIG(""));
        source.options = (pml_map_options){.settings = &cases[i].setting, .n_settings = 1};
        pml_status status = pml_mapping_create(&source.map, &mapping, &error);
        if (cases[i].expected == PML_OK) {
            PML_ASSERT_OK(status, &error);
        } else {
            PML_ASSERT_FAILS(status, cases[i].expected, &error, cases[i].part);
        }
        pml_mapping_destroy(mapping);
        synthetic_source_deinit(&source);
    }
}

static void settings_win_and_the_last_one_counts(void) {
    static const char *const settings[] = {"num_attention_heads=1", "norm_eps=0.5", "num_attention_heads=4"};
    synthetic s;
    synthetic_source source;
    pml_error error;
    pml_mapping *mapping = NULL;
    synthetic_patchtst(&s);
    synthetic_source_init(&source, &s, SYNTHETIC_CONFIG(",\"norm_eps\":0.25"));
    source.options = (pml_map_options){.settings = settings, .n_settings = 3};
    PML_ASSERT_OK(pml_mapping_create(&source.map, &mapping, &error), &error);
    int64_t n_heads = 0;
    double eps = 0;
    PML_ASSERT_OK(pml_metadata_get_i64(mapping->config, "config.num_attention_heads", &n_heads, &error), &error);
    PML_ASSERT_OK(pml_metadata_get_f64(mapping->config, "config.norm_eps", &eps, &error), &error);
    CU_ASSERT_EQUAL(n_heads, 4);
    CU_ASSERT_EQUAL(eps, 0.5);
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
}

static bool has_line(char *const *lines, size_t n_lines, const char *part) {
    for (size_t i = 0; i < n_lines; i++) {
        if (strstr(lines[i], part) != NULL) {
            return true;
        }
    }
    return false;
}

static void lists_what_it_assumes(void) {
    synthetic s;
    synthetic_source source;
    pml_error error;
    pml_mapping *mapping = NULL;
    synthetic_patchtst(&s);
    synthetic_source_init(&source, &s, SYNTHETIC_CONFIG(",\"scaling\":null"));
    PML_ASSERT_OK(pml_mapping_create(&source.map, &mapping, &error), &error);
    const pml_detection *d = &mapping->detection;
    CU_ASSERT_TRUE(has_line(d->assumed, d->n_assumed, "activation = gelu (default of activation_function)"));
    CU_ASSERT_TRUE(has_line(d->assumed, d->n_assumed, "pre_norm = true"));
    CU_ASSERT_FALSE(has_line(d->assumed, d->n_assumed, "scaling"));   /* given */
    CU_ASSERT_FALSE(has_line(d->assumed, d->n_assumed, "mask_type")); /* has no effect on this head */
    const char *text;
    PML_ASSERT_OK(pml_metadata_get_string(mapping->config, "config.scaling", &text, &error), &error);
    CU_ASSERT_STRING_EQUAL(text, "none");
    pml_mapping_destroy(mapping);
    synthetic_source_deinit(&source);
}

/* Every allocation on the way may fail: an error, no leak, no crash. */
static void survives_failing_allocations(void) {
    synthetic s;
    synthetic_source source;
    pml_status status = PML_E_MEMORY;
    synthetic_patchtst(&s);
    synthetic_source_init(&source, &s, SYNTHETIC_CONFIG(""));
    for (unsigned long n = 1; status != PML_OK && n < 5000; n++) {
        pml_mapping *mapping = NULL;
        pml_error error;
        pml_test_fail_allocation(n, true);
        status = pml_mapping_create(&source.map, &mapping, &error);
        pml_test_fail_allocation(0, false);
        CU_ASSERT_TRUE(status == PML_OK || status == PML_E_MEMORY);
        CU_ASSERT_EQUAL(status == PML_OK, mapping != NULL);
        pml_mapping_destroy(mapping);
    }
    CU_ASSERT_EQUAL(status, PML_OK);
    synthetic_source_deinit(&source);
}

PML_TESTS("mappers/config", PML_TEST(judges_every_golden_file), PML_TEST(judges_settings),
          PML_TEST(settings_win_and_the_last_one_counts), PML_TEST(lists_what_it_assumes),
          PML_TEST(survives_failing_allocations))
