/* Search spaces out of JSON. Strict: a member that is not known is an error, because a misspelt one would be a search
 * somewhere else. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/input.h"
#include "runtime/base/quote.h"
#include "runtime/tune/space.h"

enum { MOST_PARAMETERS = 4096, MOST_VALUES = 65536, MOST_RESOLUTION = 1 << 20, MOST_BYTES = 16 << 20 };

/* Places in the text where the choices and conditions of a parameter stand: what they mean is known only once the
 * parameter's type, or its parents, are. */
typedef struct pending {
    bool has_type, has_low, has_high, has_step;
    size_t if_offset, if_bytes;
} pending;

static pml_status fault(const pml_json_reader *r, pml_error *error, const char *cause) {
    const pml_status status = pml_json_fail(r, error, cause);
    if (error != NULL) {
        error->code = PML_E_CONFIG; /* it is JSON, but no space */
    }
    return status == PML_OK ? PML_OK : PML_E_CONFIG;
}

static pml_status read_number(pml_json_reader *r, double *number, pml_error *error) {
    const pml_status status = pml_json_next(r, error);
    *number = r->number;
    return status == PML_OK && r->token != PML_JSON_NUMBER ? fault(r, error, "expected a number") : status;
}

static pml_status read_type(pml_json_reader *r, pml_distribution *d, pml_error *error) {
    static const char *const names[] = {"float", "int", "categorical"};
    const pml_status status = pml_json_next(r, error);
    if (status != PML_OK) {
        return status;
    }
    for (size_t i = 0; r->token == PML_JSON_STRING && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(r->text, names[i]) == 0) {
            d->kind = (pml_distribution_kind)i;
            return PML_OK;
        }
    }
    return fault(r, error, "a type is float, int or categorical");
}

static pml_status read_choices(pml_json_reader *r, pml_distribution *d, pml_error *error) {
    pml_status status = PML_OK;
    size_t capacity = 0;
    PML_TRY(pml_json_next(r, error));
    if (r->token != PML_JSON_ARRAY_BEGIN || d->choices != NULL) {
        PML_TRY(fault(r, error, "choices are one array"));
    }
    for (;;) {
        PML_TRY(pml_json_next(r, error));
        if (r->token == PML_JSON_ARRAY_END) {
            break;
        }
        pml_choice choice = {0};
        PML_TRY(pml_choice_read(r, &choice, error));
        const bool is_there = pml_distribution_find(d, &choice) < d->n_choices;
        status = is_there ? fault(r, error, "a choice is there twice")
                          : pml_grow(&d->choices, &capacity, d->n_choices + 1, sizeof *d->choices, MOST_VALUES,
                                     "choices", error);
        if (status != PML_OK) {
            pml_choice_deinit(&choice);
            goto done;
        }
        d->choices[d->n_choices++] = choice;
    }
done:
    return status;
}

static pml_status read_resolution(pml_json_reader *r, pml_space_parameter *p, pml_error *error) {
    const pml_status status = pml_json_next(r, error);
    if (status == PML_OK && (!r->is_u64 || r->u64 < 1 || r->u64 > MOST_RESOLUTION)) {
        return fault(r, error, "a resolution is a whole number from 1 to 1048576");
    }
    p->resolution = r->u64;
    return status;
}

static pml_status read_member(pml_json_reader *r, pml_space_parameter *p, pending *seen, pml_error *error) {
    pml_distribution *d = &p->distribution;
    if (strcmp(r->text, "type") == 0) {
        seen->has_type = true;
        return read_type(r, d, error);
    }
    if (strcmp(r->text, "low") == 0) {
        seen->has_low = true;
        return read_number(r, &d->low, error);
    }
    if (strcmp(r->text, "high") == 0) {
        seen->has_high = true;
        return read_number(r, &d->high, error);
    }
    if (strcmp(r->text, "step") == 0) {
        seen->has_step = true;
        return read_number(r, &d->step, error);
    }
    if (strcmp(r->text, "choices") == 0) {
        return read_choices(r, d, error);
    }
    if (strcmp(r->text, "resolution") == 0) {
        return read_resolution(r, p, error);
    }
    pml_status status = PML_OK;
    if (strcmp(r->text, "log") == 0) {
        status = pml_json_next(r, error);
        d->log = r->token == PML_JSON_TRUE;
        return status == PML_OK && !d->log && r->token != PML_JSON_FALSE ? fault(r, error, "log is true or false")
                                                                         : status;
    }
    if (strcmp(r->text, "if") == 0) {
        status = pml_json_next(r, error);
        seen->if_offset = r->token_offset;
        if (status == PML_OK && r->token != PML_JSON_OBJECT_BEGIN) {
            return fault(r, error, "if is an object: parameters and their values");
        }
        status = status == PML_OK ? pml_json_skip(r, error) : status;
        seen->if_bytes = r->position - seen->if_offset;
        return status;
    }
    return fault(r, error, "a parameter has type, low, high, step, log, choices, resolution and if");
}

