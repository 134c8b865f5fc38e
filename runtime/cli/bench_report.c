/* What `pml-run bench` found, in four forms. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cli/bench.h"
#include "runtime/cli/printable.h"
#include "runtime/file/reader.h"
#include "runtime/series/csv.h"

enum { MOST_CELLS = 15, CELL_BYTES = 128 };

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const pml_bench_case *c) {
    return (c->runs_ms[(c->n_runs - 1) / 2] + c->runs_ms[c->n_runs / 2]) / 2;
}

static const char *const test_names[] = {
    [PML_BENCH_RUN] = "run", [PML_BENCH_PROMPT] = "prompt", [PML_BENCH_GENERATE] = "generate"};

/* What the least time says; 0 where there is nothing to say. */
typedef struct rates {
    double samples_per_s, tokens_per_s, gflop_per_s, gb_per_s;
    double read_gb_per_s; /* of the fastest read loop */
} rates;

static rates rate(const pml_bench_case *c) {
    const double least_ms = c->runs_ms[0], tokens = c->test == PML_BENCH_GENERATE ? 1.0 : (double)c->n_tokens;
    rates r = {0};
    if (least_ms > 0) {
        r.samples_per_s = c->test == PML_BENCH_RUN ? (double)c->batch * 1e3 / least_ms : 0;
        r.tokens_per_s = tokens * (double)c->batch * 1e3 / least_ms;
        r.gflop_per_s = 2.0 * (double)c->products / least_ms * 1e-6;
        r.gb_per_s = (double)c->weight_bytes / least_ms * 1e-6;
    }
    if (c->read_ms > 0) {
        r.read_gb_per_s = (double)c->read_bytes / c->read_ms * 1e-6;
    }
    return r;
}

/* "8 x 128", "prompt 128", "generate 64 at 128", "batch 32". */
static void name_test(const pml_bench_case *c, char text[CELL_BYTES]) {
    const char *const kinds[] = {
        [PML_BENCH_RUN] = "", [PML_BENCH_PROMPT] = "prompt ", [PML_BENCH_GENERATE] = "generate "};
    char batch[32] = "", depth[32] = "";
    if (c->n_tokens == 0) {
        (void)snprintf(text, CELL_BYTES, "batch %zu", c->batch);
        return;
    }
    if (c->test == PML_BENCH_RUN || c->batch > 1) {
        (void)snprintf(batch, sizeof batch, "%zu x ", c->batch);
    }
    if (c->depth > 0) {
        (void)snprintf(depth, sizeof depth, " at %zu", c->depth);
    }
    (void)snprintf(text, CELL_BYTES, "%s%s%zu%s", kinds[c->test], batch, c->n_tokens, depth);
}

