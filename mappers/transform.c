#include "mappers/transform.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/checked.h"

#define MAX_ARGUMENTS PML_MAX_RANK

typedef struct factor {
    uint64_t size, stride;
} factor;

typedef struct axis { /* factors from outermost to innermost, none of size 1; no factor: an axis of size 1 */
    unsigned n_factors;
    factor factors[PML_MAX_FACTORS];
} axis;

typedef struct step {
    const char *text; /* the whole chain, for messages */
    char name[16];
    unsigned n_arguments;
    int64_t arguments[MAX_ARGUMENTS];
    bool has_capture; /* stack(c) */
} step;

typedef struct state {
    unsigned rank;
    axis axes[PML_MAX_RANK];
    uint64_t offset;
    bool is_stacked;
} state;

static uint64_t axis_size(const axis *a) {
    uint64_t size = 1;
    for (unsigned i = 0; i < a->n_factors; i++) {
        size *= a->factors[i].size; /* divides the checked number of elements */
    }
    return size;
}

static pml_status push(const step *s, axis *a, factor f, pml_error *error) {
    if (f.size == 1) {
        return PML_OK;
    }
    factor *last = a->n_factors > 0 ? &a->factors[a->n_factors - 1] : NULL;
    if (last != NULL && last->stride == f.size * f.stride) {
        last->size *= f.size;
        last->stride = f.stride;
        return PML_OK;
    }
    if (a->n_factors == PML_MAX_FACTORS) {
        return PML_FAIL(error, PML_E_CONFIG, "transform \"%s\" needs more than %u loops", s->text, PML_MAX_FACTORS);
    }
    a->factors[a->n_factors++] = f;
    return PML_OK;
}

/* Takes the outermost `size` positions' worth of factors off the front of `from` and appends them to `to`. What cannot
 * be cut at that boundary has no strided form: the products of sizes must form a chain of divisors. */
static pml_status cut(const step *s, axis *from, uint64_t size, axis *to, pml_error *error) {
    pml_status status = PML_OK;
    unsigned i = 0;
    while (size > 1) {
        if (i == from->n_factors) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "transform \"%s\": %s does not fit the shape", s->text, s->name));
        }
        factor *f = &from->factors[i];
        if (size % f->size == 0) {
            PML_TRY(push(s, to, *f, error));
            size /= f->size;
            i++;
        } else if (f->size % size == 0) {
            PML_TRY(push(s, to, (factor){size, f->stride * (f->size / size)}, error));
            f->size /= size;
            size = 1;
        } else {
            PML_TRY(
                PML_FAIL(error, PML_E_CONFIG, "transform \"%s\": %s cannot be expressed by strides", s->text, s->name));
        }
    }
    memmove(from->factors, from->factors + i, (from->n_factors - i) * sizeof from->factors[0]);
    from->n_factors -= i;
done:
    return status;
}

static pml_status apply_permutation(state *v, const step *s, const int64_t *order, pml_error *error) {
    bool is_used[PML_MAX_RANK] = {false};
    state before = *v;
    for (unsigned i = 0; i < v->rank; i++) {
        if (order[i] < 0 || order[i] >= (int64_t)v->rank || is_used[order[i]]) {
            return PML_FAIL(error, PML_E_CONFIG, "transform \"%s\": permute must name each of %u axes once", s->text,
                            v->rank);
        }
        is_used[order[i]] = true;
        v->axes[i] = before.axes[order[i]];
    }
    return PML_OK;
}

static pml_status step_transpose(state *v, const step *s, pml_error *error) {
    if (v->rank < 2) {
        return PML_FAIL(error, PML_E_CONFIG, "transform \"%s\": transpose needs two axes, the tensor has %u", s->text,
                        v->rank);
    }
    axis last = v->axes[v->rank - 1];
    v->axes[v->rank - 1] = v->axes[v->rank - 2];
    v->axes[v->rank - 2] = last;
    return PML_OK;
}

static pml_status step_permute(state *v, const step *s, pml_error *error) {
    if (s->n_arguments != v->rank) {
        return PML_FAIL(error, PML_E_CONFIG, "transform \"%s\": permute names %u axes, the tensor has %u", s->text,
                        s->n_arguments, v->rank);
    }
    return apply_permutation(v, s, s->arguments, error);
}