static pml_status check_parameter(pml_json_reader *r, pml_space_parameter *p, const pending *seen, pml_error *error) {
    pml_distribution *d = &p->distribution;
    const bool is_range = d->kind != PML_DISTRIBUTION_CATEGORICAL;
    if (!seen->has_type) {
        return fault(r, error, "a parameter needs a type");
    }
    if (is_range && (!seen->has_low || !seen->has_high || d->choices != NULL)) {
        return fault(r, error, "a float or int has low and high, and no choices");
    }
    if (!is_range && (seen->has_low || seen->has_high || seen->has_step || d->log || p->resolution != 0)) {
        return fault(r, error, "a categorical parameter has choices only");
    }
    if (is_range && seen->has_step && !(d->step > 0)) {
        return fault(r, error, "a step must be above 0");
    }
    if (d->kind == PML_DISTRIBUTION_INT && !seen->has_step) {
        d->step = 1;
    }
    pml_error inner = {0};
    return pml_distribution_check(d, &inner) == PML_OK ? PML_OK : fault(r, error, inner.message);
}

/* ---- conditions ---- */
/* The reader stands on a value of a parent: one that it can have. */
static pml_status read_condition_value(pml_json_reader *r, const pml_space_parameter *parent, pml_space_condition *c,
                                       size_t *capacity, pml_error *error) {
    pml_status status = PML_OK;
    const pml_distribution *d = &parent->distribution;
    pml_choice choice = {0};
    double value = r->number;
    bool is_value = r->token == PML_JSON_NUMBER && pml_distribution_contains(d, value);
    if (d->kind == PML_DISTRIBUTION_CATEGORICAL) {
        PML_TRY(pml_choice_read(r, &choice, error));
        value = (double)pml_distribution_find(d, &choice);
        is_value = pml_distribution_contains(d, value);
    }
    if (!is_value) {
        PML_TRY(fault(r, error, "the parameter that this depends on never has this value"));
    }
    PML_TRY(pml_grow(&c->values, capacity, c->n_values + 1, sizeof *c->values, MOST_VALUES, "values", error));
    c->values[c->n_values++] = value;
done:
    pml_choice_deinit(&choice);
    return status;
}

static pml_status read_condition(pml_json_reader *r, const pml_space *space, pml_space_condition *c, pml_error *error) {
    pml_status status = PML_OK;
    size_t capacity = 0;
    c->i_parent = pml_space_find(space, r->text);
    if (c->i_parent == SIZE_MAX) {
        PML_TRY(fault(r, error, "a condition names a parameter that stands before its own"));
    }
    const pml_space_parameter *parent = &space->parameters[c->i_parent];
    if (parent->distribution.kind == PML_DISTRIBUTION_FLOAT) {
        PML_TRY(fault(r, error, "a condition is about an int or a categorical parameter"));
    }
    PML_TRY(pml_json_next(r, error));
    if (r->token != PML_JSON_ARRAY_BEGIN) {
        PML_TRY(read_condition_value(r, parent, c, &capacity, error));
        goto done;
    }
    for (;;) {
        PML_TRY(pml_json_next(r, error));
        if (r->token == PML_JSON_ARRAY_END) {
            break;
        }
        PML_TRY(read_condition_value(r, parent, c, &capacity, error));
    }
    if (c->n_values == 0) {
        PML_TRY(fault(r, error, "a condition needs a value"));
    }
done:
    return status;
}

