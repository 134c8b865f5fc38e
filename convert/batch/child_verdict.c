#include "convert/batch/child_verdict.h"

#include <signal.h>
#include <string.h>

#include "runtime/base/log.h"

#define ERROR_MARK ": error: "
#define WARNING_MARK ": warning: "

pml_job_cause pml_verdict_cause(int exit_code, bool is_local) {
    switch (exit_code) {
    case 0:
        return PML_CAUSE_NONE;
    case 2:
    case 65:
    case 78:
        return PML_CAUSE_INPUT;
    case 66:
    case 77:
        return is_local ? PML_CAUSE_INPUT : PML_CAUSE_REMOTE;
    case 69:
    case 75:
        return PML_CAUSE_TRANSIENT;
    case 74:
        return PML_CAUSE_RESOURCE;
    default:
        return PML_CAUSE_BUG;
    }
}

/* The last error that the child told, without the program's name; or its last line. */
static const char *find_message(const pml_child *child, size_t *length) {
    const char *text = child->err.bytes, *found = NULL;
    size_t n_found = 0;
    bool is_error = false;
    while (text != NULL && *text != '\0') {
        const size_t n = strcspn(text, "\n");
        const char *mark = memmem(text, n, ERROR_MARK, strlen(ERROR_MARK));
        if (mark != NULL) {
            mark += strlen(ERROR_MARK);
            found = mark;
            n_found = n - (size_t)(mark - text);
            is_error = true;
        } else if (!is_error && n > 0) {
            found = text;
            n_found = n;
        }
        text += n + (text[n] == '\n');
    }
    *length = n_found;
    return found;
}

void pml_verdict_warn(const pml_child *child, const char *id) {
    for (const char *text = child->err.bytes; text != NULL && *text != '\0';) {
        const size_t n = strcspn(text, "\n");
        const char *mark = memmem(text, n, WARNING_MARK, strlen(WARNING_MARK));
        if (mark != NULL) {
            mark += strlen(WARNING_MARK);
            pml_log(PML_LOG_WARNING, "%s: %.*s", id, (int)(n - (size_t)(mark - text)), mark);
        }
        text += n + (text[n] == '\n');
    }
}

bool pml_verdict_is_memory(const pml_child *child) {
    size_t length = 0;
    if (child->timed_out) {
        return false;
    }
    const char *text = find_message(child, &length);
    return child->exit_code == 1 && text != NULL && memmem(text, length, "out of memory", 13) != NULL;
}

pml_status pml_verdict_read(const pml_child *child, uint64_t step_seconds, bool is_local, pml_arena *texts,
                            pml_verdict *verdict, pml_error *error) {
    const int signal_number = child->signal_number;
    size_t length = 0;
    const char *text = find_message(child, &length);
    *verdict = (pml_verdict){.cause = pml_verdict_cause(child->exit_code, is_local), .exit_code = child->exit_code};
    if (child->timed_out) {
        verdict->cause = PML_CAUSE_RESOURCE;
        return pml_arena_format(texts, &verdict->message, error, "it did not end within %llu s",
                                (unsigned long long)step_seconds);
    }
    if (signal_number == SIGTERM || signal_number == SIGINT || signal_number == SIGHUP) {
        verdict->cause = PML_CAUSE_TRANSIENT;
        verdict->exit_code = 75;
    } else if (signal_number == SIGKILL || signal_number == SIGXCPU || pml_verdict_is_memory(child)) {
        verdict->cause = PML_CAUSE_RESOURCE;
    }
    if (signal_number != 0) {
        return pml_arena_format(texts, &verdict->message, error, "ended by signal %d (%s)%s%.*s", signal_number,
                                strsignal(signal_number), text != NULL ? ": " : "", (int)(length < 400 ? length : 400),
                                text != NULL ? text : "");
    }
    if (text == NULL) {
        return pml_arena_format(texts, &verdict->message, error, "ended with exit code %d without a word",
                                child->exit_code);
    }
    return pml_arena_text(texts, text, length, &verdict->message, error);
}
