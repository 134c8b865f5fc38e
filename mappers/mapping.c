#include "mappers/mapping.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mappers/config.h"
#include "mappers/rule_steps.h"
#include "runtime/base/alloc.h"

typedef struct hit { /* a source tensor on its way to a weight */
    const pml_source_tensor *source;
    const pml_map_rule *rule;
    pml_captures captures;
    size_t i_weight;
    uint64_t i_stack;
} hit;

/* Slices of one tensor may fill many weights: all layers of a stacked checkpoint, say. Beyond that a configuration asks
 * for what no tensor here can fill. */
enum { MOST_PER_TENSOR = 1024 };
#define MAX_HITS (4 * PML_MAX_TENSORS)

typedef struct filling {
    const pml_map_source *source;
    pml_mapping *mapping;
    const char *dialect;
    pml_detection *detection;
    const pml_map_rule **rules; /* those that apply to this dialect and configuration */
    size_t n_rules;
    hit *hits; /* ascending weight and index once sorted */
    size_t n_hits, hits_capacity, dropped_capacity;
    pml_error *error;
} filling;

/* ---- which rules apply ---- */
static bool is_index(const char *at, size_t length) {
    if (length == 3 && at[0] == '{') {
        return true;
    }
    return length > 0 && strspn(at, "0123456789") >= length;
}

/* Whether a rule's target names this weight of the schema; captures and numbers stand for its placeholder. */
static bool is_target_of(const char *target, const char *spec_name) {
    for (;;) {
        size_t n = strcspn(target, "."), m = strcspn(spec_name, ".");
        bool is_placeholder = m == 3 && strncmp(spec_name, "{l}", 3) == 0;
        if (is_placeholder ? !is_index(target, n) : (n != m || strncmp(target, spec_name, n) != 0)) {
            return false;
        }
        if (target[n] != spec_name[m]) {
            return false;
        }
        if (target[n] == '\0') {
            return true;
        }
        target += n + 1;
        spec_name += m + 1;
    }
}

/* Whose rule a message is about. */
static const char *owner(const filling *f, const pml_map_rule *rule) {
    const pml_map_options *options = f->source->options;
    bool is_extra = options != NULL && options->n_extra_rules > 0 && rule >= options->extra_rules &&
                    rule < options->extra_rules + options->n_extra_rules;
    return is_extra ? "--map, " : "";
}

static pml_status check_target(const filling *f, const pml_map_rule *rule) {
    if (rule->target == NULL) {
        return PML_OK;
    }
    for (const pml_weight_spec *spec = f->mapping->schema->weights; spec->name != NULL; spec++) {
        if (is_target_of(rule->target, spec->name)) {
            return PML_OK;
        }
    }
    return PML_FAIL(f->error, PML_E_CONFIG, "%srule \"%s\": family %s has no weight \"%s\"", owner(f, rule),
                    rule->pattern, f->mapping->schema->name, rule->target);
}

static pml_status add_rule(filling *f, const pml_map_rule *rule) {
    pml_status status = PML_OK;
    int64_t applies = 1;
    if (rule->dialect != NULL && strcmp(rule->dialect, f->dialect) != 0) {
        goto done;
    }
    PML_TRY(check_target(f, rule));
    if (rule->when != NULL) {
        PML_TRY(pml_schema_eval(f->mapping->schema, f->mapping->config, rule->when, -1, &applies, f->error));
    }
    if (applies != 0) {
        f->rules[f->n_rules++] = rule;
    }
done:
    return status;
}

static pml_status select_rules(filling *f) {
    pml_status status = PML_OK;
    const pml_map_options *options = f->source->options;
    size_t n = options->n_extra_rules;
    for (const pml_map_rule *rule = f->mapping->mapper->rules; rule->pattern != NULL; rule++) {
        n++;
    }
    PML_TRY(pml_alloc(n, sizeof(const pml_map_rule *), &f->rules, f->error));
    for (size_t i = 0; i < options->n_extra_rules; i++) {
        PML_TRY(add_rule(f, &options->extra_rules[i]));
    }
    for (const pml_map_rule *rule = f->mapping->mapper->rules; rule->pattern != NULL; rule++) {
        PML_TRY(add_rule(f, rule));
    }
done:
    return status;
}

