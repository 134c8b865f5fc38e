/* Reading a trainer_state.json. */
#include <math.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/input.h"
#include "runtime/base/json_reader.h"
#include "runtime/train/logs/trainer_state.h"

typedef enum kind { KIND_U64, KIND_F64 } kind;

typedef struct member { /* a number, or null, which leaves the zero */
    const char *name;
    kind kind;
    size_t offset;
} member;

#define U64(field)                                                                                                     \
    { #field, KIND_U64, offsetof(pml_trainer_state, field) }
#define F64(field)                                                                                                     \
    { #field, KIND_F64, offsetof(pml_trainer_state, field) }
static const member members[] = {
    U64(global_step),      U64(max_steps),  U64(num_train_epochs), U64(logging_steps),
    U64(eval_steps),       U64(save_steps), U64(train_batch_size), U64(num_input_tokens_seen),
    U64(best_global_step), F64(epoch),      F64(total_flos),       F64(best_metric)};
static const member early_stopping[] = {U64(early_stopping_patience), U64(early_stopping_patience_counter),
                                        F64(early_stopping_threshold)};
enum { N_MEMBERS = sizeof members / sizeof members[0], N_EARLY = sizeof early_stopping / sizeof early_stopping[0] };

typedef struct reading {
    pml_json_reader json;
    pml_trainer_state *state;
    bool was_seen[N_MEMBERS], has_checkpoint, has_history;
    char (*names)[PML_MAX_NAME_BYTES]; /* [PML_MAX_LOG_VALUES] of the record that is being read */
} reading;

static pml_status once(reading *r, bool *was_seen, pml_error *error) {
    if (*was_seen) {
        return pml_json_fail(&r->json, error, "a key twice");
    }
    *was_seen = true;
    return PML_OK;
}

/* A whole number may be written as a float: proportions become steps in the Trainer. */
static pml_status read_number(reading *r, const member *m, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_json_next(&r->json, error));
    if (r->json.token == PML_JSON_NULL) {
        goto done;
    }
    if (r->json.token != PML_JSON_NUMBER) {
        PML_TRY(pml_json_fail(&r->json, error, "a number or null belongs here"));
    }
    if (m->kind == KIND_F64) {
        memcpy((char *)r->state + m->offset, &r->json.number, sizeof(double));
        goto done;
    }
    if (!r->json.is_u64 && !(r->json.number >= 0 && r->json.number < 9e15 && floor(r->json.number) == r->json.number)) {
        PML_TRY(pml_json_fail(&r->json, error, "a whole number belongs here"));
    }
    const uint64_t value = r->json.is_u64 ? r->json.u64 : (uint64_t)r->json.number;
    memcpy((char *)r->state + m->offset, &value, sizeof value);
done:
    return status;
}

/* One member of a record; *n values so far. What is no number is passed over, as are texts in logs of others. */
static pml_status read_value(reading *r, pml_log_record *record, pml_log_value *values, bool has[2], pml_error *error) {
    pml_status status = PML_OK;
    const size_t n = record->n_values;
    if (n == PML_MAX_LOG_VALUES || r->json.text_bytes >= PML_MAX_NAME_BYTES) {
        PML_TRY(pml_json_fail(&r->json, error, "a record of too many values, or a name of too many bytes"));
    }
    memcpy(r->names[n], r->json.text, r->json.text_bytes + 1);
    PML_TRY(pml_json_next(&r->json, error));
    if (r->json.token != PML_JSON_NUMBER) {
        PML_TRY(pml_json_skip(&r->json, error));
    } else if (strcmp(r->names[n], "step") == 0) {
        if (has[0] || !r->json.is_u64) {
            PML_TRY(pml_json_fail(&r->json, error, "a step is one whole number"));
        }
        has[0] = true;
        record->step = r->json.u64;
    } else if (strcmp(r->names[n], "epoch") == 0) {
        if (has[1]) {
            PML_TRY(pml_json_fail(&r->json, error, "a key twice"));
        }
        has[1] = true;
        record->epoch = r->json.number;
    } else {
        values[n] = (pml_log_value){r->names[n], r->json.number};
        record->n_values++;
    }
done:
    return status;
}

static pml_status read_record(reading *r, pml_error *error) {
    pml_status status = PML_OK;
    pml_log_value values[PML_MAX_LOG_VALUES];
    pml_log_record record = {.values = values};
    bool has[2] = {false, false};
    for (;;) {
        PML_TRY(pml_json_next(&r->json, error));
        if (r->json.token == PML_JSON_OBJECT_END) {
            break;
        }
        PML_TRY(read_value(r, &record, values, has, error));
    }
    if (!has[0]) {
        PML_TRY(pml_json_fail(&r->json, error, "a record without a step"));
    }
    status = pml_log_history_add(&r->state->log_history, &record, error);
    if (status == PML_E_ARGUMENT) {
        PML_TRY(pml_json_fail(&r->json, error, "a record with a key twice, or an empty one"));
    }
    PML_TRY(pml_json_locate(&r->json, status, error));
done:
    return status;
}

static pml_status read_history(reading *r, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_json_expect(&r->json, PML_JSON_ARRAY_BEGIN, "a list of records", error));
    for (;;) {
        PML_TRY(pml_json_next(&r->json, error));
        if (r->json.token == PML_JSON_ARRAY_END) {
            break;
        }
        if (r->json.token != PML_JSON_OBJECT_BEGIN) {
            PML_TRY(pml_json_fail(&r->json, error, "a record is an object"));
        }
        PML_TRY(read_record(r, error));
    }
done:
    return status;
}

