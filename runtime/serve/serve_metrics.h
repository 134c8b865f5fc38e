/* What a server has done, counted, as Prometheus reads it. Any thread may count. */
#ifndef PML_RUNTIME_SERVE_SERVE_METRICS_H
#define PML_RUNTIME_SERVE_SERVE_METRICS_H

#include <stdio.h>

#include "runtime/base/error.h"

typedef enum pml_histogram_kind {
    PML_HISTOGRAM_DURATION,    /* seconds of a request, from its first line to its end */
    PML_HISTOGRAM_WAIT,        /* seconds in the queue */
    PML_HISTOGRAM_FIRST_TOKEN, /* seconds until a completion's first text */
    PML_HISTOGRAM_TEXTS,       /* texts of a batch */
    PML_HISTOGRAM_TOKENS,      /* tokens of a batch */
    PML_N_HISTOGRAMS
} pml_histogram_kind;

typedef enum pml_counter_kind {
    PML_COUNTER_PROMPT_TOKENS,
    PML_COUNTER_COMPLETION_TOKENS,
    PML_COUNTER_TIMEOUTS,  /* connections closed because a request did not come in, or an answer did not go out */
    PML_COUNTER_CANCELLED, /* jobs that nobody waited for any more */
    PML_N_COUNTERS
} pml_counter_kind;

typedef struct pml_serve_gauges { /* read where they are, when they are asked for */
    uint64_t queue_depth, connections, memory_bytes;
} pml_serve_gauges;

typedef struct pml_serve_metrics pml_serve_metrics;
/* For routes of these names [n_routes], static storage. Errors: MEMORY. */
pml_status pml_serve_metrics_create(const char *const *routes, size_t n_routes, pml_serve_metrics **metrics,
                                    pml_error *error) PML_WARN_UNUSED;
void pml_serve_metrics_destroy(pml_serve_metrics *metrics); /* NULL is allowed */
void pml_serve_metrics_request(pml_serve_metrics *metrics, size_t i_route, unsigned http_status, double seconds);
void pml_serve_metrics_observe(pml_serve_metrics *metrics, pml_histogram_kind kind, double value);
void pml_serve_metrics_count(pml_serve_metrics *metrics, pml_counter_kind kind, uint64_t n);
/* The text format, version 0.0.4. */
void pml_serve_metrics_write(pml_serve_metrics *metrics, const pml_serve_gauges *gauges, FILE *stream);

#endif
