#include "runtime/train/logs/train_log.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"
#include "runtime/train/logs/log_sink.h"

#define PML_TRAIN_LOG(id) extern const pml_log_sink pml_log_sink_##id;
#include "runtime/train/logs/registry.def"
#undef PML_TRAIN_LOG

#define PML_TRAIN_LOG(id) &pml_log_sink_##id,
static const pml_log_sink *const sinks[] = {
#include "runtime/train/logs/registry.def"
    NULL};
#undef PML_TRAIN_LOG
enum { N_SINKS = sizeof sinks / sizeof sinks[0] - 1 };

struct pml_train_log {
    pml_log_history *history;
    bool is_open[N_SINKS];
    void *selves[N_SINKS];
};

const pml_log_sink *const *pml_log_sinks(void) {
    return sinks;
}

pml_status pml_log_path(const char *folder, const char *name, char **path, pml_error *error) {
    pml_status status = PML_OK;
    const size_t size_bytes = strlen(folder) + strlen(name) + 2;
    PML_TRY(pml_alloc(size_bytes, 1, path, error));
    (void)snprintf(*path, size_bytes, "%s/%s", folder, name);
done:
    return status;
}

static pml_status choose(const char *name, size_t length, bool wanted[N_SINKS], pml_error *error) {
    char given[64], names[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < N_SINKS; i++) {
        if (strlen(sinks[i]->name) == length && memcmp(sinks[i]->name, name, length) == 0) {
            wanted[i] = true;
            return PML_OK;
        }
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "", sinks[i]->name);
    }
    pml_quoted quoted;
    (void)snprintf(given, sizeof given, "%.*s", (int)(length < 60 ? length : 60), name);
    return PML_FAIL(error, PML_E_ARGUMENT, "%s is no form of log; there are %s", pml_quote(&quoted, given), names);
}

pml_status pml_train_log_open(const pml_train_log_setup *setup, pml_train_log **log, pml_error *error) {
    pml_status status = PML_OK;
    pml_train_log *made = NULL;
    bool wanted[N_SINKS] = {false};
    for (const char *at = setup->forms; at != NULL && *at != '\0';) {
        const size_t length = strcspn(at, ",");
        PML_TRY(choose(at, length, wanted, error));
        at += length;
        at += *at == ',';
    }
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->history = &setup->state->log_history;
    for (size_t i = 0; i < N_SINKS; i++) {
        if (setup->forms == NULL || wanted[i]) {
            PML_TRY(sinks[i]->open(setup, &made->selves[i], error));
            made->is_open[i] = true;
        }
    }
    *log = made;
done:
    if (status != PML_OK) {
        pml_train_log_close(made);
    }
    return status;
}

pml_status pml_train_log_write(pml_train_log *log, const pml_log_record *record, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n = log->history->n_entries;
    if (n > 0 && record->step < log->history->entries[n - 1].step) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "step %llu was logged behind step %llu",
                         (unsigned long long)record->step, (unsigned long long)log->history->entries[n - 1].step));
    }
    PML_TRY(pml_log_history_add(log->history, record, error));
    for (size_t i = 0; i < N_SINKS; i++) {
        if (log->is_open[i] && sinks[i]->write != NULL) {
            PML_TRY(sinks[i]->write(log->selves[i], record, error));
        }
    }
done:
    return status;
}

pml_status pml_train_log_flush(pml_train_log *log, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < N_SINKS; i++) {
        if (log->is_open[i] && sinks[i]->flush != NULL) {
            PML_TRY(sinks[i]->flush(log->selves[i], error));
        }
    }
done:
    return status;
}

void pml_train_log_close(pml_train_log *log) {
    for (size_t i = 0; log != NULL && i < N_SINKS; i++) {
        if (log->is_open[i]) {
            sinks[i]->close(log->selves[i]);
        }
    }
    pml_free(log);
}
