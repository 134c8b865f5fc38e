#include "mappers/mapper.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mappers/mapping.h"
#include "mappers/refusal.h"
#include "runtime/base/alloc.h"

#define PML_FAMILY(name) extern const pml_mapper pml_mapper_##name;
#include "runtime/schema/registry.def"
#undef PML_FAMILY

const pml_mapper *const pml_mappers[] = {
#define PML_FAMILY(name) &pml_mapper_##name,
#include "runtime/schema/registry.def"
#undef PML_FAMILY
    NULL};

typedef struct candidate { /* one family's reading of the source */
    pml_detection detection;
    pml_mapping *mapping; /* filled when the configuration could be read */
    pml_status status;    /* why the source cannot be mapped as this family */
    pml_error error;
} candidate;

typedef struct candidates { /* best first */
    candidate *items;
    size_t count;
} candidates;

static void candidates_deinit(candidates *all) {
    for (size_t i = 0; i < all->count; i++) {
        pml_detection_deinit(&all->items[i].detection);
        pml_mapping_destroy(all->items[i].mapping);
    }
    pml_free(all->items);
    *all = (candidates){0};
}

void pml_mapping_destroy(pml_mapping *mapping) {
    if (mapping == NULL) {
        return;
    }
    pml_detection_deinit(&mapping->detection);
    pml_metadata_destroy(mapping->config);
    pml_weight_list_deinit(&mapping->weights);
    pml_free(mapping->mapped);
    pml_free(mapping->dropped);
    pml_arena_deinit(&mapping->storage);
    pml_free(mapping);
}

static const pml_schema *schema_of(const pml_mapper *mapper) {
    return mapper->schema != NULL ? mapper->schema : pml_schema_find(mapper->name);
}

/* Whether a failure is this reading's (another family may fit) and not the machine's. */
static bool is_verdict(pml_status status) {
    return status == PML_E_CONFIG || status == PML_E_UNSUPPORTED || status == PML_E_FORMAT;
}

/* Reads the configuration and applies the rules. */
static pml_status read_as(const pml_map_source *source, candidate *c, pml_error *error) {
    pml_status status = PML_OK;
    pml_mapping *m = c->mapping;
    pml_detection *d = &c->detection;
    PML_TRY(d->mapper->config(source, d, m->config, error));
    PML_TRY(pml_schema_check_config(m->schema, m->config, error));
    PML_TRY(pml_metadata_set_string(m->config, "general.family", d->mapper->name, error));
    PML_TRY(pml_metadata_set_string(m->config, "general.architecture", m->schema->architecture, error));
    PML_TRY(pml_metadata_set_string(m->config, "provenance.dialect", d->dialect, error));
    PML_TRY(pml_metadata_set_string(m->config, "general.variant", d->variant != NULL ? d->variant : "", error));
    PML_TRY(pml_mapping_fill(source, m, d->dialect, d, error));
    PML_TRY(pml_mapping_check(d, error));
done:
    return status;
}

static pml_status consider(const pml_mapper *mapper, const pml_map_source *source, candidate *c, pml_error *error) {
    pml_status status = PML_OK;
    pml_detection *d = &c->detection;
    d->mapper = mapper;
    PML_TRY(mapper->detect(source, d, error));
    if (d->score <= 0 || d->failed != NULL) {
        c->status = d->failed != NULL ? PML_FAIL(&c->error, PML_E_UNSUPPORTED, "%s", d->failed) : PML_OK;
        goto done;
    }
    PML_TRY(pml_alloc(1, sizeof *c->mapping, &c->mapping, error));
    c->mapping->mapper = mapper;
    c->mapping->schema = schema_of(mapper);
    if (c->mapping->schema == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND, "family %s has no schema", mapper->name));
    }
    PML_TRY(pml_metadata_create(&c->mapping->config, error));
    PML_TRY(pml_arena_init(&c->mapping->storage, 0, error));
    c->status = read_as(source, c, &c->error);
    if (c->status == PML_OK) {
        goto done;
    }
    if (!is_verdict(c->status)) {
        if (error != NULL) {
            *error = c->error;
        }
        PML_TRY(c->status);
    }
    PML_TRY(pml_detection_set(&d->failed, error, "%s", c->error.message));
done:
    return status;
}

