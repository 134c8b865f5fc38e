/* The names that research code gives to its runs, and to the folders of their checkpoints: they hold the arguments.
 *
 *   [<task>_]<model id>_<model>_[<mode select>_modes<n>_]<data>_ft<features>_sl<seq_len>_ll<label_len>_pl<pred_len>_
 *   dm<d_model>_nh<n_heads>_el<e_layers>_dl<d_layers>_df<d_ff>[_expand<n>_dc<n>]_fc<factor>_eb<embed>_dt<distil>_…
 *
 * iTransformer's repository gives one argument more than its form has places: the features stand alone before "_ft",
 * and from there every value stands behind the letters of its neighbour (…_M_ft96_sl48_ll96_pl512_…: a look-back of 96
 * steps, 48 of them for the decoder). Digits behind "_ft" tell. */
#ifndef PML_MAPPERS_SETTING_H
#define PML_MAPPERS_SETTING_H

#include "mappers/mapper.h"

/* The arguments that the name of a run of one of these models (NULL-terminated) holds, under their own names: "model",
 * "data", "seq_len", … and "task_name", where it begins with one. *arguments is the caller's (cJSON_Delete); NULL:
 * `setting` is no such name. Errors: MEMORY. */
pml_status pml_setting_read(const char *setting, const char *const *models, cJSON **arguments,
                            pml_error *error) PML_WARN_UNUSED;

typedef struct pml_setting_source { /* zero = safe to deinit */
    pml_map_source source;          /* what to read the configuration from */
    pml_map_options options;
    const char **settings;
    cJSON *config;
} pml_setting_source;

/* The source with the arguments of the run's name in its configuration: of --set setting=NAME, which goes before a
 * config file, or of the checkpoint's folder where there is none. The user's other settings stay and win. `source` must
 * outlive the result. Errors: CONFIG (a setting that is no such name), MEMORY. */
pml_status pml_setting_apply(const pml_map_source *source, const char *const *models, pml_setting_source *applied,
                             pml_error *error) PML_WARN_UNUSED;
void pml_setting_deinit(pml_setting_source *applied);

/* Whether the configuration or the settings of the user say `argument`, whatever its value. */
bool pml_setting_has(const pml_map_source *source, const char *argument);

#endif
