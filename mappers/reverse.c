#include "mappers/reverse.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mappers/rule_steps.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"

const pml_map_dialect *pml_map_dialect_find(const pml_mapper *mapper, const char *name) {
    for (const pml_map_dialect *d = mapper->dialects; d != NULL && d->name != NULL; d++) {
        if (name == NULL || strcmp(d->name, name) == 0) {
            return d;
        }
    }
    return NULL;
}

typedef struct reversal {
    const pml_mapper *mapper;
    pml_reverse *result;
    const pml_map_rule **rules; /* those with targets that apply */
    size_t n_rules;
    bool has_optional;
    const char *gap; /* NULL: nothing stands for {*} */
    pml_error *error;
} reversal;

static pml_status holds(const reversal *r, const char *when, bool *value) {
    int64_t number = 1;
    const pml_status status =
        when != NULL ? pml_schema_eval(r->result->schema, r->result->config, when, -1, &number, r->error) : PML_OK;
    *value = number != 0;
    return status;
}

static pml_status prepare(reversal *r) {
    pml_status status = PML_OK;
    const pml_map_dialect *dialect = r->result->dialect;
    size_t n = 0;
    bool applies;
    while (r->mapper->rules[n].pattern != NULL) {
        n++;
    }
    PML_TRY(pml_alloc(n, sizeof(const pml_map_rule *), &r->rules, r->error));
    for (const pml_map_rule *rule = r->mapper->rules; rule->pattern != NULL; rule++) {
        if (rule->target == NULL || (rule->dialect != NULL && strcmp(rule->dialect, dialect->name) != 0)) {
            continue;
        }
        PML_TRY(holds(r, rule->when, &applies));
        if (applies) {
            r->rules[r->n_rules++] = rule;
        }
    }
    if (dialect->optional_when != NULL) {
        PML_TRY(holds(r, dialect->optional_when, &r->has_optional));
    }
    for (const pml_map_text *text = dialect->gaps; text != NULL && text->text != NULL && r->gap == NULL; text++) {
        PML_TRY(holds(r, text->when, &applies));
        r->gap = applies ? text->text : NULL;
    }
done:
    return status;
}

static const pml_map_foreign *find_foreign(const reversal *r, const char *pattern) {
    for (const pml_map_foreign *f = r->result->dialect->tensors; f != NULL && f->pattern != NULL; f++) {
        if (f->beside == NULL && strcmp(f->pattern, pattern) == 0) {
            return f;
        }
    }
    return NULL;
}

/* ---- shapes ---- */
typedef struct undo { /* a step, read from its text */
    char name[16];
    uint64_t arguments[PML_MAX_RANK];
    unsigned n_arguments;
} undo;

static bool read_step(const char *at, undo *step, const char **end) {
    const size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz");
    *step = (undo){.n_arguments = 0};
    if (length == 0 || length >= sizeof step->name) {
        return false;
    }
    memcpy(step->name, at, length);
    at += length;
    if (*at == '(') {
        do {
            at++;
            at += strspn(at, " c"); /* stack(c) takes no part in shapes */
            char *rest;
            if (step->n_arguments == PML_MAX_RANK) {
                return false;
            }
            step->arguments[step->n_arguments++] = strtoull(at, &rest, 10);
            at = rest + strspn(rest, " ");
        } while (*at == ',');
        if (*at++ != ')') {
            return false;
        }
    }
    at += strspn(at, " ");
    *end = at + (*at == ';');
    *end += strspn(*end, " ");
    return *at == ';' || *at == '\0';
}

/* The shape before the step; false: it does not tell. */
static bool undo_step(const undo *step, uint64_t *shape, unsigned rank) {
    if (strcmp(step->name, "stack") == 0) {
        return true;
    }
    if (strcmp(step->name, "transpose") == 0 && rank >= 2) {
        const uint64_t last = shape[rank - 1];
        shape[rank - 1] = shape[rank - 2];
        shape[rank - 2] = last;
        return true;
    }
    if (strcmp(step->name, "permute") == 0 && step->n_arguments == rank) {
        uint64_t after[PML_MAX_RANK];
        memcpy(after, shape, sizeof after);
        for (unsigned i = 0; i < rank; i++) {
            if (step->arguments[i] >= rank) {
                return false;
            }
            shape[step->arguments[i]] = after[i];
        }
        return true;
    }
    return strcmp(step->name, "slice") == 0 && step->n_arguments == 3 && step->arguments[0] < rank &&
           pml_ck_mul(shape[step->arguments[0]], step->arguments[2], &shape[step->arguments[0]]);
}

