/* Drawings as files. */
#ifndef PML_RUNTIME_PLOT_PICTURE_H
#define PML_RUNTIME_PLOT_PICTURE_H

#include "runtime/plot/drawing.h"

/* Whether the ending of `path` names a format: .png, .svg, .pdf, in any case. Errors: ARGUMENT. */
pml_status pml_picture_check(const char *path, pml_error *error) PML_WARN_UNUSED;
/* Writes the drawing in the format of the ending, whole or not at all; the same drawing gives the same bytes where
 * fonts are the same. Errors: ARGUMENT (ending; `replace` is false and the file exists), IO, MEMORY. */
pml_status pml_picture_write(const pml_drawing *drawing, const char *path, bool replace,
                             pml_error *error) PML_WARN_UNUSED;

#endif