static pml_status print_json(const pml_bench_file *files, size_t n_files, const pml_bench_case *cases, size_t n_cases,
                             pml_error *error) {
    pml_json_writer w;
    pml_json_writer_init(&w, stdout, true);
    pml_json_begin_object(&w, NULL);
    pml_json_begin_array(&w, "files");
    for (size_t i = 0; i < n_files; i++) {
        pml_json_begin_object(&w, NULL);
        pml_json_string(&w, "file", files[i].path);
        pml_json_string(&w, "family", pml_model_schema(files[i].loaded.model)->name);
        pml_json_string(&w, "dtype", files[i].dtype);
        pml_json_u64(&w, "bytes", pml_file_size(files[i].loaded.file));
        pml_json_string(&w, "backend", pml_model_context(files[i].loaded.model)->backend->name);
        pml_json_end_object(&w);
    }
    pml_json_end_array(&w);
    pml_json_begin_array(&w, "results");
    for (size_t i = 0; i < n_cases; i++) {
        const pml_bench_case *c = &cases[i];
        const rates r = rate(c);
        pml_json_begin_object(&w, NULL);
        pml_json_string(&w, "file", c->file->path);
        pml_json_string(&w, "test", test_names[c->test]);
        pml_json_u64(&w, "threads", c->n_threads);
        pml_json_u64(&w, "batch_size", c->batch);
        pml_json_u64(&w, "tokens", c->n_tokens);
        pml_json_u64(&w, "depth", c->depth);
        pml_json_f64(&w, "min_ms", c->runs_ms[0]);
        pml_json_f64(&w, "median_ms", median(c));
        pml_json_f64(&w, "samples_per_s", r.samples_per_s);
        pml_json_f64(&w, "tokens_per_s", r.tokens_per_s);
        pml_json_f64(&w, "gflop_per_s", r.gflop_per_s);
        pml_json_u64(&w, "weight_bytes", c->weight_bytes);
        pml_json_f64(&w, "gb_per_s", r.gb_per_s);
        pml_json_f64(&w, "read_gb_per_s", r.read_gb_per_s);
        pml_json_begin_array(&w, "runs_ms");
        for (size_t k = 0; k < c->n_runs; k++) {
            pml_json_f64(&w, NULL, c->runs_ms[k]);
        }
        pml_json_end_array(&w);
        pml_json_end_object(&w);
    }
    pml_json_end_array(&w);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

/* ---- rows of cells ---------------------------------------------------------------------------------------------- */
typedef struct row {
    char cells[MOST_CELLS][CELL_BYTES];
} row;

/* For people: what a test is in words, tokens per second where there are tokens. For programs: every figure. */
static const char *const titles[] = {"file",      "dtype", "MB",      "threads", "test",      "min ms",
                                     "median ms", "per s", "GFLOP/s", "GB/s",    "of reading"};
static const char *const csv_titles[MOST_CELLS] = {
    "file",   "dtype",     "file_bytes",    "threads",      "test",        "batch_size", "tokens",       "depth",
    "min_ms", "median_ms", "samples_per_s", "tokens_per_s", "gflop_per_s", "gb_per_s",   "read_gb_per_s"};

__attribute__((format(printf, 3, 4))) static void put(row *r, size_t i_cell, const char *format, ...) {
    va_list values;
    va_start(values, format);
    (void)vsnprintf(r->cells[i_cell], CELL_BYTES, format, values);
    va_end(values);
}

static void fill_row(const pml_bench_case *c, row *r) {
    const rates all = rate(c);
    const char *slash = strrchr(c->file->path, '/');
    put(r, 0, "%s", slash != NULL ? slash + 1 : c->file->path);
    put(r, 1, "%s", c->file->dtype);
    put(r, 2, "%.1f", (double)pml_file_size(c->file->loaded.file) * 1e-6);
    put(r, 3, "%zu", c->n_threads);
    name_test(c, r->cells[4]);
    put(r, 5, "%.4f", c->runs_ms[0]);
    put(r, 6, "%.4f", median(c));
    put(r, 7, "%.1f", c->n_tokens > 0 ? all.tokens_per_s : all.samples_per_s);
    put(r, 8, "%.1f", all.gflop_per_s);
    put(r, 9, "%.2f", all.gb_per_s);
    put(r, 10, "%.0f %%", all.read_gb_per_s > 0 ? 100 * all.gb_per_s / all.read_gb_per_s : 0);
}

static void fill_csv_row(const pml_bench_case *c, row *r) {
    const rates all = rate(c);
    put(r, 1, "%s", c->file->dtype);
    put(r, 2, "%" PRIu64, pml_file_size(c->file->loaded.file));
    put(r, 3, "%zu", c->n_threads);
    put(r, 4, "%s", test_names[c->test]);
    put(r, 5, "%zu", c->batch);
    put(r, 6, "%zu", c->n_tokens);
    put(r, 7, "%zu", c->depth);
    put(r, 8, "%.4f", c->runs_ms[0]);
    put(r, 9, "%.4f", median(c));
    put(r, 10, "%.1f", all.samples_per_s);
    put(r, 11, "%.1f", all.tokens_per_s);
    put(r, 12, "%.1f", all.gflop_per_s);
    put(r, 13, "%.2f", all.gb_per_s);
    put(r, 14, "%.2f", all.read_gb_per_s);
}

static void print_csv(const pml_bench_case *cases, size_t n_cases) {
    for (size_t i = 0; i < MOST_CELLS; i++) {
        (void)printf("%s%s", i > 0 ? "," : "", csv_titles[i]);
    }
    (void)putchar('\n');
    for (size_t i = 0; i < n_cases; i++) {
        row r;
        fill_csv_row(&cases[i], &r);
        pml_csv_write_field(stdout, cases[i].file->path);
        for (size_t k = 1; k < MOST_CELLS; k++) {
            (void)printf(",%s", r.cells[k]);
        }
        (void)putchar('\n');
    }
}

enum { N_CELLS = sizeof titles / sizeof titles[0], N_LEFT = 2, TEST_CELL = 4 };

static void print_cells(const row *r, const size_t *widths, bool is_markdown) {
    for (size_t i = 0; i < N_CELLS; i++) {
        const size_t width = pml_printable_width(r->cells[i]);
        const int padding = is_markdown || width > widths[i] ? 0 : (int)(widths[i] - width);
        const bool is_left = i < N_LEFT || i == TEST_CELL;
        (void)printf("%s%*s", is_markdown ? (i == 0 ? "| " : " | ") : (i == 0 ? "" : "  "), is_left ? 0 : padding, "");
        pml_printable_write(stdout, r->cells[i]);
        (void)printf("%*s", is_left && i + 1 < N_CELLS ? padding : 0, "");
    }
    (void)fputs(is_markdown ? " |\n" : "\n", stdout);
}

static void print_table(const pml_bench_case *cases, size_t n_cases, bool is_markdown) {
    size_t widths[N_CELLS] = {0};
    row r;
    for (size_t i = 0; i <= n_cases; i++) {
        for (size_t k = 0; k < N_CELLS && i == 0; k++) {
            put(&r, k, "%s", titles[k]);
        }
        if (i > 0) {
            fill_row(&cases[i - 1], &r);
        }
        for (size_t k = 0; k < N_CELLS; k++) {
            const size_t width = pml_printable_width(r.cells[k]);
            widths[k] = width > widths[k] ? width : widths[k];
        }
    }
    for (size_t i = 0; i <= n_cases; i++) {
        for (size_t k = 0; k < N_CELLS && i == 0; k++) {
            put(&r, k, "%s", titles[k]);
        }
        if (i > 0) {
            fill_row(&cases[i - 1], &r);
        }
        print_cells(&r, widths, is_markdown);
        if (i == 0 && is_markdown) {
            (void)puts("|---|---|--:|--:|---|--:|--:|--:|--:|--:|--:|");
        }
    }
}

pml_status pml_bench_print(const pml_bench_file *files, size_t n_files, pml_bench_case *cases, size_t n_cases,
                           const char *form, pml_error *error) {
    for (size_t i = 0; i < n_cases; i++) {
        qsort(cases[i].runs_ms, cases[i].n_runs, sizeof *cases[i].runs_ms, compare);
    }
    if (form != NULL && strcmp(form, "json") == 0) {
        return print_json(files, n_files, cases, n_cases, error);
    }
    if (form != NULL && strcmp(form, "csv") == 0) {
        print_csv(cases, n_cases);
    } else {
        print_table(cases, n_cases, form != NULL && strcmp(form, "md") == 0);
    }
    return PML_OK;
}
