/* What a sentence-transformers repository says beside the checkpoint: modules.json, 1_Pooling/config.json and
 * sentence_bert_config.json. For mappers/bert.c and its configuration. */
#ifndef PML_MAPPERS_BERT_BERT_SENTENCE_H
#define PML_MAPPERS_BERT_BERT_SENTENCE_H

#include "mappers/mapper.h"

#define PML_BERT_MODULES "modules.json"
#define PML_BERT_POOLING "1_Pooling/config.json"
#define PML_BERT_SENTENCE "sentence_bert_config.json"

typedef struct bert_sentence {
    const char *pooling; /* "cls", "mean" or "max"; NULL: no pooling module */
    bool normalize;
    int64_t max_tokens; /* 0: not said */
    int64_t dimension;  /* of the vectors that are pooled; 0: not said */
} bert_sentence;

/* Errors: CONFIG (a file that says nothing valid), UNSUPPORTED, naming the module or setting. */
pml_status pml_bert_sentence_read(const pml_map_source *source, bert_sentence *sentence,
                                  pml_error *error) PML_WARN_UNUSED;

#endif
