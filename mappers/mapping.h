/* The rule engine: source names to canonical weights. Family files and detection use it; the converter sees only its
 * result (mappers/mapper.h). */
#ifndef PML_MAPPERS_MAPPING_H
#define PML_MAPPERS_MAPPING_H

#include "mappers/mapper.h"
#include "mappers/pattern.h"
#include "mappers/transform.h"
#include "runtime/base/shape_text.h"

/* ---- names ---- */
/* The name without the prefixes that torch wrappers put in front, in any number and order: "module.", "_orig_mod.". */
const char *pml_map_strip(const char *name);
/* The tensor of that stripped name; NULL: none. */
const pml_source_tensor *pml_map_tensor_find(const pml_map_source *source, const char *name);

/* The root of that file beside the tensors; NULL: it is not there. */
const cJSON *pml_map_side_find(const pml_map_source *source, const char *name);

/* ---- facts: what the rules of a dialect say about the tensors, before any configuration is known ---- */
typedef struct pml_fact { /* one source tensor that a rule takes; conditions (`when`) of rules are ignored */
    const pml_source_tensor *source;
    const pml_map_rule *rule;
    pml_captures captures;
    const char *target; /* canonical name; NULL: dropped */
    bool has_view;      /* the transform is known without a configuration and fits */
    pml_view view;
} pml_fact;

typedef struct pml_facts {
    pml_fact *items; /* order of the source's tensors; a tensor that several rules share has one of each */
    size_t count;
    size_t n_matched;  /* tensors that a rule takes */
    pml_arena storage; /* private */
} pml_facts;

/* Whether two rules with targets share a tensor, each taking its part: the same pattern, both built in or both extra.
 */
bool pml_map_rules_share(const pml_map_options *options, const pml_map_rule *a, const pml_map_rule *b);

/* Rules of `dialect` (extra rules of the options first). Errors: MEMORY. */
pml_status pml_facts_collect(const pml_map_source *source, const pml_mapper *mapper, const char *dialect,
                             pml_facts *facts, pml_error *error) PML_WARN_UNUSED;
void pml_facts_deinit(pml_facts *facts);
/* Whether the tensor is one of several that make up a weight. */
bool pml_fact_is_stacked(const pml_fact *fact);
/* The first fact of that target; NULL: none. */
const pml_fact *pml_facts_find(const pml_facts *facts, const char *target);
/* One past the greatest capture `letter` among facts whose target fits the pattern, 0 if none. */
uint32_t pml_facts_count(const pml_facts *facts, const char *target_pattern, char letter);

/* ---- detection by names: how well those of a dialect fit ---- */
typedef struct pml_fit {
    const char *dialect;
    const char *absent; /* the first witness that is not there; NULL: all are */
    size_t n_witnesses, n_found, n_matched;
    double score; /* share of witnesses that are there times share of tensors that rules take */
} pml_fit;

/* Errors: MEMORY. */
pml_status pml_fit_measure(const pml_map_source *source, const pml_mapper *mapper, const char *dialect, pml_fit *fit,
                           pml_error *error) PML_WARN_UNUSED;
/* Makes it the detection's result, with one line of reasons; accepted from a score of one half on. Errors: MEMORY. */
pml_status pml_fit_report(const pml_map_source *source, const pml_fit *fit, pml_detection *detection,
                          pml_error *error) PML_WARN_UNUSED;

/* ---- detection reports ---- */
/* Appends a formatted line to one of the lists of a detection: pml_detection_add(&d->reasons, &d->n_reasons, …). */
pml_status pml_detection_add(char ***lines, size_t *n_lines, pml_error *error, const char *format, ...)
    __attribute__((format(printf, 4, 5))) PML_WARN_UNUSED;
/* Replaces *text, an owned string. */
pml_status pml_detection_set(char **text, pml_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4))) PML_WARN_UNUSED;
void pml_detection_deinit(pml_detection *detection);

/* ---- applying rules ---- */
/* Fills mapping->weights, mapped and dropped from mapping->config, and the lists of `detection`. Tensors that do not
 * fit are listed there, not errors; `mapped` then has weights without parts. Errors: CONFIG (a rule or a target that
 * the schema does not know, an expression that fails), MEMORY. */
pml_status pml_mapping_fill(const pml_map_source *source, pml_mapping *mapping, const char *dialect,
                            pml_detection *detection, pml_error *error) PML_WARN_UNUSED;

/* FORMAT with the first of each list named and the rest counted, or PML_OK when every list is empty. */
pml_status pml_mapping_check(const pml_detection *detection, pml_error *error) PML_WARN_UNUSED;

/* ---- the registry's algorithms over any list of mappers (NULL-terminated) ---- */
pml_status pml_detect_report_fill_among(const pml_mapper *const *mappers, const pml_map_source *source,
                                        pml_detect_report *report, pml_error *error) PML_WARN_UNUSED;
pml_status pml_mapping_create_among(const pml_mapper *const *mappers, const pml_map_source *source,
                                    pml_mapping **mapping, pml_error *error) PML_WARN_UNUSED;

#endif
