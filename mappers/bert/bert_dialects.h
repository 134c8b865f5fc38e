/* How BERT is written in each dialect again, for mappers/bert.c. */
#ifndef PML_MAPPERS_BERT_BERT_DIALECTS_H
#define PML_MAPPERS_BERT_BERT_DIALECTS_H

#include "mappers/dialect.h"

extern const pml_map_dialect pml_bert_dialects[];

#endif