/* ---- transforms of rules ---- */
static pml_status format_steps(const filling *f, const pml_map_rule *rule, int64_t l, size_t n_parts, char *steps,
                               size_t steps_bytes) {
    return pml_rule_steps_format(f->mapping->schema, f->mapping->config, rule, owner(f, rule), l, n_parts, steps,
                                 steps_bytes, f->error);
}

/* ---- matching ---- */
#define MISMATCH(f, ...)                                                                                               \
    pml_detection_add(&(f)->detection->mismatched, &(f)->detection->n_mismatched, (f)->error, __VA_ARGS__)

static pml_status add_dropped(filling *f, const pml_source_tensor *tensor, const pml_map_rule *rule) {
    pml_status status = PML_OK;
    pml_mapping *mapping = f->mapping;
    const char *reason = rule->reason != NULL ? rule->reason : "dropped by a rule of --map";
    PML_TRY(pml_grow(&mapping->dropped, &f->dropped_capacity, mapping->n_dropped + 1, sizeof *mapping->dropped,
                     PML_MAX_TENSORS, "dropped tensors", f->error));
    mapping->dropped[mapping->n_dropped++] = (pml_dropped_tensor){tensor, reason};
    f->detection->n_matched++;
done:
    return status;
}

/* Whether the tensor fills its weight only where no other does. */
static bool is_stand_in(const hit *h) {
    return h->rule->target != NULL && h->rule->reason != NULL;
}

/* Stand-ins come last among the *n hits of a weight: they go where another tensor fills it. */
static pml_status drop_stand_ins(filling *f, const hit *hits, size_t *n) {
    pml_status status = PML_OK;
    for (; *n > 1 && is_stand_in(&hits[*n - 1]) && !is_stand_in(&hits[0]); (*n)--) {
        PML_TRY(add_dropped(f, hits[*n - 1].source, hits[*n - 1].rule));
        f->detection->n_matched--; /* it was counted when it was matched */
    }
done:
    return status;
}

/* Slices of a tensor must be all of it, each part once: nothing is dropped in silence. Where one of them does not fit
 * the shape at all, its weight says so. */
static pml_status check_slices(filling *f, const hit *hits, size_t n) {
    pml_status status = PML_OK;
    char steps[PML_MAX_NAME_BYTES], others[PML_MAX_NAME_BYTES], shape[PML_SHAPE_TEXT_BYTES];
    uint64_t n_taken = 0, n_elements = 1;
    bool has_slices = false, is_twice = false;
    for (size_t i = 0; i < n; i++) {
        pml_view view;
        PML_TRY(format_steps(f, hits[i].rule, f->mapping->weights.items[hits[i].i_weight].l, 0, steps, sizeof steps));
        if (pml_transform_view(steps, hits[i].source->shape, hits[i].source->rank, &view, NULL) != PML_OK) {
            goto done;
        }
        bool is_slice = strstr(steps, "slice(") != NULL;
        for (size_t j = 0; j < i && is_slice; j++) {
            PML_TRY(
                format_steps(f, hits[j].rule, f->mapping->weights.items[hits[j].i_weight].l, 0, others, sizeof others));
            is_twice = is_twice || strcmp(steps, others) == 0;
        }
        uint64_t count = 1;
        for (unsigned axis = 0; axis < view.rank; axis++) {
            count *= view.shape[axis];
        }
        n_taken += count;
        has_slices = has_slices || is_slice;
    }
    for (unsigned axis = 0; n > 0 && axis < hits[0].source->rank; axis++) {
        n_elements *= hits[0].source->shape[axis];
    }
    if (has_slices && (is_twice || n_taken != n_elements)) {
        PML_TRY(MISMATCH(f, "%s %s: its slices are not all of it, each part once", hits[0].source->name,
                         pml_shape_text(hits[0].source->shape, hits[0].source->rank, shape)));
    }
done:
    return status;
}

