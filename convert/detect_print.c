/* Text shows the first names of long lists; JSON shows all. */
#include "convert/detect_print.h"

#include "runtime/base/json_writer.h"
#include "runtime/cli/printable.h"

#define SHOWN_NAMES 12u /* of missing and unexpected tensors, in text */

/* ---- text ---- */

static void print_text_line(FILE *stream, const char *label, const char *text) {
    fprintf(stream, "  %-11s ", label);
    pml_printable_write(stream, text);
    fputc('\n', stream);
}

static void print_names(FILE *stream, const char *label, char *const *names, size_t count) {
    if (count == 0) {
        return;
    }
    fprintf(stream, "  %-11s %zu\n", label, count);
    for (size_t i = 0; i < count && i < SHOWN_NAMES; i++) {
        fputs("                ", stream);
        pml_printable_write(stream, names[i]);
        fputc('\n', stream);
    }
    if (count > SHOWN_NAMES) {
        fprintf(stream, "                ... and %zu more (--json lists all)\n", count - SHOWN_NAMES);
    }
}

static void print_lines(FILE *stream, const char *label, char *const *lines, size_t count) {
    for (size_t i = 0; i < count; i++) {
        print_text_line(stream, i == 0 ? label : "", lines[i]);
    }
}

static void print_candidate(FILE *stream, const pml_detection *d) {
    fprintf(stream, "\n%s  %s%sscore %.3f  %s\n", d->mapper->name, d->dialect != NULL ? d->dialect : "",
            d->dialect != NULL ? "  " : "", d->score, d->accepted ? "accepted" : "rejected");
    if (d->variant != NULL) {
        print_text_line(stream, "variant", d->variant);
    }
    fprintf(stream, "  %-11s %zu\n", "matched", d->n_matched);
    print_names(stream, "missing", d->missing, d->n_missing);
    print_names(stream, "unexpected", d->unexpected, d->n_unexpected);
    print_names(stream, "mismatched", d->mismatched, d->n_mismatched);
    print_lines(stream, "assumed", d->assumed, d->n_assumed);
    print_lines(stream, "reasons", d->reasons, d->n_reasons);
    if (d->failed != NULL) {
        print_text_line(stream, "failed", d->failed);
    }
}

static pml_status print_text(const pml_source *source, const pml_detect_report *report, const pml_mapping *mapping,
                             const char *verdict, FILE *stream, pml_error *error) {
    pml_printable_write(stream, pml_source_path(source));
    fprintf(stream, ": %s, %zu tensors\n", pml_source_format(source)->name, pml_source_n_tensors(source));
    for (size_t i = 0; i < report->count; i++) {
        print_candidate(stream, &report->candidates[i]);
    }
    if (mapping != NULL) {
        fprintf(stream, "\nmapping: %zu weights from %zu tensors, %zu dropped\n", mapping->weights.count,
                pml_source_n_tensors(source) - mapping->n_dropped, mapping->n_dropped);
        print_lines(stream, "assumed", mapping->detection.assumed, mapping->detection.n_assumed);
        for (size_t i = 0; i < mapping->n_dropped; i++) {
            print_text_line(stream, i == 0 ? "dropped" : "", mapping->dropped[i].source->name);
            print_text_line(stream, "", mapping->dropped[i].reason != NULL ? mapping->dropped[i].reason : "");
        }
    }
    if (verdict != NULL) {
        fputs("\nnot convertible: ", stream);
        pml_printable_write(stream, verdict);
        fputc('\n', stream);
    }
    return fflush(stream) == 0 && !ferror(stream) ? PML_OK : PML_FAIL(error, PML_E_IO, "the output cannot be written");
}

/* ---- JSON ---- */

static void write_texts(pml_json_writer *w, const char *key, char *const *texts, size_t count) {
    pml_json_begin_array(w, key);
    for (size_t i = 0; i < count; i++) {
        pml_json_string(w, NULL, texts[i]);
    }
    pml_json_end_array(w);
}

static void write_candidate(pml_json_writer *w, const pml_detection *d) {
    pml_json_begin_object(w, NULL);
    pml_json_string(w, "family", d->mapper->name);
    pml_json_string(w, "dialect", d->dialect);
    pml_json_f64(w, "score", d->score);
    pml_json_bool(w, "accepted", d->accepted);
    pml_json_string(w, "variant", d->variant);
    pml_json_string(w, "failed", d->failed);
    pml_json_u64(w, "n_matched", d->n_matched);
    write_texts(w, "missing", d->missing, d->n_missing);
    write_texts(w, "unexpected", d->unexpected, d->n_unexpected);
    write_texts(w, "mismatched", d->mismatched, d->n_mismatched);
    write_texts(w, "assumed", d->assumed, d->n_assumed);
    write_texts(w, "reasons", d->reasons, d->n_reasons);
    pml_json_end_object(w);
}

static void write_mapping(pml_json_writer *w, const pml_mapping *mapping) {
    pml_json_begin_object(w, "mapping");
    pml_json_string(w, "family", mapping->schema->name);
    pml_json_u64(w, "n_weights", mapping->weights.count);
    write_texts(w, "assumed", mapping->detection.assumed, mapping->detection.n_assumed);
    pml_json_begin_array(w, "dropped");
    for (size_t i = 0; i < mapping->n_dropped; i++) {
        pml_json_begin_object(w, NULL);
        pml_json_string(w, "name", mapping->dropped[i].source->name);
        pml_json_string(w, "reason", mapping->dropped[i].reason);
        pml_json_end_object(w);
    }
    pml_json_end_array(w);
    pml_json_end_object(w);
}

static pml_status print_json(const pml_source *source, const pml_detect_report *report, const pml_mapping *mapping,
                             const char *verdict, FILE *stream, pml_error *error) {
    pml_json_writer w;
    pml_json_writer_init(&w, stream, true);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "path", pml_source_path(source));
    pml_json_string(&w, "format", pml_source_format(source)->name);
    pml_json_u64(&w, "n_tensors", pml_source_n_tensors(source));
    pml_json_begin_array(&w, "candidates");
    for (size_t i = 0; i < report->count; i++) {
        write_candidate(&w, &report->candidates[i]);
    }
    pml_json_end_array(&w);
    if (mapping != NULL) {
        write_mapping(&w, mapping);
    } else {
        pml_json_null(&w, "mapping");
    }
    pml_json_string(&w, "error", verdict);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

pml_status pml_detect_print(const pml_source *source, const pml_detect_report *report, const pml_mapping *mapping,
                            const char *verdict, bool json, FILE *stream, pml_error *error) {
    return json ? print_json(source, report, mapping, verdict, stream, error)
                : print_text(source, report, mapping, verdict, stream, error);
}
