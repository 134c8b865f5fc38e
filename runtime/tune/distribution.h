/* What a parameter may be: a range of numbers or a list of choices, as Optuna (v5, `optuna.distributions`) has them.
 *
 * A value is kept in the internal form of Optuna's journals: the number itself, or the index of a choice. */
#ifndef PML_RUNTIME_TUNE_DISTRIBUTION_H
#define PML_RUNTIME_TUNE_DISTRIBUTION_H

#include "runtime/base/error.h"
#include "runtime/base/json_reader.h"
#include "runtime/base/json_writer.h"

typedef enum pml_distribution_kind {
    PML_DISTRIBUTION_FLOAT,
    PML_DISTRIBUTION_INT,
    PML_DISTRIBUTION_CATEGORICAL
} pml_distribution_kind;

typedef enum pml_choice_kind {
    PML_CHOICE_NULL,
    PML_CHOICE_BOOL,
    PML_CHOICE_INT,
    PML_CHOICE_FLOAT,
    PML_CHOICE_TEXT
} pml_choice_kind;

typedef struct pml_choice {
    pml_choice_kind kind;
    int64_t integer; /* INT; BOOL: 0 or 1 */
    double number;   /* FLOAT, may be NaN */
    char *text;      /* TEXT */
} pml_choice;

typedef struct pml_distribution { /* zero = safe to deinit */
    pml_distribution_kind kind;
    double low, high; /* both are among the values; of an INT whole numbers up to 2^53 */
    double step;      /* FLOAT: 0 where every number between is meant; INT: at least 1 */
    bool log;         /* drawn by the logarithm: low is above 0, without a step (FLOAT) or with step 1 (INT) */
    pml_choice *choices;
    size_t n_choices;
} pml_distribution;

/* Refuses what contradicts the above, and lowers `high` to the last value that steps from `low` reach. Errors: CONFIG.
 */
pml_status pml_distribution_check(pml_distribution *d, pml_error *error) PML_WARN_UNUSED;
void pml_distribution_deinit(pml_distribution *d);
bool pml_distribution_equal(const pml_distribution *a, const pml_distribution *b);
/* Whether one study may use both for one name: ranges of numbers may move, kinds, logarithm and choices may not. */
bool pml_distribution_compatible(const pml_distribution *a, const pml_distribution *b);
/* There is one value only. */
bool pml_distribution_is_single(const pml_distribution *d);
bool pml_distribution_contains(const pml_distribution *d, double value);
/* The value of the distribution that is nearest to a number (not of a categorical one). */
double pml_distribution_nearest(const pml_distribution *d, double number);
/* The range in which samplers draw: by logarithm where it is one, half a step wider where there are steps. */
void pml_distribution_bounds(const pml_distribution *d, double *low, double *high);
/* The index of a choice that equals `choice` as Python compares (1, 1.0 and true are equal), or n_choices. */
size_t pml_distribution_find(const pml_distribution *d, const pml_choice *choice);

/* ---- text ---- */
/* Optuna's JSON of a distribution, as one string value. Errors: MEMORY. */
pml_status pml_distribution_write(const pml_distribution *d, pml_json_writer *w, const char *key,
                                  pml_error *error) PML_WARN_UNUSED;
/* Reads that, in its long form with the classes of every version, or its short one. `file_name` is for messages.
 * Errors: FORMAT, UNSUPPORTED (an unknown class), CONFIG (see check), MEMORY. */
pml_status pml_distribution_read(const char *json, size_t size_bytes, const char *file_name, pml_distribution *d,
                                 pml_error *error) PML_WARN_UNUSED;
/* The value as it is meant: a number, or the choice itself. */
void pml_distribution_value_write(const pml_distribution *d, double value, pml_json_writer *w, const char *key);
/* The same as plain text for a command line, without quotes; *text is the caller's (pml_free). */
pml_status pml_distribution_value_text(const pml_distribution *d, double value, char **text,
                                       pml_error *error) PML_WARN_UNUSED;
/* The reader stands on a value: makes it a choice, or fails on arrays and objects. Errors: FORMAT, MEMORY. */
pml_status pml_choice_read(pml_json_reader *reader, pml_choice *choice, pml_error *error) PML_WARN_UNUSED;
void pml_choice_deinit(pml_choice *choice);

#endif
