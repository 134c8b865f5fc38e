/* How models are written in the dialects of GPT-2 again. */
#ifndef PML_MAPPERS_GPT2_GPT2_DIALECTS_H
#define PML_MAPPERS_GPT2_GPT2_DIALECTS_H

#include "mappers/dialect.h"

extern const pml_map_dialect pml_gpt2_dialects[];

#endif