static pml_status step_squeeze(state *v, const step *s, pml_error *error) {
    (void)s;
    (void)error;
    unsigned n = 0;
    for (unsigned i = 0; i < v->rank; i++) {
        if (v->axes[i].n_factors > 0) {
            v->axes[n++] = v->axes[i];
        }
    }
    v->rank = n;
    return PML_OK;
}

static pml_status step_reshape(state *v, const step *s, pml_error *error) {
    pml_status status = PML_OK;
    axis flat = {0};
    uint64_t count = 1, known = 1;
    uint64_t sizes[PML_MAX_RANK];
    unsigned i_open = PML_MAX_RANK;
    for (unsigned i = 0; i < v->rank; i++) {
        count *= axis_size(&v->axes[i]);
        for (unsigned j = 0; j < v->axes[i].n_factors; j++) {
            PML_TRY(push(s, &flat, v->axes[i].factors[j], error));
        }
    }
    bool is_fitting = s->n_arguments > 0;
    for (unsigned i = 0; i < s->n_arguments; i++) {
        int64_t size = s->arguments[i];
        sizes[i] = (uint64_t)size;
        if (size == -1 && i_open == PML_MAX_RANK) {
            i_open = i;
        } else {
            is_fitting = is_fitting && size >= 1 && pml_ck_mul(known, sizes[i], &known);
        }
    }
    if (is_fitting && i_open != PML_MAX_RANK) {
        is_fitting = count % known == 0;
        sizes[i_open] = count / known;
        known = count;
    }
    if (!is_fitting || known != count) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "transform \"%s\": reshape does not fit %" PRIu64 " elements", s->text,
                         count));
    }
    v->rank = s->n_arguments;
    for (unsigned i = 0; i < v->rank; i++) {
        v->axes[i] = (axis){0};
        PML_TRY(cut(s, &flat, sizes[i], &v->axes[i], error));
    }
done:
    return status;
}

static pml_status step_slice(state *v, const step *s, pml_error *error) {
    pml_status status = PML_OK;
    int64_t i_axis = s->arguments[0], i_part = s->arguments[1], n_parts = s->arguments[2];
    if (s->n_arguments != 3 || i_axis < 0 || i_axis >= (int64_t)v->rank || n_parts < 1 || i_part < 0 ||
        i_part >= n_parts || axis_size(&v->axes[i_axis]) % (uint64_t)n_parts != 0) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "transform \"%s\": slice does not fit the shape", s->text));
    }
    axis leading = {0};
    PML_TRY(cut(s, &v->axes[i_axis], (uint64_t)n_parts, &leading, error));
    uint64_t rest = (uint64_t)i_part;
    for (unsigned i = leading.n_factors; i-- > 0;) {
        v->offset += rest % leading.factors[i].size * leading.factors[i].stride;
        rest /= leading.factors[i].size;
    }
done:
    return status;
}

static pml_status step_narrow(state *v, const step *s, pml_error *error) {
    pml_status status = PML_OK;
    int64_t i_axis = s->arguments[0], first = s->arguments[1], count = s->arguments[2];
    axis *a = s->n_arguments == 3 && i_axis >= 0 && i_axis < (int64_t)v->rank ? &v->axes[i_axis] : NULL;
    if (a == NULL || first < 0 || count < 1 || (uint64_t)first > axis_size(a) ||
        (uint64_t)count > axis_size(a) - (uint64_t)first) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "transform \"%s\": narrow does not fit the shape", s->text));
    }
    if (a->n_factors > 1) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "transform \"%s\": narrow cannot be expressed by strides", s->text));
    }
    if (a->n_factors == 1) {
        factor f = a->factors[0];
        v->offset += (uint64_t)first * f.stride;
        *a = (axis){0};
        PML_TRY(push(s, a, (factor){(uint64_t)count, f.stride}, error));
    }
done:
    return status;
}

static pml_status step_stack(state *v, const step *s, pml_error *error) {
    if (v->is_stacked || (!s->has_capture && (s->n_arguments != 1 || s->arguments[0] < 0))) {
        return PML_FAIL(error, PML_E_CONFIG, "transform \"%s\": stack takes one index and stands once", s->text);
    }
    v->is_stacked = true;
    return PML_OK;
}

static const struct {
    const char *name;
    bool has_arguments;
    pml_status (*apply)(state *v, const step *s, pml_error *error);
} steps_known[] = {{"transpose", false, step_transpose}, {"permute", true, step_permute},
                   {"squeeze", false, step_squeeze},     {"reshape", true, step_reshape},
                   {"slice", true, step_slice},          {"stack", true, step_stack},
                   {"narrow", true, step_narrow}};

