#include "mappers/research.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"

/* ---- detection ---- */
/* The best fit of a dialect among the sets of witnesses. */
static pml_status measure(const pml_research *family, const pml_map_source *source, const pml_mapper *mapper,
                          const char *dialect, pml_fit *best, pml_error *error) {
    pml_status status = PML_OK;
    for (const char *const *const *set = family->witnesses; *set != NULL; set++) {
        pml_mapper as = *mapper;
        pml_fit fit;
        as.witnesses = *set;
        PML_TRY(pml_fit_measure(source, &as, dialect, &fit, error));
        fit.score = fit.absent != NULL && strcmp(fit.absent, (*set)[0]) == 0 ? 0 : fit.score;
        *best = set == family->witnesses || fit.score > best->score ? fit : *best;
    }
done:
    return status;
}

/* Whether something beside the tensors speaks for the dialect. */
static bool is_named(const pml_research *family, const pml_map_source *source, const char *dialect) {
    if (strcmp(dialect, PML_NEURALFORECAST) == 0) {
        return family->class_names != NULL && pml_neuralforecast_is(source, family->class_names);
    }
    return strcmp(dialect, PML_TSL) == 0 && pml_setting_has(source, "task_name");
}

pml_status pml_research_detect(const pml_research *family, const pml_map_source *source, pml_detection *detection,
                               pml_error *error) {
    pml_status status = PML_OK;
    pml_setting_source applied = {.settings = NULL};
    const pml_map_source *from = source;
    pml_fit best = {.score = -1};
    bool best_is_named = false;
    const pml_status applying = pml_setting_apply(source, family->models, &applied, error);
    if (applying == PML_OK) {
        from = &applied.source;
    } else if (applying == PML_E_MEMORY) {
        PML_TRY(applying);
    } /* otherwise the setting is wrong, or another family's: reading the configuration says so */
    for (const pml_map_dialect *d = detection->mapper->dialects; d->name != NULL; d++) {
        pml_fit fit;
        PML_TRY(measure(family, source, detection->mapper, d->name, &fit, error));
        const bool named = is_named(family, from, d->name);
        if (fit.score > best.score || (fit.score == best.score && named && !best_is_named)) {
            best = fit;
            best_is_named = named;
        }
    }
    PML_TRY(pml_fit_report(source, &best, detection, error));
done:
    pml_setting_deinit(&applied);
    return status;
}

/* ---- configuration ---- */
const char *pml_research_choice(const pml_config_reader *reader, const char *key) {
    char name[160];
    const char *text;
    (void)snprintf(name, sizeof name, "config.%.128s", key);
    const pml_meta_entry *entry = pml_metadata_find(reader->config, name);
    text = entry != NULL && entry->type == PML_META_STRING ? entry->value.string : "";
    return text;
}

bool pml_research_holds(const pml_config_reader *reader, const char *expression) {
    int64_t value = 0;
    return pml_schema_eval(reader->schema, reader->config, expression, -1, &value, NULL) == PML_OK && value != 0;
}

pml_status pml_research_derive_flag(pml_config_reader *reader, const pml_config_rule *rule, const char *if_true,
                                    const char *if_false, char **text, pml_error *error) {
    pml_status status = PML_OK;
    const pml_config_rule own = {.key = rule->key};
    const pml_config_rule flag = {.key = rule->source, .source = rule->source, .is_number = true};
    char *value = NULL;
    PML_TRY(pml_config_get(reader, &own, PML_CONFIG_CHOICE, text, error));
    if (*text == NULL) {
        PML_TRY(pml_config_get(reader, &flag, PML_CONFIG_BOOL, &value, error));
    }
    if (value != NULL) {
        const char *word = strcmp(value, "true") == 0 ? if_true : if_false;
        PML_TRY(pml_string_copy(word, strlen(word), text, error));
    }
done:
    pml_free(value);
    return status;
}

pml_status pml_research_config(const pml_research *family, const pml_map_source *source, pml_detection *detection,
                               pml_metadata *config, pml_error *error) {
    pml_status status = PML_OK;
    pml_facts facts = {0};
    pml_evidence said = {.count = 0};
    pml_setting_source applied = {.settings = NULL};
    const pml_map_dialect *dialect = pml_map_dialect_find(detection->mapper, detection->dialect);
    if (dialect == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND, "family %s has no dialect %s", detection->mapper->name,
                         detection->dialect));
    }
    PML_TRY(pml_setting_apply(source, family->models, &applied, error));
    if (strcmp(dialect->name, PML_NEURALFORECAST) == 0) {
        PML_TRY(pml_neuralforecast_check(&applied.source, error));
    }
    PML_TRY(pml_facts_collect(source, detection->mapper, dialect->name, &facts, error));
    family->examine(&facts, dialect->name, &said);
    pml_config_reader r = {.source = &applied.source,
                           .schema = pml_schema_find(detection->mapper->name),
                           .detection = detection,
                           .config = config,
                           .evidence = said.items,
                           .n_evidence = said.count,
                           .other_keys = family->other_keys};
    PML_TRY(pml_config_read(&r, dialect->keys, error));
    if (family->complete != NULL) {
        PML_TRY(family->complete(&r, error));
    }
    PML_TRY(pml_config_blame(r.source, pml_schema_check_config(r.schema, config, error), error));
    PML_TRY(pml_config_settle(&r, dialect->keys, error));
    PML_TRY(family->describe(&r, detection, error));
done:
    pml_setting_deinit(&applied);
    pml_facts_deinit(&facts);
    return status;
}
