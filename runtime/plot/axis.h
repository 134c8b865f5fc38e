/* Axes: the range that is drawn, and ticks at round numbers or round dates with their labels. */
#ifndef PML_RUNTIME_PLOT_AXIS_H
#define PML_RUNTIME_PLOT_AXIS_H

#include "runtime/base/error.h"

#define PML_MAX_TICKS 24u
#define PML_TICK_TEXT_BYTES 32

typedef struct pml_tick {
    double at;
    char text[PML_TICK_TEXT_BYTES];
    char below[PML_TICK_TEXT_BYTES]; /* second line, "" where it says what the tick before says: the day, the year */
} pml_tick;

typedef struct pml_axis {
    double low, high; /* low < high, both finite */
    size_t n_ticks;
    pml_tick ticks[PML_MAX_TICKS]; /* ascending, in [low, high] */
} pml_axis;

/* Beyond this a value is drawn as if it were this. */
#define PML_AXIS_GREATEST 1e300

/* Values from `low` to `high`, with a margin; a range that is empty or too narrow for doubles becomes a wide one around
 * its middle, and one that is not finite [0, 1]. At most `most_ticks` ticks. */
void pml_axis_of_values(double low, double high, unsigned most_ticks, pml_axis *axis);
/* Whole numbers (rows, steps) from `low` to `high`, without a margin. */
void pml_axis_of_counts(double low, double high, unsigned most_ticks, pml_axis *axis);
/* Stamps (runtime/series/timestamps.h) from `low_us` to `high_us`, without a margin. */
void pml_axis_of_dates(int64_t low_us, int64_t high_us, unsigned most_ticks, pml_axis *axis);

#endif
