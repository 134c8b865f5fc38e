/* What a repository's README.md says in its front matter (the YAML between two lines "---" at its start, as model hubs
 * use it). Only `license`, `license_name` and `license_link` are read, as plain texts or lists of them; a README that
 * says nothing, or nothing that can be read, is none. */
#ifndef PML_CONVERT_README_H
#define PML_CONVERT_README_H

#include "formats/folder.h"

#define PML_README_TEXT_BYTES 512u

typedef struct pml_readme { /* empty texts: not said */
    char license[PML_README_TEXT_BYTES];
    char license_name[PML_README_TEXT_BYTES];
    char license_link[PML_README_TEXT_BYTES];
} pml_readme;

/* Of a text of any bytes. */
void pml_readme_parse(const char *text, size_t size_bytes, pml_readme *readme);
/* Of README.md in `folder`, of which the first 64 KiB count; without one nothing is said. Errors: those of
 * pml_folder_map_path. */
pml_status pml_readme_find(const pml_folder *folder, pml_readme *readme, pml_error *error) PML_WARN_UNUSED;

#endif
