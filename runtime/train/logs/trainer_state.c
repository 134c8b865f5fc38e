/* Writing, and the sink. */
#include "runtime/train/logs/trainer_state.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/publish_text.h"
#include "runtime/train/logs/log_sink.h"

pml_status pml_trainer_state_set_best(pml_trainer_state *s, double metric, const char *checkpoint, pml_error *error) {
    pml_status status = PML_OK;
    char *copy = NULL;
    if (checkpoint != NULL) {
        PML_TRY(pml_string_copy(checkpoint, strlen(checkpoint), &copy, error));
    }
    pml_free(s->best_model_checkpoint);
    s->best_model_checkpoint = copy;
    s->best_metric = metric;
    s->best_global_step = s->global_step;
    s->has_best = true;
done:
    return status;
}

void pml_trainer_state_deinit(pml_trainer_state *s) {
    pml_free(s->best_model_checkpoint);
    pml_log_history_deinit(&s->log_history);
    *s = (pml_trainer_state){0};
}

/* Members are in the order of their names, as Python sorts them; epoch and step lie among them. */
static int compare_values(const void *a, const void *b) {
    return strcmp(((const pml_log_value *)a)->name, ((const pml_log_value *)b)->name);
}

static void write_record(pml_json_writer *w, const pml_log_record *record) {
    pml_log_value values[PML_MAX_LOG_VALUES + 2];
    const size_t n = record->n_values;
    for (size_t i = 0; i < n; i++) {
        values[i] = record->values[i];
    }
    values[n] = (pml_log_value){"epoch", record->epoch};
    values[n + 1] = (pml_log_value){"step", 0};
    qsort(values, n + 2, sizeof *values, compare_values);
    pml_json_begin_object(w, NULL);
    for (size_t i = 0; i < n + 2; i++) {
        if (strcmp(values[i].name, "step") == 0) {
            pml_json_u64(w, "step", record->step);
        } else {
            pml_json_python_f64(w, values[i].name, values[i].value);
        }
    }
    pml_json_end_object(w);
}

static void write_control(pml_json_writer *w, const pml_trainer_state *s) {
    pml_json_begin_object(w, "TrainerControl");
    pml_json_begin_object(w, "args");
    pml_json_bool(w, "should_epoch_stop", false);
    pml_json_bool(w, "should_evaluate", false);
    pml_json_bool(w, "should_log", false);
    pml_json_bool(w, "should_save", true);
    pml_json_bool(w, "should_training_stop", s->is_stopping);
    pml_json_end_object(w);
    pml_json_begin_object(w, "attributes");
    pml_json_end_object(w);
    pml_json_end_object(w);
}

static void write_early_stopping(pml_json_writer *w, const pml_trainer_state *s) {
    pml_json_begin_object(w, "EarlyStoppingCallback");
    pml_json_begin_object(w, "args");
    pml_json_u64(w, "early_stopping_patience", s->early_stopping_patience);
    pml_json_python_f64(w, "early_stopping_threshold", s->early_stopping_threshold);
    pml_json_end_object(w);
    pml_json_begin_object(w, "attributes");
    pml_json_u64(w, "early_stopping_patience_counter", s->early_stopping_patience_counter);
    pml_json_end_object(w);
    pml_json_end_object(w);
}

static void write_best(pml_json_writer *w, const pml_trainer_state *s) {
    if (s->has_best) {
        pml_json_u64(w, "best_global_step", s->best_global_step);
        pml_json_python_f64(w, "best_metric", s->best_metric);
    } else {
        pml_json_null(w, "best_global_step");
        pml_json_null(w, "best_metric");
    }
    pml_json_string(w, "best_model_checkpoint", s->best_model_checkpoint);
}

static void write_state(FILE *stream, const void *user) {
    const pml_trainer_state *s = user;
    pml_json_writer w;
    pml_json_writer_init(&w, stream, true);
    pml_json_begin_object(&w, NULL);
    write_best(&w, s);
    pml_json_python_f64(&w, "epoch", s->epoch);
    pml_json_u64(&w, "eval_steps", s->eval_steps);
    pml_json_u64(&w, "global_step", s->global_step);
    pml_json_bool(&w, "is_hyper_param_search", false);
    pml_json_bool(&w, "is_local_process_zero", true);
    pml_json_bool(&w, "is_world_process_zero", true);
    pml_json_begin_array(&w, "log_history");
    for (size_t i = 0; i < s->log_history.n_entries; i++) {
        const pml_log_record record = pml_log_history_at(&s->log_history, i);
        write_record(&w, &record);
    }
    pml_json_end_array(&w);
    pml_json_u64(&w, "logging_steps", s->logging_steps);
    pml_json_u64(&w, "max_steps", s->max_steps);
    pml_json_u64(&w, "num_input_tokens_seen", s->num_input_tokens_seen);
    pml_json_u64(&w, "num_train_epochs", s->num_train_epochs);
    pml_json_u64(&w, "save_steps", s->save_steps);
    pml_json_begin_object(&w, "stateful_callbacks");
    if (s->has_early_stopping) {
        write_early_stopping(&w, s);
    }
    write_control(&w, s);
    pml_json_end_object(&w);
    pml_json_python_f64(&w, "total_flos", s->total_flos);
    if (s->train_batch_size > 0) {
        pml_json_u64(&w, "train_batch_size", s->train_batch_size);
    } else {
        pml_json_null(&w, "train_batch_size");
    }
    pml_json_null(&w, "trial_name");
    pml_json_null(&w, "trial_params");
    pml_json_end_object(&w);
    (void)fputc('\n', stream);
}

pml_status pml_trainer_state_write(const pml_trainer_state *state, const char *path, pml_error *error) {
    return pml_publish_text(path, write_state, state, error);
}

/* ---- the sink: publishes the state at each flush ---- */
typedef struct self {
    const pml_trainer_state *state;
    char *path;
} self;

static void sink_close(void *user) {
    self *s = user;
    pml_free(s->path);
    pml_free(s);
}

static pml_status sink_open(const pml_train_log_setup *setup, void **user, pml_error *error) {
    pml_status status = PML_OK;
    self *s = NULL;
    PML_TRY(pml_alloc(1, sizeof *s, &s, error));
    s->state = setup->state;
    PML_TRY(pml_log_path(setup->folder, PML_TRAINER_STATE_NAME, &s->path, error));
    *user = s;
done:
    if (status != PML_OK && s != NULL) {
        sink_close(s);
    }
    return status;
}

static pml_status sink_flush(void *user, pml_error *error) {
    const self *s = user;
    return pml_trainer_state_write(s->state, s->path, error);
}

const pml_log_sink pml_log_sink_trainer_state = {
    .name = "trainer_state",
    .summary = PML_TRAINER_STATE_NAME ", as Hugging Face's Trainer writes it",
    .open = sink_open,
    .flush = sink_flush,
    .close = sink_close,
};
