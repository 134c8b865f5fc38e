/* Records as Optuna writes them. */
#include <stdlib.h>
#include <time.h>

#include "runtime/tune/study_private.h"

pml_status pml_record_begin(pml_study *study, pml_journal_op op, pml_error *error) {
    if (study->stream == NULL) {
        study->stream = open_memstream(&study->text, &study->size_bytes);
        if (study->stream == NULL) {
            return PML_FAIL(error, PML_E_MEMORY, "out of memory: a record");
        }
    }
    pml_json_writer_init(&study->writer, study->stream, false);
    pml_json_begin_object(&study->writer, NULL);
    pml_json_u64(&study->writer, "op_code", op);
    pml_json_string(&study->writer, "worker_id", study->mark);
    return PML_OK;
}

void pml_record_end(pml_study *study) {
    pml_json_end_object(&study->writer);
    (void)fputc('\n', study->stream);
}

void pml_records_forget(pml_study *study) {
    if (study->stream != NULL) {
        (void)fclose(study->stream);
        free(study->text);
        study->stream = NULL;
        study->text = NULL;
    }
}

pml_status pml_records_append(pml_study *study, pml_error *error) {
    pml_status status = PML_OK;
    if (study->stream == NULL) {
        return PML_OK;
    }
    const bool failed = fflush(study->stream) != 0 || ferror(study->stream) != 0;
    status = failed ? PML_FAIL(error, PML_E_MEMORY, "out of memory: a record")
                    : pml_journal_append(study->journal, study->text, study->size_bytes, error);
    pml_records_forget(study);
    return status;
}

void pml_record_time(char text[PML_TRIAL_TIME_BYTES]) {
    struct timespec now;
    struct tm parts;
    char seconds[20] = "";
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &parts);
    (void)strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(text, PML_TRIAL_TIME_BYTES, "%s.%06u+00:00", seconds, (unsigned)(now.tv_nsec / 1000));
}

pml_status pml_record_state(pml_study *study, uint64_t trial_id, pml_trial_state state, bool has_value, double value,
                            pml_error *error) {
    char now[PML_TRIAL_TIME_BYTES];
    pml_json_writer *w = &study->writer;
    const pml_status status = pml_record_begin(study, PML_JOURNAL_STATE, error);
    if (status == PML_OK) {
        pml_record_time(now);
        pml_json_u64(w, "trial_id", trial_id);
        pml_json_u64(w, "state", state);
        if (has_value) {
            pml_json_begin_array(w, "values");
            pml_json_python_f64(w, NULL, value);
            pml_json_end_array(w);
        } else {
            pml_json_null(w, "values");
        }
        pml_json_string(w, state == PML_TRIAL_RUNNING ? "datetime_start" : "datetime_complete", now);
        pml_record_end(study);
    }
    return status;
}

pml_status pml_record_system(pml_study *study, uint64_t trial_id, const char *key, const char *json, pml_error *error) {
    const pml_status status = pml_record_begin(study, PML_JOURNAL_SYSTEM_ATTRIBUTE, error);
    if (status == PML_OK) {
        pml_json_u64(&study->writer, "trial_id", trial_id);
        pml_json_begin_object(&study->writer, "system_attr");
        pml_json_raw(&study->writer, key, json);
        pml_json_end_object(&study->writer);
        pml_record_end(study);
    }
    return status;
}