/* Adds the rule's hit; *is_found is false when the rule's target is no weight of this configuration. */
static pml_status add_hit(filling *f, hit *h, bool *is_found) {
    pml_status status = PML_OK;
    char target[PML_MAX_NAME_BYTES + 1];
    const pml_weight_instance *weight = NULL;
    if (pml_pattern_fill(h->rule->target, &h->captures, target, sizeof target)) {
        weight = pml_weight_list_find(&f->mapping->weights, target);
    }
    *is_found = weight != NULL;
    if (weight != NULL) {
        h->i_weight = (size_t)(weight - f->mapping->weights.items);
        (void)pml_rule_stack_index(h->rule, &h->captures, &h->i_stack);
        PML_TRY(pml_grow(&f->hits, &f->hits_capacity, f->n_hits + 1, sizeof *f->hits, MAX_HITS, "tensors", f->error));
        f->hits[f->n_hits++] = *h;
    }
done:
    return status;
}

static pml_status match_tensor(filling *f, const pml_source_tensor *tensor) {
    pml_status status = PML_OK;
    pml_detection *d = f->detection;
    char shape[PML_SHAPE_TEXT_BYTES];
    hit h = {.source = tensor};
    const char *name = pml_map_strip(tensor->name);
    const size_t n_before = f->n_hits;
    bool is_complete = true;
    for (size_t i = 0; i < f->n_rules; i++) {
        const pml_map_rule *first = h.rule, *rule = f->rules[i];
        if ((first != NULL && !pml_map_rules_share(f->source->options, first, rule)) ||
            !pml_pattern_match(rule->pattern, name, &h.captures)) {
            continue;
        }
        h.rule = rule;
        if (rule->target == NULL) {
            PML_TRY(add_dropped(f, tensor, rule));
            goto done;
        }
        bool is_found;
        PML_TRY(add_hit(f, &h, &is_found));
        is_complete = is_complete && is_found;
    }
    if (h.rule == NULL || !is_complete) {
        f->n_hits = n_before;
        PML_TRY(pml_detection_add(&d->unexpected, &d->n_unexpected, f->error, "%s %s", tensor->name,
                                  pml_shape_text(tensor->shape, tensor->rank, shape)));
        goto done;
    }
    d->n_matched++;
    PML_TRY(check_slices(f, f->hits + n_before, f->n_hits - n_before));
done:
    return status;
}

static int compare_hits(const void *a, const void *b) {
    const hit *x = a;
    const hit *y = b;
    if (x->i_weight != y->i_weight) {
        return x->i_weight < y->i_weight ? -1 : 1;
    }
    if (is_stand_in(x) != is_stand_in(y)) {
        return is_stand_in(x) ? 1 : -1;
    }
    if (x->i_stack != y->i_stack) {
        return x->i_stack < y->i_stack ? -1 : 1;
    }
    return strcmp(x->source->name, y->source->name);
}

/* ---- from hits to parts ---- */
static pml_status report_missing(filling *f, const pml_weight_instance *weight) {
    for (size_t i = 0; i < f->n_rules; i++) {
        pml_captures captures;
        char name[PML_MAX_NAME_BYTES + 1];
        if (f->rules[i]->target != NULL && pml_pattern_match(f->rules[i]->target, weight->name, &captures) &&
            pml_pattern_fill(f->rules[i]->pattern, &captures, name, sizeof name)) {
            return pml_detection_add(&f->detection->missing, &f->detection->n_missing, f->error, "%s (from %s)",
                                     weight->name, name);
        }
    }
    return pml_detection_add(&f->detection->missing, &f->detection->n_missing, f->error, "%s", weight->name);
}

