/* How PatchTST is written in each dialect again, for mappers/patchtst.c. */
#ifndef PML_MAPPERS_PATCHTST_PATCHTST_DIALECTS_H
#define PML_MAPPERS_PATCHTST_PATCHTST_DIALECTS_H

#include "mappers/dialect.h"

extern const pml_map_dialect pml_patchtst_dialects[];

#endif
