#include "runtime/tune/space.h"

#include <math.h>
#include <string.h>

#include "runtime/base/alloc.h"

void pml_space_deinit(pml_space *space) {
    for (size_t i = 0; i < space->n_parameters; i++) {
        pml_space_parameter *p = &space->parameters[i];
        for (size_t j = 0; j < p->n_conditions; j++) {
            pml_free(p->conditions[j].values);
        }
        pml_free(p->conditions);
        pml_distribution_deinit(&p->distribution);
        pml_free(p->name);
    }
    pml_free(space->parameters);
    *space = (pml_space){0};
}

size_t pml_space_find(const pml_space *space, const char *name) {
    for (size_t i = 0; i < space->n_parameters; i++) {
        if (strcmp(space->parameters[i].name, name) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

static bool holds(const pml_space_condition *c, const double *values) {
    for (size_t i = 0; i < c->n_values; i++) {
        if (values[c->i_parent] == c->values[i]) { /* never of NaN */
            return true;
        }
    }
    return false;
}

bool pml_space_is_active(const pml_space *space, size_t i_parameter, const double *values) {
    const pml_space_parameter *p = &space->parameters[i_parameter];
    for (size_t i = 0; i < p->n_conditions; i++) {
        if (!holds(&p->conditions[i], values)) {
            return false;
        }
    }
    return true;
}
