/* Names, facts and report lines: the parts of the rule engine that need no configuration. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mappers/mapping.h"
#include "runtime/base/alloc.h"

static const char *const wrappers[] = {"module.", "_orig_mod."};

const char *pml_map_strip(const char *name) {
    for (size_t i = 0; i < sizeof wrappers / sizeof wrappers[0];) {
        size_t length = strlen(wrappers[i]);
        if (strncmp(name, wrappers[i], length) == 0) {
            name += length;
            i = 0;
        } else {
            i++;
        }
    }
    return name;
}

const pml_source_tensor *pml_map_tensor_find(const pml_map_source *source, const char *name) {
    static const char *const prefixes[] = {"", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        char full[PML_MAX_NAME_BYTES + 1];
        int length = snprintf(full, sizeof full, "%s%s", prefixes[i], name);
        const pml_source_tensor *tensor =
            length > 0 && (size_t)length < sizeof full ? pml_source_tensor_find(source->tensors, full) : NULL;
        if (tensor != NULL) {
            return tensor;
        }
    }
    return NULL;
}

const cJSON *pml_map_side_find(const pml_map_source *source, const char *name) {
    for (size_t i = 0; i < source->n_sides; i++) {
        if (strcmp(source->sides[i].name, name) == 0) {
            return source->sides[i].root;
        }
    }
    return NULL;
}

/* ---- facts ---- */
#define MAX_FACTS (4 * PML_MAX_TENSORS)

bool pml_map_rules_share(const pml_map_options *options, const pml_map_rule *a, const pml_map_rule *b) {
    const pml_map_rule *extra = options->extra_rules;
    bool is_extra_a = extra != NULL && a >= extra && a < extra + options->n_extra_rules;
    bool is_extra_b = extra != NULL && b >= extra && b < extra + options->n_extra_rules;
    return is_extra_a == is_extra_b && a->target != NULL && b->target != NULL && strcmp(a->pattern, b->pattern) == 0;
}

/* The first rule that takes the name; with `previous`, the next one that shares the tensor with it. Conditions are not
 * known here: rules that have one are taken for alternatives. */
static const pml_map_rule *find_rule(const pml_map_source *source, const pml_mapper *mapper, const char *dialect,
                                     const char *name, const pml_map_rule *previous, pml_captures *captures) {
    bool is_behind = previous == NULL;
    for (size_t i = 0; i < source->options->n_extra_rules; i++) {
        const pml_map_rule *rule = &source->options->extra_rules[i];
        if (is_behind && pml_pattern_match(rule->pattern, name, captures) &&
            (previous == NULL || pml_map_rules_share(source->options, previous, rule))) {
            return rule;
        }
        is_behind = is_behind || rule == previous;
    }
    for (const pml_map_rule *rule = mapper->rules; rule->pattern != NULL; rule++) {
        bool is_shared = previous == NULL || (previous->when == NULL && rule->when == NULL &&
                                              pml_map_rules_share(source->options, previous, rule));
        if (is_behind && is_shared && (rule->dialect == NULL || strcmp(rule->dialect, dialect) == 0) &&
            pml_pattern_match(rule->pattern, name, captures)) {
            return rule;
        }
        is_behind = is_behind || rule == previous;
    }
    return NULL;
}

static pml_status add_fact(pml_facts *facts, size_t *capacity, const pml_source_tensor *tensor,
                           const pml_map_rule *rule, const pml_captures *captures, pml_error *error) {
    pml_status status = PML_OK;
    char target[PML_MAX_NAME_BYTES + 1], *copy;
    PML_TRY(pml_grow(&facts->items, capacity, facts->count + 1, sizeof *facts->items, MAX_FACTS, "facts", error));
    pml_fact *fact = &facts->items[facts->count++];
    *fact = (pml_fact){.source = tensor, .rule = rule, .captures = *captures};
    if (rule->target == NULL || !pml_pattern_fill(rule->target, captures, target, sizeof target)) {
        goto done;
    }
    PML_TRY(pml_arena_alloc(&facts->storage, strlen(target) + 1, 1, &copy, error));
    memcpy(copy, target, strlen(target) + 1);
    fact->target = copy;
    const char *steps = rule->transform != NULL ? rule->transform : "";
    fact->has_view = strchr(steps, '{') == NULL &&
                     pml_transform_view(steps, tensor->shape, tensor->rank, &fact->view, NULL) == PML_OK;
done:
    return status;
}

pml_status pml_facts_collect(const pml_map_source *source, const pml_mapper *mapper, const char *dialect,
                             pml_facts *facts, pml_error *error) {
    pml_status status = PML_OK;
    pml_facts result = {0};
    size_t capacity = 0;
    PML_TRY(pml_arena_init(&result.storage, 0, error));
    for (size_t i = 0; i < pml_source_n_tensors(source->tensors); i++) {
        const pml_source_tensor *tensor = pml_source_tensor_at(source->tensors, i);
        const char *name = pml_map_strip(tensor->name);
        pml_captures captures = {0};
        const pml_map_rule *rule = find_rule(source, mapper, dialect, name, NULL, &captures);
        result.n_matched += rule != NULL;
        while (rule != NULL) {
            PML_TRY(add_fact(&result, &capacity, tensor, rule, &captures, error));
            rule = find_rule(source, mapper, dialect, name, rule, &captures);
        }
    }
    *facts = result;
    result = (pml_facts){0};
done:
    pml_facts_deinit(&result);
    return status;
}

