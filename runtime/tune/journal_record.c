#include "runtime/tune/journal_record.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"

enum { MOST_STRING_BYTES = 16 << 20, MOST_PARAMETERS = 4096, MOST_REPORTS = 1 << 17 };

typedef pml_status read_fn(pml_json_reader *r, pml_journal_record *record, pml_error *error);

/* ---- single members ---- */
static pml_status read_index(pml_json_reader *r, uint64_t *number, pml_error *error) {
    pml_status status = pml_json_expect(r, PML_JSON_NUMBER, "a number", error);
    if (status == PML_OK && !r->is_u64) {
        status = pml_json_fail(r, error, "expected a whole number from 0 on");
    }
    *number = r->u64;
    return status;
}

static pml_status read_text(pml_json_reader *r, char **text, pml_error *error) {
    pml_status status = pml_json_expect(r, PML_JSON_STRING, "a text", error);
    if (status == PML_OK && *text != NULL) {
        status = pml_json_fail(r, error, "a member is there twice");
    }
    return status == PML_OK ? pml_string_copy(r->text, r->text_bytes, text, error) : status;
}

static pml_status read_time(pml_json_reader *r, char text[PML_TRIAL_TIME_BYTES], pml_error *error) {
    pml_status status = pml_json_next(r, error);
    if (status == PML_OK && r->token == PML_JSON_STRING) {
        (void)snprintf(text, PML_TRIAL_TIME_BYTES, "%s", r->text);
    } else if (status == PML_OK && r->token != PML_JSON_NULL) {
        status = pml_json_fail(r, error, "expected a time");
    }
    return status;
}

static pml_status read_op(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    return read_index(r, &record->op, error);
}

static pml_status read_worker(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    return read_text(r, &record->worker, error);
}

static pml_status read_study_id(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    record->has_study_id = true;
    return read_index(r, &record->study_id, error);
}

static pml_status read_trial_id(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    record->has_trial_id = true;
    return read_index(r, &record->trial_id, error);
}

static pml_status read_study_name(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    return read_text(r, &record->study_name, error);
}

static pml_status read_started(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    return read_time(r, record->started, error);
}

static pml_status read_completed(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    return read_time(r, record->completed, error);
}

static pml_status read_state(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    const pml_status status = read_index(r, &record->state, error);
    record->has_state = status == PML_OK;
    return status == PML_OK && record->state >= PML_TRIAL_STATES ? pml_json_fail(r, error, "an unknown state") : status;
}

static pml_status read_directions(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_json_expect(r, PML_JSON_ARRAY_BEGIN, "an array", error));
    for (;;) {
        PML_TRY(pml_json_next(r, error));
        if (r->token == PML_JSON_ARRAY_END) {
            break;
        }
        if (!r->is_u64 || r->u64 > PML_STUDY_MAXIMIZE) {
            PML_TRY(pml_json_fail(r, error, "an unknown direction"));
        }
        if (record->n_directions < 2) {
            record->directions[record->n_directions] = r->u64;
        }
        record->n_directions++;
    }
done:
    return status;
}

/* The current token is a number, or null, which is no value. */
static pml_status take_value(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    if (r->token == PML_JSON_NULL) {
        return PML_OK;
    }
    if (r->token != PML_JSON_NUMBER) {
        return pml_json_fail(r, error, "expected a number");
    }
    record->value = record->n_values == 0 ? r->number : record->value;
    record->n_values++;
    return PML_OK;
}

static pml_status read_value(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    const pml_status status = pml_json_next(r, error);
    return status == PML_OK ? take_value(r, record, error) : status;
}

static pml_status read_values(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_json_next(r, error));
    if (r->token == PML_JSON_NULL) {
        goto done;
    }
    if (r->token != PML_JSON_ARRAY_BEGIN) {
        PML_TRY(pml_json_fail(r, error, "expected an array"));
    }
    for (;;) {
        PML_TRY(pml_json_next(r, error));
        if (r->token == PML_JSON_ARRAY_END) {
            break;
        }
        PML_TRY(take_value(r, record, error));
    }