/* Undoes the steps from the last one on. */
static bool undo_steps(const char *steps, uint64_t *shape, unsigned rank) {
    undo all[16];
    size_t n = 0;
    for (const char *at = steps; *at != '\0';) {
        if (n == sizeof all / sizeof all[0] || !read_step(at, &all[n++], &at)) {
            return false;
        }
    }
    while (n > 0) {
        if (!undo_step(&all[--n], shape, rank)) {
            return false;
        }
    }
    return true;
}

static pml_status find_shape(const reversal *r, const pml_reverse_part *part, pml_reverse_tensor *tensor) {
    pml_status status = PML_OK;
    const pml_reverse *result = r->result;
    const pml_weight_instance *weight = part->weight;
    const pml_map_foreign *foreign = find_foreign(r, part->rule->pattern);
    char steps[PML_MAX_NAME_BYTES];
    if (foreign != NULL && foreign->shape != NULL) {
        tensor->fill = foreign->fill;
        if (foreign->shape[0] != '\0') {
            PML_TRY(pml_schema_dims(result->schema, result->config, foreign->shape, weight->l, 0, tensor->shape,
                                    &tensor->rank, r->error));
        }
        goto done;
    }
    const unsigned n_stacked = part->is_stacked ? 1 : 0;
    tensor->rank = weight->rank - n_stacked;
    memcpy(tensor->shape, weight->shape + n_stacked, tensor->rank * sizeof tensor->shape[0]);
    PML_TRY(pml_rule_steps_format(result->schema, result->config, part->rule, "", weight->l, 0, steps, sizeof steps,
                                  r->error));
    if (!undo_steps(steps, tensor->shape, tensor->rank)) {
        PML_TRY(
            PML_FAIL(r->error, PML_E_CONFIG,
                     "rule \"%s\": the shape of its tensor does not follow from transform \"%s\"; the dialect has to "
                     "say it",
                     part->rule->pattern, steps));
    }
done:
    return status;
}

pml_status pml_reverse_view(const pml_reverse *reverse, const pml_reverse_tensor *tensor, const pml_reverse_part *part,
                            pml_view *view, pml_error *error) {
    pml_status status = PML_OK;
    const pml_weight_instance *weight = part->weight;
    const unsigned n_stacked = part->is_stacked ? 1 : 0;
    char steps[PML_MAX_NAME_BYTES];
    PML_TRY(pml_rule_steps_format(reverse->schema, reverse->config, part->rule, "", weight->l, 0, steps, sizeof steps,
                                  error));
    PML_TRY(pml_transform_view(steps, tensor->shape, tensor->rank, view, error));
    if (view->rank + n_stacked != weight->rank ||
        memcmp(view->shape, weight->shape + n_stacked, view->rank * sizeof view->shape[0]) != 0) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "rule \"%s\" run backwards does not give the shape of weight %s",
                         part->rule->pattern, weight->name));
    }
done:
    return status;
}

/* ---- tensors ---- */
/* The tensor of that name; it is new when its `name` was not set before. */
static pml_status place_tensor(reversal *r, const char *name, pml_reverse_tensor **tensor, bool *is_new) {
    pml_status status = PML_OK;
    pml_reverse *result = r->result;
    size_t i_name;
    PML_TRY(pml_names_add(&result->names, name, strlen(name), PML_MAX_TENSORS, "tensors", &i_name, is_new, r->error));
    if (*is_new) {
        PML_TRY(pml_grow(&result->tensors, &result->capacity, i_name + 1, sizeof *result->tensors, PML_MAX_TENSORS,
                         "tensors", r->error));
        result->tensors[i_name] = (pml_reverse_tensor){.name = pml_names_at(&result->names, i_name)};
        result->count = i_name + 1;
    }
    *tensor = &result->tensors[i_name];
done:
    return status;
}

