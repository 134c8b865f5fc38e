/* What the mappers of research code's forecasting families share: telling the code bases apart that kept each other's
 * names, arguments from JSON, --set or the run's name, one order of reading, comparing and settling. A family adds its
 * tables (names, keys, dialects), and what its tensors say. */
#ifndef PML_MAPPERS_RESEARCH_H
#define PML_MAPPERS_RESEARCH_H

#include "mappers/dialect.h"
#include "mappers/evidence.h"
#include "mappers/neuralforecast.h"
#include "mappers/setting.h"

#define PML_OFFICIAL "official"
#define PML_TSL "tsl" /* thuml/Time-Series-Library */

typedef struct pml_research {
    const char *const *models;      /* its names in the names of runs, NULL-terminated */
    const char *const *class_names; /* neuralforecast's, NULL-terminated; NULL: it has no such model */
    /* Sets of them, of which one must be whole; NULL-terminated. Without the first of a set its names prove nothing. */
    const char *const *const *witnesses;
    const char *const *other_keys; /* further keys that --set may name; NULL: none */
    /* What the tensors say, each key a fixed number of times. */
    void (*examine)(const pml_facts *facts, const char *dialect, pml_evidence *said);
    /* Optional: after the keys are read, before they are checked together. */
    pml_status (*complete)(pml_config_reader *reader, pml_error *error);
    /* The variant, one line. */
    pml_status (*describe)(const pml_config_reader *reader, pml_detection *detection, pml_error *error);
} pml_research;

/* For the slots of pml_mapper. The dialects are those of the mapper, in its order; of two whose names fit equally well,
 * neuralforecast is chosen where its arguments or its class are there, Time-Series-Library where a task is named. */
pml_status pml_research_detect(const pml_research *family, const pml_map_source *source, pml_detection *detection,
                               pml_error *error) PML_WARN_UNUSED;
pml_status pml_research_config(const pml_research *family, const pml_map_source *source, pml_detection *detection,
                               pml_metadata *config, pml_error *error) PML_WARN_UNUSED;

/* The text of a CHOICE that was read; "" when it is absent. */
const char *pml_research_choice(const pml_config_reader *reader, const char *key);
/* Whether an expression over the configuration holds; false where it cannot be told. */
bool pml_research_holds(const pml_config_reader *reader, const char *expression);

/* For `derive` of a CHOICE key whose argument is a flag, written true or 1: one of two words. The key itself may be
 * set, too. */
pml_status pml_research_derive_flag(pml_config_reader *reader, const pml_config_rule *rule, const char *if_true,
                                    const char *if_false, char **text, pml_error *error) PML_WARN_UNUSED;

/* Words of Time-Series-Library's task_name for a key `head`. */
#define PML_TASK_WORDS                                                                                                 \
    "long_term_forecast=prediction|short_term_forecast=prediction|imputation=reconstruction|anomaly_detection="        \
    "reconstruction|classification=classification"
/* Words of a `freq` argument for the key frequency. */
#define PML_FREQUENCY_WORDS                                                                                            \
    "h=h|H=h|s=s|S=s|t=t|T=t|min=t|5min=t|10min=t|15min=t|30min=t|d=d|D=d|b=b|B=b|w=w|W=w|m=m|M=m|ME=m|q=q|Q=q|QE=q|"  \
    "a=a|A=a|y=a|Y=a|YE=a"

/* Rows of configuration tables. ASKED: no safe default; FIXED: the one value of a dialect. */
#define PML_ASKED(name, argument)                                                                                      \
    { .key = (name), .source = (argument), .must_ask = true, .from_tensors = true }
#define PML_FIXED(name, value)                                                                                         \
    { .key = (name), .fallback = (value), .is_fixed = true }
#define PML_TRAINING(name, argument)                                                                                   \
    { .key = (name), .source = (argument) }

#endif