done:
    return status;
}

/* ---- parameters: their names, values and distributions come in separate objects ---- */
static pml_status find_parameter(pml_journal_record *record, const char *name, size_t length,
                                 pml_record_parameter **found, pml_error *error) {
    pml_status status = PML_OK;
    char *copy = NULL;
    for (size_t i = 0; i < record->n_parameters; i++) {
        if (strlen(record->parameters[i].name) == length && memcmp(record->parameters[i].name, name, length) == 0) {
            *found = &record->parameters[i];
            goto done;
        }
    }
    PML_TRY(pml_string_copy(name, length, &copy, error));
    status = pml_grow(&record->parameters, &record->parameter_capacity, record->n_parameters + 1,
                      sizeof *record->parameters, MOST_PARAMETERS, "parameters", error);
    if (status != PML_OK) {
        pml_free(copy);
        goto done;
    }
    *found = &record->parameters[record->n_parameters++];
    **found = (pml_record_parameter){.name = copy};
done:
    return status;
}

/* The one parameter of a PARAMETER record, whose name may come after its value. */
static pml_status one_parameter(pml_journal_record *record, pml_record_parameter **found, pml_error *error) {
    if (record->n_parameters > 0) {
        *found = &record->parameters[0];
        return PML_OK;
    }
    return find_parameter(record, "", 0, found, error);
}

static pml_status read_param_name(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    pml_record_parameter *p = NULL;
    pml_status status = one_parameter(record, &p, error);
    if (status == PML_OK) {
        pml_free(p->name);
        p->name = NULL;
        status = read_text(r, &p->name, error);
    }
    return status;
}

static pml_status read_param_value(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    pml_record_parameter *p = NULL;
    pml_status status = one_parameter(record, &p, error);
    if (status == PML_OK) {
        status = pml_json_expect(r, PML_JSON_NUMBER, "a number", error);
        p->value = r->number;
        p->has_value = true;
    }
    return status;
}

static pml_status read_distribution(pml_json_reader *r, pml_record_parameter *p, pml_error *error) {
    pml_status status = pml_json_expect(r, PML_JSON_STRING, "a distribution", error);
    if (status == PML_OK && p->has_distribution) {
        status = pml_json_fail(r, error, "a distribution is there twice");
    }
    if (status == PML_OK) {
        status = pml_distribution_read(r->text, r->text_bytes, r->file_name, &p->distribution, error);
        p->has_distribution = status == PML_OK;
    }
    return status;
}

static pml_status read_one_distribution(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    pml_record_parameter *p = NULL;
    const pml_status status = one_parameter(record, &p, error);
    return status == PML_OK ? read_distribution(r, p, error) : status;
}

static pml_status read_params(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_json_expect(r, PML_JSON_OBJECT_BEGIN, "an object", error));
    for (;;) {
        pml_record_parameter *p = NULL;
        PML_TRY(pml_json_next(r, error));
        if (r->token == PML_JSON_OBJECT_END) {
            break;
        }
        PML_TRY(find_parameter(record, r->text, r->text_bytes, &p, error));
        PML_TRY(pml_json_expect(r, PML_JSON_NUMBER, "a number", error));
        p->value = r->number;
        p->has_value = true;
    }
done:
    return status;
}

static pml_status read_distributions(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_json_expect(r, PML_JSON_OBJECT_BEGIN, "an object", error));
    for (;;) {
        pml_record_parameter *p = NULL;
        PML_TRY(pml_json_next(r, error));
        if (r->token == PML_JSON_OBJECT_END) {
            break;
        }
        PML_TRY(find_parameter(record, r->text, r->text_bytes, &p, error));
        PML_TRY(read_distribution(r, p, error));
    }
done:
    return status;
}

/* ---- reports ---- */
static pml_status add_report(pml_journal_record *record, pml_trial_report **report, pml_error *error) {
    const pml_status status = pml_grow(&record->reports, &record->report_capacity, record->n_reports + 1,
                                       sizeof *record->reports, MOST_REPORTS, "intermediate values", error);
    if (status == PML_OK) {
        *report = &record->reports[record->n_reports++];
        **report = (pml_trial_report){0, NAN};
    }
    return status;
}