static int compare_candidates(const void *a, const void *b) {
    const candidate *x = a;
    const candidate *y = b;
    if (x->detection.score != y->detection.score) {
        return x->detection.score > y->detection.score ? -1 : 1;
    }
    return strcmp(x->detection.mapper->name, y->detection.mapper->name);
}

/* Reads the source as every family (or as the one of --arch). */
static pml_status consider_all(const pml_mapper *const *mappers, const pml_map_source *source, candidates *all,
                               pml_error *error) {
    pml_status status = PML_OK;
    candidates result = {0};
    size_t n = 0;
    while (mappers[n] != NULL) {
        n++;
    }
    PML_TRY(pml_alloc(n, sizeof *result.items, &result.items, error));
    for (size_t i = 0; i < n; i++) {
        const char *arch = source->options->arch;
        if (arch != NULL && strcmp(arch, mappers[i]->name) != 0) {
            continue;
        }
        result.count++; /* first, so that what consider allocates is released on failure */
        PML_TRY(consider(mappers[i], source, &result.items[result.count - 1], error));
    }
    if (source->options->arch != NULL && result.count == 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "there is no family '%.64s' (pml-convert models lists them)",
                         source->options->arch));
    }
    qsort(result.items, result.count, sizeof *result.items, compare_candidates);
    *all = result;
    result = (candidates){0};
done:
    candidates_deinit(&result);
    return status;
}

pml_status pml_detect_report_fill_among(const pml_mapper *const *mappers, const pml_map_source *source,
                                        pml_detect_report *report, pml_error *error) {
    pml_status status = PML_OK;
    candidates all = {0};
    pml_detect_report result = {0};
    pml_error refusal;
    bool is_refused = pml_map_check_quantized(source, &refusal) != PML_OK ||
                      pml_map_check_refused(mappers, source, &refusal) != PML_OK;
    PML_TRY(consider_all(mappers, source, &all, error));
    for (size_t i = 0; is_refused && i < all.count; i++) {
        all.items[i].detection.accepted = false;
        PML_TRY(pml_detection_set(&all.items[i].detection.failed, error, "%s", refusal.message));
    }
    PML_TRY(pml_alloc(all.count, sizeof *result.candidates, &result.candidates, error));
    result.count = all.count;
    for (size_t i = 0; i < all.count; i++) {
        result.candidates[i] = all.items[i].detection;
        all.items[i].detection = (pml_detection){0};
    }
    *report = result;
done:
    candidates_deinit(&all);
    return status;
}

pml_status pml_detect_report_fill(const pml_map_source *source, pml_detect_report *report, pml_error *error) {
    return pml_detect_report_fill_among(pml_mappers, source, report, error);
}

void pml_detect_report_deinit(pml_detect_report *report) {
    for (size_t i = 0; i < report->count; i++) {
        pml_detection_deinit(&report->candidates[i]);
    }
    pml_free(report->candidates);
    *report = (pml_detect_report){0};
}

/* ---- choosing ---- */
/* Why a candidate is none, as its own detection says: a configuration is read for reports even where tensors hardly
 * fit, but what is wrong with it then is beside the point. */
static const char *first_reason(const candidate *c) {
    const pml_detection *d = &c->detection;
    return c->mapping == NULL && d->failed != NULL ? d->failed : d->n_reasons > 0 ? d->reasons[0] : "no evidence";
}

static bool is_recognized(const candidate *c) { /* and refused */
    return c->mapping == NULL && c->detection.failed != NULL;
}

/* "bert, patchtst" */
static void list_names(const candidates *all, char *text, size_t text_bytes) {
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < all->count && used < text_bytes; i++) {
        int n =
            snprintf(text + used, text_bytes - used, "%s%s", i > 0 ? ", " : "", all->items[i].detection.mapper->name);
        used += n < 0 ? 0 : (size_t)n;
    }
}