static const char *skip_space(const char *at) {
    return at + strspn(at, " \t");
}

/* Reads "(a,b,…)"; `at` points behind "(". Moves *end behind ")". */
static bool parse_arguments(const char *at, step *s, const char **end) {
    at = skip_space(at);
    if (at[0] == 'c' && *skip_space(at + 1) == ')') {
        s->has_capture = true;
        *end = skip_space(at + 1) + 1;
        return strcmp(s->name, "stack") == 0;
    }
    for (;;) {
        at = skip_space(at);
        const char *digits = at + (*at == '-');
        size_t n_digits = strspn(digits, "0123456789");
        if (n_digits == 0 || n_digits > 18 || s->n_arguments == MAX_ARGUMENTS) {
            return false;
        }
        s->arguments[s->n_arguments++] = strtoll(at, NULL, 10);
        at = skip_space(digits + n_digits);
        if (*at == ')') {
            *end = at + 1;
            return true;
        }
        if (*at != ',') {
            return false;
        }
        at++;
    }
}

/* Reads and applies the step at *at; moves *at to the next step, or to the terminating zero. */
static pml_status apply_next(const char *steps, const char **at, state *v, pml_error *error) {
    step s = {.text = steps};
    size_t length = strspn(*at, "abcdefghijklmnopqrstuvwxyz");
    size_t i_known = 0;
    const size_t n_known = sizeof steps_known / sizeof steps_known[0];
    while (i_known < n_known &&
           (strlen(steps_known[i_known].name) != length || memcmp(steps_known[i_known].name, *at, length) != 0)) {
        i_known++;
    }
    if (i_known == n_known) {
        return PML_FAIL(error, PML_E_CONFIG, "transform \"%s\": unknown step at character %zu", steps,
                        (size_t)(*at - steps) + 1);
    }
    memcpy(s.name, *at, length);
    const char *end = *at + length;
    bool is_correct = !steps_known[i_known].has_arguments;
    if (steps_known[i_known].has_arguments) {
        is_correct = *end == '(' && parse_arguments(end + 1, &s, &end);
    }
    end = skip_space(end);
    if (!is_correct || (*end != ';' && *end != '\0')) {
        return PML_FAIL(error, PML_E_CONFIG, "transform \"%s\": step %s is malformed", steps, s.name);
    }
    if (*end == ';') {
        end = skip_space(end + 1);
        if (*end == '\0') {
            return PML_FAIL(error, PML_E_CONFIG, "transform \"%s\" ends with ';'", steps);
        }
    }
    *at = end;
    return steps_known[i_known].apply(v, &s, error);
}

pml_status pml_transform_view(const char *steps, const uint64_t *shape, unsigned rank, pml_view *view,
                              pml_error *error) {
    pml_status status = PML_OK;
    state v = {.rank = rank};
    uint64_t count = 1;
    if (rank > PML_MAX_RANK || !pml_ck_product(shape, rank, &count) || count == 0) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "transform \"%s\": the tensor is empty or too large", steps));
    }
    uint64_t stride = 1;
    for (unsigned i = rank; i-- > 0; stride *= shape[i]) {
        if (shape[i] > 1) {
            v.axes[i] = (axis){.n_factors = 1, .factors = {{shape[i], stride}}};
        }
    }
    for (const char *at = skip_space(steps); *at != '\0';) {
        PML_TRY(apply_next(steps, &at, &v, error));
    }
    pml_view result = {.rank = v.rank, .offset = v.offset, .is_stacked = v.is_stacked};
    for (unsigned i = 0; i < v.rank; i++) {
        result.shape[i] = axis_size(&v.axes[i]);
        for (unsigned j = 0; j < v.axes[i].n_factors; j++) {
            if (result.n_factors == PML_MAX_FACTORS) {
                PML_TRY(
                    PML_FAIL(error, PML_E_CONFIG, "transform \"%s\" needs more than %u loops", steps, PML_MAX_FACTORS));
            }
            result.factor_size[result.n_factors] = v.axes[i].factors[j].size;
            result.factor_stride[result.n_factors++] = v.axes[i].factors[j].stride;
        }
    }
    *view = result;
done:
    return status;
}