static pml_status add_part(reversal *r, const char *name, const pml_reverse_part *part) {
    pml_status status = PML_OK;
    pml_reverse_tensor *tensor, found = {.rank = 0};
    pml_view view;
    bool is_new;
    PML_TRY(place_tensor(r, name, &tensor, &is_new));
    PML_TRY(find_shape(r, part, &found));
    if (is_new) {
        tensor->rank = found.rank;
        tensor->fill = found.fill;
        memcpy(tensor->shape, found.shape, sizeof found.shape);
    } else if (tensor->rank != found.rank ||
               memcmp(tensor->shape, found.shape, found.rank * sizeof found.shape[0]) != 0) {
        PML_TRY(
            PML_FAIL(r->error, PML_E_CONFIG, "rules \"%s\" give tensor %s several shapes", part->rule->pattern, name));
    }
    PML_TRY(pml_reverse_view(r->result, tensor, part, &view, r->error));
    PML_TRY(pml_grow(&tensor->parts, &tensor->parts_capacity, tensor->n_parts + 1, sizeof *tensor->parts,
                     PML_MAX_TENSORS, "parts of a tensor", r->error));
    tensor->parts[tensor->n_parts++] = *part;
done:
    return status;
}

/* The name that the pattern of a tensor gives; false where something in it stays open. */
static bool write_name(const reversal *r, const char *pattern, const pml_captures *captures, char *name,
                       size_t name_bytes) {
    return pml_pattern_write(pattern, captures, r->has_optional, r->gap, name, name_bytes) &&
           strpbrk(name, "{*") == NULL;
}

/* The i-th part of a stacked weight, or all of another one. False: the rule does not give it. */
static bool try_rule(const reversal *r, const pml_map_rule *rule, pml_reverse_part *part, char *name,
                     size_t name_bytes) {
    pml_captures captures;
    uint64_t i_stack;
    if (!pml_pattern_match(rule->target, part->weight->name, &captures)) {
        return false;
    }
    part->rule = rule;
    part->is_stacked = rule->transform != NULL && strstr(rule->transform, "stack(") != NULL;
    if (part->is_stacked && !pml_rule_stack_index(rule, &captures, &i_stack)) { /* stack(c) */
        if (captures.count == PML_MAX_CAPTURES || part->i_stack > UINT32_MAX) {
            return false;
        }
        captures.letters[captures.count] = 'c';
        captures.values[captures.count++] = (uint32_t)part->i_stack;
        i_stack = part->i_stack;
    }
    return (!part->is_stacked || i_stack == part->i_stack) && write_name(r, rule->pattern, &captures, name, name_bytes);
}

static pml_status reverse_weight(reversal *r, const pml_weight_instance *weight) {
    pml_status status = PML_OK;
    uint64_t n_parts = 1;
    for (uint64_t i = 0; i < n_parts; i++) {
        pml_reverse_part part = {.weight = weight, .i_stack = i};
        char name[PML_MAX_NAME_BYTES + 1];
        bool is_found = false;
        for (size_t k = 0; k < r->n_rules && !is_found; k++) {
            is_found = try_rule(r, r->rules[k], &part, name, sizeof name);
        }
        if (!is_found) {
            PML_TRY(PML_FAIL(r->error, PML_E_UNSUPPORTED, "dialect %s has no tensor for weight %s of this model",
                             r->result->dialect->name, weight->name));
        }
        n_parts = part.is_stacked ? weight->shape[0] : 1;
        PML_TRY(add_part(r, name, &part));
    }
done:
    return status;
}

/* A tensor that no weight fills. */
static pml_status add_filled(reversal *r, const pml_map_foreign *f, const char *name, int64_t l) {
    pml_status status = PML_OK;
    const pml_reverse *result = r->result;
    pml_reverse_tensor *tensor;
    bool is_new;
    PML_TRY(place_tensor(r, name, &tensor, &is_new));
    if (!is_new) {
        PML_TRY(PML_FAIL(r->error, PML_E_CONFIG, "dialect %s has two tensors %s", result->dialect->name, name));
    }
    tensor->fill = f->fill;
    tensor->dtype = f->dtype;
    if (f->shape[0] != '\0') {
        PML_TRY(
            pml_schema_dims(result->schema, result->config, f->shape, l, 0, tensor->shape, &tensor->rank, r->error));
    }
done:
    return status;
}

