/* Time marks: what a network is told of the date of each step, as the research code of Informer and its successors
 * computes it. Which a model takes is in its configuration (runtime/schema/series_ports.h). */
#ifndef PML_RUNTIME_SERIES_TIME_MARKS_H
#define PML_RUNTIME_SERIES_TIME_MARKS_H

#include "runtime/models/model.h"
#include "runtime/series/timestamps.h"

#define PML_MAX_TIME_MARKS 6u

typedef enum pml_mark { /* where two are named: as a number from -0.5 to 0.5 of range, or the integer */
                        PML_MARK_SECOND,
                        PML_MARK_MINUTE,  /* of timeF; of integers the quarter of the hour, 0 to 3 */
                        PML_MARK_HOUR,    /* 0 to 23 */
                        PML_MARK_WEEKDAY, /* 0 Monday to 6 */
                        PML_MARK_DAY,     /* of the month; as an integer from 1 */
                        PML_MARK_YEARDAY,
                        PML_MARK_WEEK, /* of the year, ISO 8601 */
                        PML_MARK_MONTH /* as an integer from 1 */
} pml_mark;

typedef struct pml_time_marks {
    bool is_scaled; /* timeF; otherwise integers, which embeddings look up */
    size_t count;   /* 0: the model takes none */
    pml_mark kinds[PML_MAX_TIME_MARKS];
} pml_time_marks;

/* Of a scheme "none", "timeF", "fixed" or "learned" at the frequency "s", "t", "h", "d", "b", "w", "m", "q" or "a".
 * Errors: CONFIG (another text), UNSUPPORTED (timeF of years, for which the research code has no feature). */
pml_status pml_time_marks_choose(const char *scheme, const char *frequency, pml_time_marks *marks,
                                 pml_error *error) PML_WARN_UNUSED;
/* Those that a model takes; count 0 where it takes none. Errors: CONFIG, UNSUPPORTED. */
pml_status pml_time_marks_of(const pml_model *model, pml_time_marks *marks, pml_error *error) PML_WARN_UNUSED;
/* The marks of each stamp: `values` [n_stamps][count]. Computed in double, rounded once. */
void pml_time_marks_fill(const pml_time_marks *marks, const int64_t *stamps_us, size_t n_stamps, float *values);

#endif