static pml_status read_conditions(const pml_json_reader *outer, const pending *seen, const pml_space *space,
                                  pml_space_parameter *p, pml_error *error) {
    pml_status status = PML_OK;
    pml_json_reader r;
    size_t capacity = 0;
    /* Read from the start of the file to the end of the object, so that messages tell the right line. */
    pml_json_reader_init(&r, outer->bytes, seen->if_offset + seen->if_bytes, 0, outer->file_name, MOST_BYTES);
    r.position = seen->if_offset;
    PML_TRY(pml_json_next(&r, error));
    for (;;) {
        PML_TRY(pml_json_next(&r, error));
        if (r.token == PML_JSON_OBJECT_END) {
            break;
        }
        PML_TRY(pml_grow(&p->conditions, &capacity, p->n_conditions + 1, sizeof *p->conditions, MOST_PARAMETERS,
                         "conditions", error));
        p->conditions[p->n_conditions] = (pml_space_condition){0};
        p->n_conditions++;
        PML_TRY(read_condition(&r, space, &p->conditions[p->n_conditions - 1], error));
    }
done:
    pml_json_reader_deinit(&r);
    return status;
}

/* ---- the space ---- */
/* The reader stands on the parameter's name. */
static pml_status read_parameter(pml_json_reader *r, pml_space *space, pml_space_parameter *p, pml_error *error) {
    pml_status status = PML_OK;
    pending seen = {0};
    if (pml_space_find(space, r->text) != SIZE_MAX || r->text_bytes == 0) {
        PML_TRY(fault(r, error, "a parameter without a name, or one that is there twice"));
    }
    PML_TRY(pml_string_copy(r->text, r->text_bytes, &p->name, error));
    PML_TRY(pml_json_next(r, error));
    if (r->token != PML_JSON_OBJECT_BEGIN) {
        PML_TRY(fault(r, error, "a parameter is an object"));
    }
    for (;;) {
        PML_TRY(pml_json_next(r, error));
        if (r->token == PML_JSON_OBJECT_END) {
            break;
        }
        PML_TRY(read_member(r, p, &seen, error));
    }
    PML_TRY(check_parameter(r, p, &seen, error));
    if (seen.if_bytes > 0) {
        PML_TRY(read_conditions(r, &seen, space, p, error));
    }
done:
    return status;
}

pml_status pml_space_parse(const char *json, size_t size_bytes, const char *file_name, pml_space *space,
                           pml_error *error) {
    pml_status status = PML_OK;
    pml_json_reader r;
    pml_space read = {0};
    size_t capacity = 0;
    pml_json_reader_init(&r, json, size_bytes, 0, file_name, MOST_BYTES);
    PML_TRY(pml_json_next(&r, error));
    if (r.token != PML_JSON_OBJECT_BEGIN) {
        PML_TRY(fault(&r, error, "a space is an object of parameters"));
    }
    for (;;) {
        pml_space_parameter p = {0};
        PML_TRY(pml_json_next(&r, error));
        if (r.token == PML_JSON_OBJECT_END) {
            break;
        }
        PML_TRY(pml_grow(&read.parameters, &capacity, read.n_parameters + 1, sizeof *read.parameters, MOST_PARAMETERS,
                         "parameters", error));
        status = read_parameter(&r, &read, &p, error);
        read.parameters[read.n_parameters++] = p;
        PML_TRY(status);
    }
    PML_TRY(pml_json_expect(&r, PML_JSON_END, "nothing more", error));
    if (read.n_parameters == 0) {
        PML_TRY(fault(&r, error, "a space needs a parameter"));
    }
    *space = read;
    read = (pml_space){0};
done:
    pml_space_deinit(&read);
    pml_json_reader_deinit(&r);
    return status;
}

pml_status pml_space_read(const char *path, pml_space *space, pml_error *error) {
    char *bytes = NULL;
    size_t size_bytes = 0;
    pml_status status = pml_input_read(path, PML_E_ARGUMENT, MOST_BYTES, &bytes, &size_bytes, error);
    if (status == PML_OK) {
        status = pml_space_parse(bytes, size_bytes, path, space, error);
    }
    pml_free(bytes);
    return status;
}
