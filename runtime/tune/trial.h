/* A trial as a journal tells of it: one try of the objective with certain parameters. */
#ifndef PML_RUNTIME_TUNE_TRIAL_H
#define PML_RUNTIME_TUNE_TRIAL_H

#include "runtime/base/random.h"
#include "runtime/tune/distribution.h"

typedef enum pml_trial_state { /* numbers of the journal */
                               PML_TRIAL_RUNNING = 0,
                               PML_TRIAL_COMPLETE = 1,
                               PML_TRIAL_PRUNED = 2,
                               PML_TRIAL_FAILED = 3,
                               PML_TRIAL_WAITING = 4
} pml_trial_state;
#define PML_TRIAL_STATES 5u

typedef enum pml_study_direction { /* numbers of the journal */
                                   PML_STUDY_MINIMIZE = 1,
                                   PML_STUDY_MAXIMIZE = 2
} pml_study_direction;

typedef struct pml_trial_parameter {
    const char *name;                     /* one pointer per name of a journal */
    const pml_distribution *distribution; /* one pointer per distribution of a name: equal ones are the same */
    double value;                         /* internal; the distribution has it */
} pml_trial_parameter;

typedef struct pml_trial_report {
    int64_t step;
    double value; /* may be NaN */
} pml_trial_report;

typedef struct pml_trial_attribute {
    char *key;
    char *json; /* the value's text */
} pml_trial_attribute;

typedef struct pml_attributes { /* distinct keys; zero = empty */
    pml_trial_attribute *items;
    size_t count, capacity;
} pml_attributes;

#define PML_TRIAL_TIME_BYTES 40u

typedef struct pml_trial_search { /* of the process that asked for the trial */
    pml_random random;            /* its own stream */
    bool is_joined;               /* what is drawn together was drawn */
    pml_trial_parameter *joint;   /* the result, owned */
    size_t n_joint;
} pml_trial_search;

typedef struct pml_trial {
    uint64_t id;     /* among all trials of the journal */
    uint64_t number; /* among those of its study */
    pml_trial_state state;
    bool has_value;
    double value; /* of the objective */
    pml_trial_parameter *parameters;
    size_t n_parameters, parameter_capacity;
    pml_trial_report *reports; /* distinct steps, in order of their first report */
    size_t n_reports, report_capacity;
    int64_t greatest_step; /* of them */
    pml_attributes user, system;
    char *worker;                                                        /* who made it run; NULL: nobody yet */
    char started[PML_TRIAL_TIME_BYTES], completed[PML_TRIAL_TIME_BYTES]; /* ISO 8601, or empty */
    int64_t touched_ms;       /* of this process's clock: when the last record about it was read */
    pml_trial_search *search; /* NULL: another process asked for it, or it is finished */
} pml_trial;

/* NULL where the trial has no such parameter. */
const pml_trial_parameter *pml_trial_find(const pml_trial *trial, const char *name);
/* The report of the greatest step, or NULL. */
const pml_trial_report *pml_trial_last_report(const pml_trial *trial);
bool pml_trial_is_finished(const pml_trial *trial);
/* "running", "complete", "pruned", "failed", "waiting". */
const char *pml_trial_state_name(pml_trial_state state);

/* The text of a key's value, or NULL. */
const char *pml_attributes_find(const pml_attributes *attributes, const char *key);
/* Takes both texts over, also when it fails. Errors: FORMAT (too many), MEMORY. */
pml_status pml_attributes_put(pml_attributes *attributes, char *key, char *json, pml_error *error) PML_WARN_UNUSED;
void pml_attributes_deinit(pml_attributes *attributes);

#endif
