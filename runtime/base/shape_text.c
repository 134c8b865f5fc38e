#include "runtime/base/shape_text.h"

#include <inttypes.h>
#include <stdio.h>

const char *pml_shape_text(const uint64_t *shape, unsigned rank, char text[PML_SHAPE_TEXT_BYTES]) {
    size_t used = 0;
    text[used++] = '[';
    for (unsigned i = 0; i < rank && i < PML_MAX_RANK; i++) {
        used += (size_t)snprintf(text + used, PML_SHAPE_TEXT_BYTES - used, "%s%" PRIu64, i == 0 ? "" : ",", shape[i]);
    }
    text[used++] = ']';
    text[used] = '\0';
    return text;
}
