/* Distributions and values as JSON: Optuna's encoding, in which one is a string that holds an object of its own. */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/tune/distribution.h"

enum { MOST_CHOICES = 65536, MOST_TEXT_BYTES = 1 << 20 };

static void write_choice(const pml_choice *choice, pml_json_writer *w, const char *key) {
    switch (choice->kind) {
    case PML_CHOICE_NULL:
        pml_json_null(w, key);
        break;
    case PML_CHOICE_BOOL:
        pml_json_bool(w, key, choice->integer != 0);
        break;
    case PML_CHOICE_INT:
        pml_json_i64(w, key, choice->integer);
        break;
    case PML_CHOICE_FLOAT:
        pml_json_python_f64(w, key, choice->number);
        break;
    case PML_CHOICE_TEXT:
        pml_json_string(w, key, choice->text);
        break;
    }
}

static void write_object(const pml_distribution *d, pml_json_writer *w) {
    static const char *const names[] = {"FloatDistribution", "IntDistribution", "CategoricalDistribution"};
    pml_json_begin_object(w, NULL);
    pml_json_string(w, "name", names[d->kind]);
    pml_json_begin_object(w, "attributes");
    if (d->kind == PML_DISTRIBUTION_CATEGORICAL) {
        pml_json_begin_array(w, "choices");
        for (size_t i = 0; i < d->n_choices; i++) {
            write_choice(&d->choices[i], w, NULL);
        }
        pml_json_end_array(w);
    } else if (d->kind == PML_DISTRIBUTION_INT) {
        pml_json_bool(w, "log", d->log);
        pml_json_i64(w, "step", (int64_t)d->step);
        pml_json_i64(w, "low", (int64_t)d->low);
        pml_json_i64(w, "high", (int64_t)d->high);
    } else {
        if (d->step > 0) {
            pml_json_python_f64(w, "step", d->step);
        } else {
            pml_json_null(w, "step");
        }
        pml_json_python_f64(w, "low", d->low);
        pml_json_python_f64(w, "high", d->high);
        pml_json_bool(w, "log", d->log);
    }
    pml_json_end_object(w);
    pml_json_end_object(w);
}

pml_status pml_distribution_write(const pml_distribution *d, pml_json_writer *w, const char *key, pml_error *error) {
    char *text = NULL;
    size_t size_bytes = 0;
    FILE *stream = open_memstream(&text, &size_bytes);
    if (stream == NULL) {
        return PML_FAIL(error, PML_E_MEMORY, "out of memory: a distribution");
    }
    pml_json_writer inner;
    pml_json_writer_init(&inner, stream, false);
    write_object(d, &inner);
    const bool failed = ferror(stream) != 0;
    if (fclose(stream) != 0 || failed) {
        free(text);
        return PML_FAIL(error, PML_E_MEMORY, "out of memory: a distribution");
    }
    pml_json_text(w, key, text, size_bytes);
    free(text);
    return PML_OK;
}

void pml_distribution_value_write(const pml_distribution *d, double value, pml_json_writer *w, const char *key) {
    if (d->kind == PML_DISTRIBUTION_CATEGORICAL) {
        write_choice(&d->choices[(size_t)value], w, key);
    } else if (d->kind == PML_DISTRIBUTION_INT) {
        pml_json_i64(w, key, (int64_t)value);
    } else {
        pml_json_f64(w, key, value);
    }
}

pml_status pml_distribution_value_text(const pml_distribution *d, double value, char **text, pml_error *error) {
    char number[PML_F64_TEXT_BYTES];
    const char *shown = number;
    const pml_choice *choice = d->kind == PML_DISTRIBUTION_CATEGORICAL ? &d->choices[(size_t)value] : NULL;
    if (choice == NULL) {
        shown = pml_f64_text(value, number);
    } else if (choice->kind == PML_CHOICE_TEXT) {
        shown = choice->text;
    } else if (choice->kind == PML_CHOICE_FLOAT) {
        shown = isnan(choice->number) ? "nan" : pml_f64_text(choice->number, number);
    } else if (choice->kind == PML_CHOICE_INT) {
        (void)snprintf(number, sizeof number, "%lld", (long long)choice->integer);
    } else {
        shown = choice->kind == PML_CHOICE_NULL ? "null" : choice->integer != 0 ? "true" : "false";
    }
    return pml_string_copy(shown, strlen(shown), text, error);
}