/* The weight once more, under another of its names. */
static pml_status add_again(reversal *r, const pml_map_foreign *f, const pml_weight_instance *weight) {
    for (size_t k = 0; k < r->n_rules; k++) {
        pml_reverse_part part = {.weight = weight};
        char name[PML_MAX_NAME_BYTES + 1];
        if (strcmp(r->rules[k]->pattern, f->pattern) == 0 && try_rule(r, r->rules[k], &part, name, sizeof name)) {
            return add_part(r, name, &part);
        }
    }
    return PML_FAIL(r->error, PML_E_CONFIG, "dialect %s: no rule \"%s\" gives weight %s", r->result->dialect->name,
                    f->pattern, weight->name);
}

static pml_status add_beside(reversal *r, const pml_weight_instance *weight) {
    pml_status status = PML_OK;
    for (const pml_map_foreign *f = r->result->dialect->tensors; f != NULL && f->pattern != NULL; f++) {
        pml_captures captures;
        char name[PML_MAX_NAME_BYTES + 1];
        bool applies;
        if (f->beside == NULL || !pml_pattern_match(f->beside, weight->name, &captures)) {
            continue;
        }
        PML_TRY(holds(r, f->when, &applies));
        if (applies && f->fill == PML_FILL_NOTHING) {
            PML_TRY(add_again(r, f, weight));
        } else if (applies && write_name(r, f->pattern, &captures, name, sizeof name)) {
            PML_TRY(add_filled(r, f, name, weight->l));
        }
    }
done:
    return status;
}

/* Slices must be all of a tensor, unless something else is said to fill the rest. Views of one tensor by distinct
 * slices do not overlap: the same rule that reading them has (mappers/mapping.c). */
static pml_status check_complete(const reversal *r, const pml_reverse_tensor *tensor) {
    pml_status status = PML_OK;
    uint64_t n_given = 0, n_elements = 1;
    if (tensor->fill != PML_FILL_NOTHING) {
        goto done;
    }
    for (size_t i = 0; i < tensor->n_parts; i++) {
        uint64_t n = 1;
        pml_view view;
        PML_TRY(pml_reverse_view(r->result, tensor, &tensor->parts[i], &view, r->error));
        for (unsigned k = 0; k < view.rank; k++) {
            n *= view.shape[k]; /* of a weight that exists */
        }
        n_given += n;
    }
    if (!pml_ck_product(tensor->shape, tensor->rank, &n_elements) || n_given != n_elements) {
        PML_TRY(PML_FAIL(r->error, PML_E_CONFIG, "tensor %s: the weights give %" PRIu64 " of its %" PRIu64 " elements",
                         tensor->name, n_given, n_elements));
    }
done:
    return status;
}

pml_status pml_reverse_create(const pml_mapper *mapper, const pml_map_dialect *dialect, const pml_metadata *config,
                              pml_reverse *reverse, pml_error *error) {
    pml_status status = PML_OK;
    const pml_schema *schema = mapper->schema != NULL ? mapper->schema : pml_schema_find(mapper->name);
    pml_reverse result = {.dialect = dialect, .schema = schema, .config = config};
    reversal r = {.mapper = mapper, .result = &result, .error = error};
    *reverse = (pml_reverse){0};
    if (schema == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND, "family %s has no schema", mapper->name));
    }
    PML_TRY(pml_schema_weights(schema, config, PML_MAX_TENSORS, &result.weights, error));
    PML_TRY(prepare(&r));
    for (size_t i = 0; i < result.weights.count; i++) {
        PML_TRY(reverse_weight(&r, &result.weights.items[i]));
        PML_TRY(add_beside(&r, &result.weights.items[i]));
    }
    for (size_t i = 0; i < result.count; i++) {
        PML_TRY(check_complete(&r, &result.tensors[i]));
    }
    *reverse = result;
    result = (pml_reverse){0};
done:
    pml_free(r.rules);
    pml_reverse_deinit(&result);
    return status;
}

void pml_reverse_deinit(pml_reverse *reverse) {
    for (size_t i = 0; i < reverse->count; i++) {
        pml_free(reverse->tensors[i].parts);
    }
    pml_free(reverse->tensors);
    pml_weight_list_deinit(&reverse->weights);
    pml_names_deinit(&reverse->names);
    *reverse = (pml_reverse){0};
}