static pml_status fail_nothing_fits(const pml_map_source *source, const candidates *all, pml_error *error) {
    const char *first =
        pml_source_n_tensors(source->tensors) > 0 ? pml_source_tensor_at(source->tensors, 0)->name : "no tensor at all";
    const char *key, *claim = pml_map_claim(source, &key);
    char said[192] = "", names[192];
    if (claim != NULL) {
        (void)snprintf(said, sizeof said, "; %.64s says %s '%.64s'", source->config_name, key, claim);
    }
    if (all->count == 0) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "no model family fits (first tensor: %.120s%s)", first, said);
    }
    const candidate *nearest = &all->items[0];
    if (is_recognized(nearest)) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "%s", nearest->detection.failed);
    }
    if (nearest->detection.score == 0 && all->count > 1) {
        list_names(all, names, sizeof names);
        return PML_FAIL(error, PML_E_UNSUPPORTED,
                        "no model family fits (first tensor: %.120s%s): the tensors are not those of %s", first, said,
                        names);
    }
    return PML_FAIL(error, PML_E_UNSUPPORTED,
                    "no model family fits (first tensor: %.120s%s); the nearest is %s with score %.2f: %.300s", first,
                    said, nearest->detection.mapper->name, nearest->detection.score, first_reason(nearest));
}

static const pml_mapper *claimed_by(const pml_mapper *const *mappers, const char *model_type) {
    for (size_t i = 0; mappers[i] != NULL; i++) {
        const char *const *types = mappers[i]->model_types;
        for (size_t j = 0; types != NULL && types[j] != NULL; j++) {
            if (strcmp(types[j], model_type) == 0) {
                return mappers[i];
            }
        }
    }
    return NULL;
}

/* Picks the candidate that tensors and config agree on. */
static pml_status choose(const pml_mapper *const *mappers, const pml_map_source *source, candidates *all,
                         candidate **chosen, pml_error *error) {
    const char *key, *claim = pml_map_claim(source, &key);
    const pml_mapper *claimed = claim != NULL ? claimed_by(mappers, claim) : NULL;
    candidate *best = NULL, *second = NULL;
    for (size_t i = 0; i < all->count; i++) {
        candidate *c = &all->items[i];
        if (!c->detection.accepted) {
            continue;
        }
        if (claimed != NULL && c->detection.mapper == claimed) {
            *chosen = c;
            return PML_OK;
        }
        if (best == NULL) {
            best = c;
        } else if (second == NULL) {
            second = c;
        }
    }
    if (claim != NULL && best != NULL) {
        return PML_FAIL(error, PML_E_CONFIG, "%s says %s '%.64s', but the tensors are those of %s (score %.2f: %.300s)",
                        source->config_name, key, claim, best->detection.mapper->name, best->detection.score,
                        best->detection.n_reasons > 0 ? best->detection.reasons[0] : "");
    }
    if (claimed != NULL && (all->count == 0 || !is_recognized(&all->items[0]))) {
        const candidate *c = NULL;
        for (size_t i = 0; i < all->count; i++) {
            c = all->items[i].detection.mapper == claimed ? &all->items[i] : c;
        }
        return PML_FAIL(error, PML_E_CONFIG, "%s says %s '%.64s', but the tensors do not fit family %s: %.400s",
                        source->config_name, key, claim, claimed->name,
                        c != NULL ? first_reason(c) : "it is excluded by --arch");
    }
    if (best == NULL) {
        return fail_nothing_fits(source, all, error);
    }
    if (second != NULL && fabs(best->detection.score - second->detection.score) < 1e-9) {
        return PML_FAIL(error, PML_E_CONFIG, "the tensors fit %s and %s equally well: choose with --arch",
                        best->detection.mapper->name, second->detection.mapper->name);
    }
    *chosen = best;
    return PML_OK;
}

pml_status pml_mapping_create_among(const pml_mapper *const *mappers, const pml_map_source *source,
                                    pml_mapping **mapping, pml_error *error) {
    pml_status status = PML_OK;
    candidates all = {0};
    candidate *chosen = NULL;
    PML_TRY(pml_map_check_quantized(source, error));
    PML_TRY(pml_map_check_refused(mappers, source, error));
    PML_TRY(consider_all(mappers, source, &all, error));
    PML_TRY(choose(mappers, source, &all, &chosen, error));
    if (chosen->status != PML_OK) {
        if (error != NULL) {
            *error = chosen->error;
        }
        PML_TRY(chosen->status);
    }
    *mapping = chosen->mapping;
    (*mapping)->detection = chosen->detection;
    chosen->mapping = NULL;
    chosen->detection = (pml_detection){0};
done:
    candidates_deinit(&all);
    return status;
}

pml_status pml_mapping_create(const pml_map_source *source, pml_mapping **mapping, pml_error *error) {
    return pml_mapping_create_among(pml_mappers, source, mapping, error);
}
