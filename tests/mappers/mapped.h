/* Mapping synthetic checkpoints of research code with a configuration and settings of the test's own. */
#ifndef PML_TESTS_MAPPERS_MAPPED_H
#define PML_TESTS_MAPPERS_MAPPED_H

#include "tests/mappers/synthetic.h"

static pml_error error;

/* The caller destroys the mapping; NULL with the error set when there is none. `settings` ends with NULL. */
static inline pml_mapping *map_with(const synthetic *s, const char *config, const char *const *settings,
                                    pml_status *status) {
    synthetic_source source;
    pml_mapping *mapping = NULL;
    synthetic_source_init(&source, s, config);
    while (settings != NULL && settings[source.options.n_settings] != NULL) {
        source.options.n_settings++;
    }
    source.options.settings = settings;
    *status = pml_mapping_create(&source.map, &mapping, &error);
    synthetic_source_deinit(&source);
    return mapping;
}

/* Whether it maps as that dialect with a configuration of which every expression (NULL-terminated) holds. */
static inline bool maps(const synthetic *s, const char *config, const char *const *settings, const char *dialect,
                        const char *const *holds) {
    pml_status status;
    pml_mapping *mapping = map_with(s, config, settings, &status);
    bool is_right = status == PML_OK && strcmp(mapping->detection.dialect, dialect) == 0;
    if (!is_right) {
        (void)printf("\n    %s\n", status == PML_OK ? mapping->detection.dialect : error.message);
    }
    for (; is_right && *holds != NULL; holds++) {
        int64_t value = 0;
        PML_ASSERT_OK(pml_schema_eval(mapping->schema, mapping->config, *holds, -1, &value, &error), &error);
        if (value == 0) {
            (void)printf("\n    not so: %s\n", *holds);
            is_right = false;
        }
    }
    pml_mapping_destroy(mapping);
    return is_right;
}
#define HOLDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SETTINGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Whether it fails with this status and words. */
static inline bool is_refused(const synthetic *s, const char *config, const char *const *settings, pml_status expected,
                              const char *words) {
    pml_status status;
    pml_mapping *mapping = map_with(s, config, settings, &status);
    const bool is_right = status == expected && strstr(error.message, words) != NULL;
    if (!is_right) {
        (void)printf("\n    '%s' is not in: %s\n", words, status == PML_OK ? "(it maps)" : error.message);
    }
    pml_mapping_destroy(mapping);
    return is_right;
}

#endif