/* Checks one part against its weight; *is_fitting says whether it may be used. */
static pml_status check_part(filling *f, const pml_weight_instance *weight, const hit *h, bool *is_fitting) {
    pml_status status = PML_OK;
    char steps[PML_MAX_NAME_BYTES], source_shape[PML_SHAPE_TEXT_BYTES], view_shape[PML_SHAPE_TEXT_BYTES],
        weight_shape[PML_SHAPE_TEXT_BYTES];
    pml_error cause;
    pml_view view;
    *is_fitting = false;
    PML_TRY(format_steps(f, h->rule, weight->l, 0, steps, sizeof steps));
    (void)pml_shape_text(h->source->shape, h->source->rank, source_shape);
    if (!pml_dtype_is_float(h->source->dtype)) {
        PML_TRY(MISMATCH(f, "%s is %s, a weight must be F64, F32, F16 or BF16", h->source->name,
                         pml_dtype_name(h->source->dtype)));
        goto done;
    }
    if (pml_transform_view(steps, h->source->shape, h->source->rank, &view, &cause) != PML_OK) {
        PML_TRY(MISMATCH(f, "%s %s: %s", h->source->name, source_shape, cause.message));
        goto done;
    }
    unsigned n_stack_axes = view.is_stacked ? 1 : 0;
    *is_fitting = view.rank + n_stack_axes == weight->rank;
    for (unsigned i = 0; *is_fitting && i < view.rank; i++) {
        *is_fitting = view.shape[i] == weight->shape[i + n_stack_axes];
    }
    if (!*is_fitting) {
        PML_TRY(MISMATCH(f, "%s %s gives %s%s, %s needs %s", h->source->name, source_shape,
                         pml_shape_text(view.shape, view.rank, view_shape),
                         view.is_stacked ? " per stacked tensor" : "", weight->name,
                         pml_shape_text(weight->shape, weight->rank, weight_shape)));
    }
done:
    return status;
}

/* Hits first .. first+n-1 are those of weight i_weight. */
static pml_status fill_weight(filling *f, size_t i_weight, const hit *hits, size_t n) {
    pml_status status = PML_OK;
    const pml_weight_instance *weight = &f->mapping->weights.items[i_weight];
    pml_mapped_weight *mapped = &f->mapping->mapped[i_weight];
    mapped->weight = weight;
    mapped->transform = "";
    if (n == 0) {
        PML_TRY(report_missing(f, weight));
        goto done;
    }
    uint64_t ignored;
    bool is_stacked = pml_rule_stack_index(hits[0].rule, &hits[0].captures, &ignored);
    uint64_t n_expected = is_stacked ? weight->shape[0] : 1;
    bool is_complete = true;
    char steps[PML_MAX_NAME_BYTES], others[PML_MAX_NAME_BYTES];
    PML_TRY(format_steps(f, hits[0].rule, weight->l, is_stacked ? n : 0, steps, sizeof steps));
    for (size_t i = 0; i < n; i++) {
        bool is_fitting;
        PML_TRY(check_part(f, weight, &hits[i], &is_fitting));
        PML_TRY(format_steps(f, hits[i].rule, weight->l, is_stacked ? n : 0, others, sizeof others));
        if (i > 0 && (!is_stacked || hits[i].i_stack == hits[i - 1].i_stack || strcmp(steps, others) != 0)) {
            PML_TRY(
                MISMATCH(f, "%s and %s both give %s", hits[i - 1].source->name, hits[i].source->name, weight->name));
            is_fitting = false;
        }
        is_complete = is_complete && is_fitting;
    }
    if (is_complete && (n != n_expected || hits[n - 1].i_stack + 1 != n_expected) && is_stacked) {
        PML_TRY(MISMATCH(f, "%s is stacked from indexes 0 to %" PRIu64 ", found %zu tensors up to index %" PRIu64,
                         weight->name, n_expected - 1, n, hits[n - 1].i_stack));
        is_complete = false;
    }
    if (is_complete) {
        char *text;
        PML_TRY(pml_arena_alloc(&f->mapping->storage, strlen(steps) + 1, 1, &text, f->error));
        memcpy(text, steps, strlen(steps) + 1);
        mapped->transform = text;
        PML_TRY(pml_arena_alloc(&f->mapping->storage, n, sizeof *mapped->parts, &mapped->parts, f->error));
        for (size_t i = 0; i < n; i++) {
            mapped->parts[i] = (pml_mapped_part){hits[i].source, is_stacked ? hits[i].i_stack : 0};
        }
        mapped->n_parts = n;
    }
done:
    return status;
}

