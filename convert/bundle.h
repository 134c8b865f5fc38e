/* A source with everything that lies beside it: tensors, config.json, scaler.json, the user's settings and rules.
 * What every command that understands a checkpoint starts from. */
#ifndef PML_CONVERT_BUNDLE_H
#define PML_CONVERT_BUNDLE_H

#include "convert/mapper_files.h"
#include "convert/side_file.h"
#include "mappers/mapper.h"

typedef struct pml_bundle_options {
    /* "key=value"; "series.columns=" concerns the series, "frequency=" it and the mapper, the rest the mapper. */
    const char *const *settings;
    size_t n_settings;
    const char *arch;        /* consider only this family; NULL: all */
    const char *map_path;    /* rules of the user's; NULL: none */
    const char *config_path; /* instead of config.json beside the tensors; NULL: that one, if it exists, else what some
                              * family calls it (pml_mapper.config_files), else what the container holds
                              * (pml_mapper.config_attribute) */
    const char *modes_index_path; /* which frequencies FEDformer's blocks keep; NULL: nothing says so */
} pml_bundle_options;

typedef struct pml_bundle { /* read-only for callers; pointers are owned by the bundle */
    pml_map_source map;     /* what pml_detect_report_fill and pml_mapping_create take */
    pml_source *tensors;    /* == map.tensors */
    cJSON *config;          /* NULL: none */
    cJSON *scaler;          /* NULL: none */
    pml_side_file config_file, scaler_file, map_file;
    pml_mapper_files mapper_files; /* what mappers read beside config.json */
    char *name;                    /* of the model, for default file names: "patchtst-etth1" */
    char *origin;          /* for provenance: "hf://org/name@commit" when the path tells, else the source's base name */
    const char *frequency; /* of --set frequency=; NULL: not given */
    const char *columns;   /* of --set series.columns=a,b,c; NULL: not given */

    pml_map_options map_options;
    const char **mapper_settings;
    pml_map_rule *rules;
    size_t n_rules;
} pml_bundle;

/* Opens `path` (as pml_source_open) and its side files. `options` (may be NULL) and its texts are borrowed until close.
 * Errors: those of pml_source_open, pml_json_document_parse, pml_side_file_read, pml_map_rules_parse; ARGUMENT (a
 * setting without '='). */
pml_status pml_bundle_open(const char *path, const pml_bundle_options *options, pml_bundle **bundle,
                           pml_error *error) PML_WARN_UNUSED;
void pml_bundle_close(pml_bundle *bundle); /* NULL is allowed */

#endif
