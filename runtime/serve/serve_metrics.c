#include "runtime/serve/serve_metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/json_writer.h"

enum { MOST_BOUNDS = 16, N_STATUSES = 600 };

typedef struct histogram {
    uint64_t counts[MOST_BOUNDS + 1];
    double sum;
} histogram;

struct pml_serve_metrics {
    pthread_mutex_t lock;
    const char *const *routes;
    size_t n_routes;
    uint64_t *requests;   /* [n_routes][N_STATUSES] */
    histogram *durations; /* [n_routes] */
    histogram others[PML_N_HISTOGRAMS];
    uint64_t counters[PML_N_COUNTERS];
};

typedef struct histogram_kind {
    const char *name, *help;
    double bounds[MOST_BOUNDS]; /* ascending, then zeros */
} histogram_kind;

#define SECONDS                                                                                                        \
    { .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300 }
static const histogram_kind histogram_kinds[PML_N_HISTOGRAMS] = {
    [PML_HISTOGRAM_DURATION] = {"pml_request_duration_seconds", "From a request's first line to its end.", SECONDS},
    [PML_HISTOGRAM_WAIT] = {"pml_queue_wait_seconds", "How long requests waited for the model.", SECONDS},
    [PML_HISTOGRAM_FIRST_TOKEN] = {"pml_first_token_seconds", "Until a completion's first text.", SECONDS},
    [PML_HISTOGRAM_TEXTS] = {"pml_batch_texts", "Texts that were computed together.", {1, 2, 4, 8, 16, 32, 64, 128}},
    [PML_HISTOGRAM_TOKENS] = {"pml_batch_tokens",
                              "Tokens of texts that were computed together.",
                              {16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384}},
};

static const char *const counter_names[PML_N_COUNTERS][2] = {
    [PML_COUNTER_PROMPT_TOKENS] = {"pml_prompt_tokens_total", "Tokens of texts and prompts that were read."},
    [PML_COUNTER_COMPLETION_TOKENS] = {"pml_completion_tokens_total", "Tokens that were generated."},
    [PML_COUNTER_TIMEOUTS] = {"pml_connections_timed_out_total", "Connections closed because they were too slow."},
    [PML_COUNTER_CANCELLED] = {"pml_requests_cancelled_total", "Requests that nobody waited for any more."},
};

pml_status pml_serve_metrics_create(const char *const *routes, size_t n_routes, pml_serve_metrics **metrics,
                                    pml_error *error) {
    pml_status status = PML_OK;
    pml_serve_metrics *made = NULL;
    *metrics = NULL;
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    PML_TRY(pml_alloc(n_routes, N_STATUSES * sizeof *made->requests, &made->requests, error));
    PML_TRY(pml_alloc(n_routes, sizeof *made->durations, &made->durations, error));
    (void)pthread_mutex_init(&made->lock, NULL);
    made->routes = routes;
    made->n_routes = n_routes;
    *metrics = made;
    made = NULL;
done:
    if (made != NULL) {
        pml_free(made->requests);
        pml_free(made);
    }
    return status;
}

void pml_serve_metrics_destroy(pml_serve_metrics *metrics) {
    if (metrics != NULL) {
        (void)pthread_mutex_destroy(&metrics->lock);
        pml_free(metrics->requests);
        pml_free(metrics->durations);
        pml_free(metrics);
    }
}

static void observe(histogram *h, const double bounds[MOST_BOUNDS], double value) {
    size_t i = 0;
    while (i < MOST_BOUNDS && bounds[i] > 0 && value > bounds[i]) {
        i++;
    }
    h->counts[i < MOST_BOUNDS && bounds[i] > 0 ? i : MOST_BOUNDS]++;
    h->sum += value;
}

void pml_serve_metrics_request(pml_serve_metrics *metrics, size_t i_route, unsigned http_status, double seconds) {
    (void)pthread_mutex_lock(&metrics->lock);
    metrics->requests[i_route * N_STATUSES + (http_status < N_STATUSES ? http_status : 0)]++;
    observe(&metrics->durations[i_route], histogram_kinds[PML_HISTOGRAM_DURATION].bounds, seconds);
    (void)pthread_mutex_unlock(&metrics->lock);
}