static pml_status one_report(pml_journal_record *record, pml_trial_report **report, pml_error *error) {
    if (record->n_reports > 0) {
        *report = &record->reports[0];
        return PML_OK;
    }
    return add_report(record, report, error);
}

static pml_status read_step(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    pml_trial_report *report = NULL;
    pml_status status = one_report(record, &report, error);
    if (status == PML_OK) {
        status = pml_json_expect(r, PML_JSON_NUMBER, "a number", error);
        report->step = r->i64;
    }
    return status == PML_OK && !r->is_i64 ? pml_json_fail(r, error, "a step is a whole number") : status;
}

static pml_status read_report_value(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    pml_trial_report *report = NULL;
    pml_status status = one_report(record, &report, error);
    if (status == PML_OK) {
        status = pml_json_expect(r, PML_JSON_NUMBER, "a number", error);
        report->value = r->number;
    }
    return status;
}

static pml_status read_reports(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_json_expect(r, PML_JSON_OBJECT_BEGIN, "an object", error));
    for (;;) {
        pml_trial_report *report = NULL;
        char *end = NULL;
        PML_TRY(pml_json_next(r, error));
        if (r->token == PML_JSON_OBJECT_END) {
            break;
        }
        PML_TRY(add_report(record, &report, error));
        report->step = strtoll(r->text, &end, 10);
        if (end == r->text || *end != '\0') {
            PML_TRY(pml_json_fail(r, error, "a step is a whole number"));
        }
        PML_TRY(pml_json_expect(r, PML_JSON_NUMBER, "a number", error));
        report->value = r->number;
    }
done:
    return status;
}

/* ---- attributes: kept as the text that they are ---- */
static pml_status read_attributes(pml_json_reader *r, pml_attributes *attributes, pml_error *error) {
    pml_status status = PML_OK;
    char *key = NULL, *json = NULL;
    PML_TRY(pml_json_expect(r, PML_JSON_OBJECT_BEGIN, "an object", error));
    for (;;) {
        PML_TRY(pml_json_next(r, error));
        if (r->token == PML_JSON_OBJECT_END) {
            break;
        }
        PML_TRY(pml_string_copy(r->text, r->text_bytes, &key, error));
        PML_TRY(pml_json_next(r, error));
        const size_t start = r->token_offset;
        PML_TRY(pml_json_skip(r, error));
        PML_TRY(pml_string_copy((const char *)r->bytes + start, r->position - start, &json, error));
        status = pml_attributes_put(attributes, key, json, error);
        key = json = NULL;
        PML_TRY(status);
    }
done:
    pml_free(key);
    pml_free(json);
    return status;
}

static pml_status read_user(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    return read_attributes(r, &record->user, error);
}

static pml_status read_system(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    return read_attributes(r, &record->system, error);
}

/* ---- the record ---- */
static const struct {
    const char *key;
    read_fn *read;
} members[] = {{"op_code", read_op},
               {"worker_id", read_worker},
               {"study_id", read_study_id},
               {"trial_id", read_trial_id},
               {"study_name", read_study_name},
               {"directions", read_directions},
               {"datetime_start", read_started},
               {"datetime_complete", read_completed},
               {"state", read_state},
               {"value", read_value},
               {"values", read_values},
               {"param_name", read_param_name},
               {"param_value_internal", read_param_value},
               {"distribution", read_one_distribution},
               {"params", read_params},
               {"distributions", read_distributions},
               {"step", read_step},
               {"intermediate_value", read_report_value},
               {"intermediate_values", read_reports},
               {"user_attr", read_user},
               {"user_attrs", read_user},
               {"system_attr", read_system},
               {"system_attrs", read_system}};

static pml_status read_member(pml_json_reader *r, pml_journal_record *record, pml_error *error) {
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (strcmp(members[i].key, r->text) == 0) {
            return members[i].read(r, record, error);
        }
    }
    return pml_json_skip(r, error);
}