static pml_status read_checkpoint(reading *r, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(once(r, &r->has_checkpoint, error));
    PML_TRY(pml_json_next(&r->json, error));
    if (r->json.token == PML_JSON_STRING) {
        PML_TRY(pml_string_copy(r->json.text, r->json.text_bytes, &r->state->best_model_checkpoint, error));
    } else if (r->json.token != PML_JSON_NULL) {
        PML_TRY(pml_json_fail(&r->json, error, "a path or null belongs here"));
    }
done:
    return status;
}

/* Whatever lies in it at any depth; the reader limits the depth. */
static pml_status read_callbacks(reading *r, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_json_next(&r->json, error));
    if (r->json.token != PML_JSON_OBJECT_BEGIN) {
        PML_TRY(pml_json_skip(&r->json, error));
        goto done;
    }
    const unsigned inside = r->json.depth;
    while (r->json.depth >= inside) {
        size_t i = 0;
        PML_TRY(pml_json_next(&r->json, error));
        while (r->json.token == PML_JSON_KEY && i < N_EARLY && strcmp(r->json.text, early_stopping[i].name) != 0) {
            i++;
        }
        if (r->json.token == PML_JSON_KEY && strcmp(r->json.text, "EarlyStoppingCallback") == 0) {
            r->state->has_early_stopping = true;
        } else if (r->json.token == PML_JSON_KEY && strcmp(r->json.text, "should_training_stop") == 0) {
            PML_TRY(pml_json_next(&r->json, error));
            r->state->is_stopping = r->json.token == PML_JSON_TRUE;
        } else if (r->json.token == PML_JSON_KEY && i < N_EARLY) {
            PML_TRY(read_number(r, &early_stopping[i], error));
        }
    }
done:
    return status;
}

static pml_status read_member(reading *r, pml_error *error) {
    pml_status status = PML_OK;
    size_t i = 0;
    while (i < N_MEMBERS && strcmp(r->json.text, members[i].name) != 0) {
        i++;
    }
    if (i < N_MEMBERS) {
        PML_TRY(once(r, &r->was_seen[i], error));
        PML_TRY(read_number(r, &members[i], error));
        r->state->has_best |= strcmp(members[i].name, "best_metric") == 0 && r->json.token == PML_JSON_NUMBER;
    } else if (strcmp(r->json.text, "log_history") == 0) {
        PML_TRY(once(r, &r->has_history, error));
        PML_TRY(read_history(r, error));
    } else if (strcmp(r->json.text, "best_model_checkpoint") == 0) {
        PML_TRY(read_checkpoint(r, error));
    } else if (strcmp(r->json.text, "stateful_callbacks") == 0) {
        PML_TRY(read_callbacks(r, error));
    } else {
        PML_TRY(pml_json_skip(&r->json, error));
    }
done:
    return status;
}

pml_status pml_trainer_state_parse(const char *bytes, size_t size_bytes, const char *file_name,
                                   pml_trainer_state *state, pml_error *error) {
    pml_status status = PML_OK;
    reading r = {.state = state};
    pml_json_reader_init(&r.json, bytes, size_bytes, 0, file_name, PML_MAX_CONFIG_BYTES);
    r.json.has_python_numbers = true;
    PML_TRY(pml_alloc(PML_MAX_LOG_VALUES, sizeof *r.names, &r.names, error));
    PML_TRY(pml_json_expect(&r.json, PML_JSON_OBJECT_BEGIN, "the state of a trainer", error));
    for (;;) {
        PML_TRY(pml_json_next(&r.json, error));
        if (r.json.token == PML_JSON_OBJECT_END) {
            break;
        }
        PML_TRY(read_member(&r, error));
    }
    if (!r.has_history) {
        PML_TRY(pml_json_fail(&r.json, error, "no trainer's state: it has no log_history"));
    }
    PML_TRY(pml_json_expect(&r.json, PML_JSON_END, "the end of the state", error));
done:
    pml_free(r.names);
    pml_json_reader_deinit(&r.json);
    return status;
}

pml_status pml_trainer_state_read(const char *path, pml_trainer_state *state, pml_error *error) {
    pml_status status = PML_OK;
    char *bytes = NULL;
    size_t size_bytes = 0;
    PML_TRY(pml_input_read(path, PML_E_ARGUMENT, PML_MAX_JSON_BYTES, &bytes, &size_bytes, error));
    PML_TRY(pml_trainer_state_parse(bytes, size_bytes, path, state, error));
done:
    pml_free(bytes);
    return status;
}
