/* Shapes in messages and tables. */
#ifndef PML_RUNTIME_BASE_SHAPE_TEXT_H
#define PML_RUNTIME_BASE_SHAPE_TEXT_H

#include <stdint.h>

#include "runtime/base/limits.h"

#define PML_SHAPE_TEXT_BYTES (PML_MAX_RANK * 21u + 3u)

/* "[2,3]" into `text`; returns it. */
const char *pml_shape_text(const uint64_t *shape, unsigned rank, char text[PML_SHAPE_TEXT_BYTES]);

#endif