/* ---- reading ---- */
pml_status pml_choice_read(pml_json_reader *reader, pml_choice *choice, pml_error *error) {
    *choice = (pml_choice){0};
    switch (reader->token) {
    case PML_JSON_NULL:
        return PML_OK;
    case PML_JSON_TRUE:
    case PML_JSON_FALSE:
        *choice = (pml_choice){.kind = PML_CHOICE_BOOL, .integer = reader->token == PML_JSON_TRUE};
        return PML_OK;
    case PML_JSON_NUMBER:
        *choice = reader->is_i64 ? (pml_choice){.kind = PML_CHOICE_INT, .integer = reader->i64}
                                 : (pml_choice){.kind = PML_CHOICE_FLOAT, .number = reader->number};
        return PML_OK;
    case PML_JSON_STRING:
        choice->kind = PML_CHOICE_TEXT;
        return pml_string_copy(reader->text, reader->text_bytes, &choice->text, error);
    case PML_JSON_END:
    case PML_JSON_OBJECT_BEGIN:
    case PML_JSON_OBJECT_END:
    case PML_JSON_ARRAY_BEGIN:
    case PML_JSON_ARRAY_END:
    case PML_JSON_KEY:
        break;
    }
    return pml_json_fail(reader, error, "a choice is a text, a number, true, false or null");
}

static pml_status read_choices(pml_json_reader *reader, pml_distribution *d, pml_error *error) {
    pml_status status = PML_OK;
    size_t capacity = d->n_choices;
    if (d->choices != NULL) {
        PML_TRY(pml_json_fail(reader, error, "choices are given twice"));
    }
    PML_TRY(pml_json_expect(reader, PML_JSON_ARRAY_BEGIN, "an array of choices", error));
    for (;;) {
        PML_TRY(pml_json_next(reader, error));
        if (reader->token == PML_JSON_ARRAY_END) {
            break;
        }
        PML_TRY(pml_grow(&d->choices, &capacity, d->n_choices + 1, sizeof *d->choices, MOST_CHOICES, "choices", error));
        PML_TRY(pml_choice_read(reader, &d->choices[d->n_choices], error));
        d->n_choices++;
    }
done:
    return status;
}

typedef struct class_name { /* of the file; the older ones say by their name what newer ones say by a member */
    const char *name;
    pml_distribution_kind kind;
    bool log;
} class_name;

static const class_name classes[] = {{"FloatDistribution", PML_DISTRIBUTION_FLOAT, false},
                                     {"float", PML_DISTRIBUTION_FLOAT, false},
                                     {"UniformDistribution", PML_DISTRIBUTION_FLOAT, false},
                                     {"LogUniformDistribution", PML_DISTRIBUTION_FLOAT, true},
                                     {"DiscreteUniformDistribution", PML_DISTRIBUTION_FLOAT, false},
                                     {"IntDistribution", PML_DISTRIBUTION_INT, false},
                                     {"int", PML_DISTRIBUTION_INT, false},
                                     {"IntUniformDistribution", PML_DISTRIBUTION_INT, false},
                                     {"IntLogUniformDistribution", PML_DISTRIBUTION_INT, true},
                                     {"CategoricalDistribution", PML_DISTRIBUTION_CATEGORICAL, false},
                                     {"categorical", PML_DISTRIBUTION_CATEGORICAL, false}};

typedef struct seen { /* of an object that is being read */
    const class_name *class;
    bool has_low, has_high, has_step;
} seen;

static pml_status read_number(pml_json_reader *reader, double *number, bool *has, pml_error *error) {
    pml_status status = pml_json_next(reader, error);
    if (status == PML_OK && reader->token == PML_JSON_NULL) {
        return PML_OK;
    }
    if (status == PML_OK && reader->token != PML_JSON_NUMBER) {
        return pml_json_fail(reader, error, "a number is expected here");
    }
    *number = reader->number;
    *has = true;
    return status;
}

