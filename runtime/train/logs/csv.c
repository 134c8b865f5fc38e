/* log.csv: a line per record, a column per name, in the order in which names first came. A new name rewrites the file
 * with one more column; a resumed run writes it anew from its history, which ends where the run goes on. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/publish_text.h"
#include "runtime/series/csv.h"
#include "runtime/train/logs/log_sink.h"

typedef struct self {
    const pml_log_history *history;
    size_t n_columns; /* in the file, beside step and epoch */
    char *path;
    FILE *stream; /* at its end */
} self;

/* As Python's float() and C's strtod read it: nan, inf, -inf. */
static void write_number(FILE *stream, double value) {
    char text[PML_F64_TEXT_BYTES];
    (void)fputs(isnan(value) ? "nan" : isinf(value) ? (value < 0 ? "-inf" : "inf") : pml_f64_text(value, text), stream);
}

static void write_row(FILE *stream, const pml_log_history *h, const pml_log_record *record) {
    const size_t n_columns = pml_names_count(&h->names);
    (void)fprintf(stream, "%llu,", (unsigned long long)record->step);
    write_number(stream, record->epoch);
    for (size_t c = 0; c < n_columns; c++) {
        double value = 0;
        (void)fputc(',', stream);
        if (pml_log_record_find(record, pml_names_at(&h->names, c), &value)) {
            write_number(stream, value);
        }
    }
    (void)fputc('\n', stream);
}

static void write_all(FILE *stream, const void *user) {
    const pml_log_history *h = user;
    (void)fputs("step,epoch", stream);
    for (size_t c = 0; c < pml_names_count(&h->names); c++) {
        (void)fputc(',', stream);
        pml_csv_write_field(stream, pml_names_at(&h->names, c));
    }
    (void)fputc('\n', stream);
    for (size_t i = 0; i < h->n_entries; i++) {
        const pml_log_record record = pml_log_history_at(h, i);
        write_row(stream, h, &record);
    }
}

/* Replaces the file by one of the whole history, and goes on at its end. */
static pml_status rewrite(self *s, pml_error *error) {
    pml_status status = PML_OK;
    if (s->stream != NULL) {
        (void)fclose(s->stream);
        s->stream = NULL;
    }
    PML_TRY(pml_publish_text(s->path, write_all, s->history, error));
    s->n_columns = pml_names_count(&s->history->names);
    s->stream = fopen(s->path, "ae");
    if (s->stream == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "cannot write %s: %s", s->path, strerror(errno)));
    }
done:
    return status;
}

static void sink_close(void *user) {
    self *s = user;
    if (s->stream != NULL) {
        (void)fclose(s->stream);
    }
    pml_free(s->path);
    pml_free(s);
}

static pml_status sink_open(const pml_train_log_setup *setup, void **user, pml_error *error) {
    pml_status status = PML_OK;
    self *s = NULL;
    PML_TRY(pml_alloc(1, sizeof *s, &s, error));
    s->history = &setup->state->log_history;
    PML_TRY(pml_log_path(setup->folder, "log.csv", &s->path, error));
    PML_TRY(rewrite(s, error));
    *user = s;
done:
    if (status != PML_OK && s != NULL) {
        sink_close(s);
    }
    return status;
}

static pml_status sink_write(void *user, const pml_log_record *record, pml_error *error) {
    pml_status status = PML_OK;
    self *s = user;
    if (s->stream == NULL || pml_names_count(&s->history->names) != s->n_columns) {
        PML_TRY(rewrite(s, error));
        goto done;
    }
    write_row(s->stream, s->history, record);
    if (fflush(s->stream) != 0) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "cannot write %s: %s", s->path, strerror(errno)));
    }
done:
    return status;
}

const pml_log_sink pml_log_sink_csv = {
    .name = "csv",
    .summary = "log.csv, a line per record",
    .open = sink_open,
    .write = sink_write,
    .close = sink_close,
};