void pml_facts_deinit(pml_facts *facts) {
    pml_free(facts->items);
    pml_arena_deinit(&facts->storage);
    *facts = (pml_facts){0};
}

bool pml_fact_is_stacked(const pml_fact *fact) {
    return fact->rule->transform != NULL && strstr(fact->rule->transform, "stack(") != NULL;
}

const pml_fact *pml_facts_find(const pml_facts *facts, const char *target) {
    for (size_t i = 0; i < facts->count; i++) {
        if (facts->items[i].target != NULL && strcmp(facts->items[i].target, target) == 0) {
            return &facts->items[i];
        }
    }
    return NULL;
}

uint32_t pml_facts_count(const pml_facts *facts, const char *target_pattern, char letter) {
    uint32_t count = 0;
    for (size_t i = 0; i < facts->count; i++) {
        pml_captures captures;
        uint32_t value = 0;
        if (facts->items[i].target == NULL || !pml_pattern_match(target_pattern, facts->items[i].target, &captures)) {
            continue;
        }
        bool is_captured =
            pml_captures_get(&captures, letter, &value) || pml_captures_get(&facts->items[i].captures, letter, &value);
        if (is_captured && value >= count && value < UINT32_MAX) {
            count = value + 1;
        }
    }
    return count;
}

/* ---- how well names fit ---- */
pml_status pml_fit_measure(const pml_map_source *source, const pml_mapper *mapper, const char *dialect, pml_fit *fit,
                           pml_error *error) {
    pml_status status = PML_OK;
    pml_facts facts = {0};
    const size_t n_tensors = pml_source_n_tensors(source->tensors);
    *fit = (pml_fit){.dialect = dialect};
    PML_TRY(pml_facts_collect(source, mapper, dialect, &facts, error));
    for (const char *const *witness = mapper->witnesses; *witness != NULL; witness++) {
        const bool is_found = pml_facts_find(&facts, *witness) != NULL;
        fit->n_witnesses++;
        fit->n_found += is_found;
        fit->absent = is_found || fit->absent != NULL ? fit->absent : *witness;
    }
    fit->n_matched = facts.n_matched;
    if (n_tensors > 0) {
        fit->score = (double)fit->n_found / (double)fit->n_witnesses * (double)fit->n_matched / (double)n_tensors;
    }
done:
    pml_facts_deinit(&facts);
    return status;
}

pml_status pml_fit_report(const pml_map_source *source, const pml_fit *fit, pml_detection *detection,
                          pml_error *error) {
    detection->dialect = fit->dialect;
    detection->n_matched = fit->n_matched;
    detection->score = fit->score;
    detection->accepted = fit->score >= 0.5;
    return pml_detection_add(&detection->reasons, &detection->n_reasons, error,
                             "%zu of %zu tensors have names of dialect %s, %zu of %zu witnesses are there%s%s",
                             fit->n_matched, pml_source_n_tensors(source->tensors), fit->dialect, fit->n_found,
                             fit->n_witnesses, fit->absent != NULL ? ", first absent: " : "",
                             fit->absent != NULL ? fit->absent : "");
}

/* ---- report lines ---- */
static pml_status format_text(char **text, pml_error *error, const char *format, va_list arguments) {
    char line[1200];
    int length = vsnprintf(line, sizeof line, format, arguments);
    size_t used = length < 0 ? 0 : (size_t)length;
    return pml_string_copy(line, used < sizeof line ? used : sizeof line - 1, text, error);
}

pml_status pml_detection_add(char ***lines, size_t *n_lines, pml_error *error, const char *format, ...) {
    pml_status status = PML_OK;
    char *text = NULL;
    /* Lists grow by doubling; their capacity is the power of two that holds their length. */
    if ((*n_lines & (*n_lines - 1)) == 0) {
        size_t capacity = *n_lines;
        PML_TRY(pml_grow(lines, &capacity, *n_lines == 0 ? 1 : *n_lines * 2, sizeof **lines, SIZE_MAX / 16, "lines",
                         error));
    }
    va_list arguments;
    va_start(arguments, format);
    status = format_text(&text, error, format, arguments);
    va_end(arguments);
    if (status == PML_OK) {
        (*lines)[(*n_lines)++] = text;
    }
done:
    return status;
}

pml_status pml_detection_set(char **text, pml_error *error, const char *format, ...) {
    char *fresh = NULL;
    va_list arguments;
    va_start(arguments, format);
    pml_status status = format_text(&fresh, error, format, arguments);
    va_end(arguments);
    if (status == PML_OK) {
        pml_free(*text);
        *text = fresh;
    }
    return status;
}

static void free_lines(char **lines, size_t n_lines) {
    for (size_t i = 0; i < n_lines; i++) {
        pml_free(lines[i]);
    }
    pml_free(lines);
}

void pml_detection_deinit(pml_detection *detection) {
    pml_free(detection->variant);
    pml_free(detection->failed);
    free_lines(detection->reasons, detection->n_reasons);
    free_lines(detection->assumed, detection->n_assumed);
    free_lines(detection->missing, detection->n_missing);
    free_lines(detection->unexpected, detection->n_unexpected);
    free_lines(detection->mismatched, detection->n_mismatched);
    *detection = (pml_detection){0};
}
