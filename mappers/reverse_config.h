/* The configuration of a dialect from the canonical one: the table that reads it (mappers/config.h) run backwards. */
#ifndef PML_MAPPERS_REVERSE_CONFIG_H
#define PML_MAPPERS_REVERSE_CONFIG_H

#include "mappers/dialect.h"
#include "runtime/base/json_writer.h"

/* Writes the members of an object that the caller has begun and ends. Errors: UNSUPPORTED (a value that the dialect
 * cannot say, by name), CONFIG, MEMORY. */
pml_status pml_reverse_config_write(const pml_map_dialect *dialect, const pml_schema *schema,
                                    const pml_metadata *metadata, pml_json_writer *json,
                                    pml_error *error) PML_WARN_UNUSED;

#endif
