/* What a classifier's configuration says about its labels, in Hugging Face's spelling. For families with a head that
 * classifies texts. */
#ifndef PML_MAPPERS_LABELS_H
#define PML_MAPPERS_LABELS_H

#include "mappers/config.h"

/* "text.labels", by id, as id2label names them (LABEL_0, LABEL_1, … where it says nothing: upstream's own names), and
 * "text.multi_label" where the classes of a text do not exclude one another. `num_labels` of the canonical
 * configuration says how many there are. Errors: CONFIG (id2label is not exactly those), MEMORY. */
pml_status pml_map_set_labels(const pml_config_reader *reader, pml_error *error) PML_WARN_UNUSED;

#endif