static bool parameters_are_whole(const pml_journal_record *record) {
    for (size_t i = 0; i < record->n_parameters; i++) {
        const pml_record_parameter *p = &record->parameters[i];
        if (!p->has_value || !p->has_distribution || !isfinite(p->value) ||
            (p->distribution.kind == PML_DISTRIBUTION_CATEGORICAL &&
             !pml_distribution_contains(&p->distribution, p->value)) ||
            (p->distribution.kind == PML_DISTRIBUTION_INT && fabs(p->value) > 0x1p62)) {
            return false;
        }
    }
    return true;
}

/* What the operation cannot do without. */
static const char *missing(const pml_journal_record *record) {
    switch (record->op) {
    case PML_JOURNAL_CREATE_STUDY:
        return record->study_name == NULL || record->n_directions == 0 ? "a study needs study_name and directions"
                                                                       : NULL;
    case PML_JOURNAL_DELETE_STUDY:
    case PML_JOURNAL_STUDY_USER_ATTRIBUTE:
    case PML_JOURNAL_STUDY_SYSTEM_ATTRIBUTE:
        return !record->has_study_id ? "study_id is missing" : NULL;
    case PML_JOURNAL_CREATE_TRIAL:
        return !record->has_study_id           ? "study_id is missing"
               : !parameters_are_whole(record) ? "params and distributions do not fit each other"
                                               : NULL;
    case PML_JOURNAL_PARAMETER:
        return !record->has_trial_id                                        ? "trial_id is missing"
               : record->n_parameters != 1 || !parameters_are_whole(record) ? "a parameter that is not complete"
                                                                            : NULL;
    case PML_JOURNAL_STATE:
        return !record->has_trial_id || !record->has_state ? "trial_id or state is missing" : NULL;
    case PML_JOURNAL_REPORT:
        return !record->has_trial_id || record->n_reports != 1 ? "trial_id or the value is missing" : NULL;
    case PML_JOURNAL_USER_ATTRIBUTE:
    case PML_JOURNAL_SYSTEM_ATTRIBUTE:
        return !record->has_trial_id ? "trial_id is missing" : NULL;
    default:
        return NULL;
    }
}

pml_status pml_journal_record_read(const char *line, size_t size_bytes, const char *file_name,
                                   pml_journal_record *record, pml_error *error) {
    pml_status status = PML_OK;
    pml_json_reader reader;
    *record = (pml_journal_record){.op = UINT64_MAX};
    pml_json_reader_init(&reader, line, size_bytes, 0, file_name, MOST_STRING_BYTES);
    reader.has_python_numbers = true;
    PML_TRY(pml_json_expect(&reader, PML_JSON_OBJECT_BEGIN, "an object", error));
    for (;;) {
        PML_TRY(pml_json_next(&reader, error));
        if (reader.token == PML_JSON_OBJECT_END) {
            break;
        }
        PML_TRY(read_member(&reader, record, error));
    }
    PML_TRY(pml_json_expect(&reader, PML_JSON_END, "nothing more", error));
    if (record->op > PML_JOURNAL_DISCARD) {
        PML_TRY(PML_FAIL(error, record->op == UINT64_MAX ? PML_E_FORMAT : PML_E_UNSUPPORTED,
                         "%s: a record without an op_code that is known", file_name));
    }
    const char *fault = record->worker == NULL ? "worker_id is missing" : missing(record);
    if (fault != NULL) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: %s", file_name, fault));
    }
done:
    pml_json_reader_deinit(&reader);
    if (status != PML_OK) {
        pml_journal_record_deinit(record);
    }
    return status;
}

void pml_journal_record_deinit(pml_journal_record *record) {
    for (size_t i = 0; i < record->n_parameters; i++) {
        pml_free(record->parameters[i].name);
        pml_distribution_deinit(&record->parameters[i].distribution);
    }
    pml_free(record->parameters);
    pml_free(record->reports);
    pml_free(record->worker);
    pml_free(record->study_name);
    pml_attributes_deinit(&record->user);
    pml_attributes_deinit(&record->system);
    *record = (pml_journal_record){0};
}