static pml_status read_class(pml_json_reader *reader, seen *s, pml_error *error) {
    pml_status status = pml_json_expect(reader, PML_JSON_STRING, "the name of a distribution", error);
    for (size_t i = 0; status == PML_OK && i < sizeof classes / sizeof classes[0]; i++) {
        if (strcmp(classes[i].name, reader->text) == 0) {
            s->class = &classes[i];
            return PML_OK;
        }
    }
    return status != PML_OK
               ? status
               : PML_FAIL(error, PML_E_UNSUPPORTED, "%s: an unknown kind of distribution", reader->file_name);
}

static pml_status read_members(pml_json_reader *reader, bool is_inner, pml_distribution *d, seen *s, pml_error *error);

static pml_status read_member(pml_json_reader *reader, bool is_inner, pml_distribution *d, seen *s, pml_error *error) {
    char key[16];
    (void)snprintf(key, sizeof key, "%s", reader->text);
    if (!is_inner && (strcmp(key, "name") == 0 || strcmp(key, "type") == 0)) {
        return read_class(reader, s, error);
    }
    if (!is_inner && strcmp(key, "attributes") == 0) {
        const pml_status status = pml_json_expect(reader, PML_JSON_OBJECT_BEGIN, "an object", error);
        return status == PML_OK ? read_members(reader, true, d, s, error) : status;
    }
    if (strcmp(key, "low") == 0) {
        return read_number(reader, &d->low, &s->has_low, error);
    }
    if (strcmp(key, "high") == 0) {
        return read_number(reader, &d->high, &s->has_high, error);
    }
    if (strcmp(key, "step") == 0 || strcmp(key, "q") == 0) {
        return read_number(reader, &d->step, &s->has_step, error);
    }
    if (strcmp(key, "choices") == 0) {
        return read_choices(reader, d, error);
    }
    if (strcmp(key, "log") == 0) {
        const pml_status status = pml_json_next(reader, error);
        d->log = status == PML_OK && reader->token == PML_JSON_TRUE;
        return status == PML_OK && !d->log && reader->token != PML_JSON_FALSE
                   ? pml_json_fail(reader, error, "log is true or false")
                   : status;
    }
    return pml_json_skip(reader, error);
}

static pml_status read_members(pml_json_reader *reader, bool is_inner, pml_distribution *d, seen *s, pml_error *error) {
    pml_status status = PML_OK;
    for (;;) {
        PML_TRY(pml_json_next(reader, error));
        if (reader->token == PML_JSON_OBJECT_END) {
            break;
        }
        PML_TRY(read_member(reader, is_inner, d, s, error));
    }
done:
    return status;
}

pml_status pml_distribution_read(const char *json, size_t size_bytes, const char *file_name, pml_distribution *d,
                                 pml_error *error) {
    pml_status status = PML_OK;
    pml_json_reader reader;
    pml_distribution read = {0};
    seen s = {0};
    pml_json_reader_init(&reader, json, size_bytes, 0, file_name, MOST_TEXT_BYTES);
    reader.has_python_numbers = true;
    PML_TRY(pml_json_expect(&reader, PML_JSON_OBJECT_BEGIN, "a distribution", error));
    PML_TRY(read_members(&reader, false, &read, &s, error));
    PML_TRY(pml_json_expect(&reader, PML_JSON_END, "nothing more", error));
    if (s.class == NULL || (s.class->kind != PML_DISTRIBUTION_CATEGORICAL && !(s.has_low && s.has_high))) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: a distribution without its kind or range", file_name));
    }
    read.kind = s.class->kind;
    read.log = read.log || s.class->log;
    if (read.kind == PML_DISTRIBUTION_INT && (!s.has_step || read.log)) {
        read.step = 1;
    }
    PML_TRY(pml_distribution_check(&read, error));
    *d = read;
    read = (pml_distribution){0};
done:
    pml_distribution_deinit(&read);
    pml_json_reader_deinit(&reader);
    return status;
}