pml_status pml_mapping_fill(const pml_map_source *source, pml_mapping *mapping, const char *dialect,
                            pml_detection *detection, pml_error *error) {
    pml_status status = PML_OK;
    filling f = {.source = source, .mapping = mapping, .dialect = dialect, .detection = detection, .error = error};
    detection->n_matched = 0;
    const size_t most = MOST_PER_TENSOR * (pml_source_n_tensors(source->tensors) + 1);
    status = pml_schema_weights(mapping->schema, mapping->config, most, &mapping->weights, error);
    PML_TRY(pml_config_blame(source, status, error));
    PML_TRY(select_rules(&f));
    for (size_t i = 0; i < pml_source_n_tensors(source->tensors); i++) {
        PML_TRY(match_tensor(&f, pml_source_tensor_at(source->tensors, i)));
    }
    if (f.n_hits > 0) {
        qsort(f.hits, f.n_hits, sizeof *f.hits, compare_hits);
    }
    PML_TRY(pml_alloc(mapping->weights.count, sizeof *mapping->mapped, &mapping->mapped, error));
    size_t first = 0;
    for (size_t i = 0; i < mapping->weights.count; i++) {
        size_t n = 0;
        while (first + n < f.n_hits && f.hits[first + n].i_weight == i) {
            n++;
        }
        size_t n_filling = n;
        PML_TRY(drop_stand_ins(&f, f.hits + first, &n_filling));
        PML_TRY(fill_weight(&f, i, f.hits + first, n_filling));
        first += n;
    }
done:
    pml_free(f.rules);
    pml_free(f.hits);
    return status;
}

/* ---- the verdict ---- */
#define N_NAMED 3u

static size_t describe(char *text, size_t text_bytes, size_t used, const char *what, char *const *lines,
                       size_t n_lines) {
    if (n_lines == 0 || used >= text_bytes) {
        return used;
    }
    int length = snprintf(text + used, text_bytes - used, "%s%zu %s: ", used > 0 ? "; " : "", n_lines, what);
    used += length < 0 ? 0 : (size_t)length;
    for (size_t i = 0; i < n_lines && i < N_NAMED && used < text_bytes; i++) {
        length = snprintf(text + used, text_bytes - used, "%s%.120s", i > 0 ? ", " : "", lines[i]);
        used += length < 0 ? 0 : (size_t)length;
    }
    if (n_lines > N_NAMED && used < text_bytes) {
        length = snprintf(text + used, text_bytes - used, " and %zu more", n_lines - N_NAMED);
        used += length < 0 ? 0 : (size_t)length;
    }
    return used;
}

pml_status pml_mapping_check(const pml_detection *d, pml_error *error) {
    char text[900] = "";
    size_t used = describe(text, sizeof text, 0, "of wrong shape or type", d->mismatched, d->n_mismatched);
    used = describe(text, sizeof text, used, "missing", d->missing, d->n_missing);
    used = describe(text, sizeof text, used, "unexpected", d->unexpected, d->n_unexpected);
    if (used == 0) {
        return PML_OK;
    }
    return PML_FAIL(error, PML_E_FORMAT, "the tensors do not fill %s: %s", d->mapper->name, text);
}
