/* What a view means, plainly: fast paths are compared with it. */
#ifndef PML_TESTS_MAPPERS_VIEW_INDEX_H
#define PML_TESTS_MAPPERS_VIEW_INDEX_H

#include "mappers/transform.h"

/* Element index in the source of element `i_element` of the view, both row-major. */
static inline uint64_t view_source_index(const pml_view *view, uint64_t i_element) {
    uint64_t index = view->offset;
    for (unsigned i = view->n_factors; i-- > 0;) {
        index += i_element % view->factor_size[i] * view->factor_stride[i];
        i_element /= view->factor_size[i];
    }
    return index;
}

#endif