void pml_serve_metrics_observe(pml_serve_metrics *metrics, pml_histogram_kind kind, double value) {
    (void)pthread_mutex_lock(&metrics->lock);
    observe(&metrics->others[kind], histogram_kinds[kind].bounds, value);
    (void)pthread_mutex_unlock(&metrics->lock);
}

void pml_serve_metrics_count(pml_serve_metrics *metrics, pml_counter_kind kind, uint64_t n) {
    (void)pthread_mutex_lock(&metrics->lock);
    metrics->counters[kind] += n;
    (void)pthread_mutex_unlock(&metrics->lock);
}

/* ---- the text -------------------------------------------------------------------------------------------------------
 */
static void write_head(FILE *stream, const char *name, const char *help, const char *type) {
    (void)fprintf(stream, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* `label` is "" or "route=\"…\",". */
static void write_histogram(FILE *stream, const histogram_kind *kind, const char *label, const histogram *h) {
    char text[PML_F64_TEXT_BYTES];
    uint64_t count = 0;
    for (size_t i = 0; i < MOST_BOUNDS && kind->bounds[i] > 0; i++) {
        count += h->counts[i];
        (void)fprintf(stream, "%s_bucket{%sle=\"%g\"} %" PRIu64 "\n", kind->name, label, kind->bounds[i], count);
    }
    count += h->counts[MOST_BOUNDS];
    (void)fprintf(stream, "%s_bucket{%sle=\"+Inf\"} %" PRIu64 "\n", kind->name, label, count);
    const int n_label = label[0] == '\0' ? 0 : (int)strlen(label) - 1;
    const char *open = n_label > 0 ? "{" : "", *close = n_label > 0 ? "}" : "";
    (void)fprintf(stream, "%s_sum%s%.*s%s %s\n", kind->name, open, n_label, label, close, pml_f64_text(h->sum, text));
    (void)fprintf(stream, "%s_count%s%.*s%s %" PRIu64 "\n", kind->name, open, n_label, label, close, count);
}

static void write_routes(const pml_serve_metrics *m, FILE *stream) {
    const histogram_kind *kind = &histogram_kinds[PML_HISTOGRAM_DURATION];
    write_head(stream, "pml_requests_total", "Requests that were answered, by route and status.", "counter");
    for (size_t i = 0; i < m->n_routes; i++) {
        for (unsigned code = 0; code < N_STATUSES; code++) {
            const uint64_t n = m->requests[i * N_STATUSES + code];
            if (n > 0) {
                (void)fprintf(stream, "pml_requests_total{route=\"%s\",status=\"%u\"} %" PRIu64 "\n", m->routes[i],
                              code, n);
            }
        }
    }
    write_head(stream, kind->name, kind->help, "histogram");
    for (size_t i = 0; i < m->n_routes; i++) {
        char label[96];
        (void)snprintf(label, sizeof label, "route=\"%s\",", m->routes[i]);
        write_histogram(stream, kind, label, &m->durations[i]);
    }
}

static void write_gauge(FILE *stream, const char *name, const char *help, uint64_t value) {
    write_head(stream, name, help, "gauge");
    (void)fprintf(stream, "%s %" PRIu64 "\n", name, value);
}

void pml_serve_metrics_write(pml_serve_metrics *metrics, const pml_serve_gauges *gauges, FILE *stream) {
    (void)pthread_mutex_lock(&metrics->lock);
    write_routes(metrics, stream);
    for (size_t i = PML_HISTOGRAM_DURATION + 1; i < PML_N_HISTOGRAMS; i++) {
        write_head(stream, histogram_kinds[i].name, histogram_kinds[i].help, "histogram");
        write_histogram(stream, &histogram_kinds[i], "", &metrics->others[i]);
    }
    for (size_t i = 0; i < PML_N_COUNTERS; i++) {
        write_head(stream, counter_names[i][0], counter_names[i][1], "counter");
        (void)fprintf(stream, "%s %" PRIu64 "\n", counter_names[i][0], metrics->counters[i]);
    }
    (void)pthread_mutex_unlock(&metrics->lock);
    write_gauge(stream, "pml_queue_depth", "Requests that wait for the model.", gauges->queue_depth);
    write_gauge(stream, "pml_connections", "Open connections.", gauges->connections);
    write_gauge(stream, "pml_memory_bytes", "Bytes held for requests and their answers.", gauges->memory_bytes);
}
