/* An objective that is a program: its last line is the value, and lines of two numbers before it, a step and a value,
 * are reports, after each of which the study may give the trial up. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/log.h"
#include "runtime/base/quote.h"
#include "runtime/cli/tune_parts.h"
#include "runtime/tune/study_log.h"

enum { LINE_BYTES = 4096, LOOK_MS = 200, GRACE_MS = 5000 };

typedef struct program {
    pid_t pid;
    int out;               /* its standard output */
    char line[LINE_BYTES]; /* that is being read; what does not fit is dropped */
    size_t length;
    char last[LINE_BYTES]; /* the last one that was not empty */
    bool was_report;       /* the last one */
} program;

/* ---- starting ---- */
static void become(char **arguments, const char *trial, const char *parameters, int out, int fault) {
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a killed worker leaves nobody computing */
    (void)signal(SIGXFSZ, SIG_DFL);
    if (nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
        setenv("PML_TRIAL", trial, 1) == 0 && setenv("PML_TRIAL_PARAMS", parameters, 1) == 0) {
        (void)execvp(arguments[0], arguments);
    }
    const int code = errno;
    (void)!write(fault, &code, sizeof code);
    _exit(127);
}

/* Its parameters as a JSON object; free(). */
static char *parameters_json(const pml_trial *trial) {
    char *text = NULL;
    size_t size_bytes = 0;
    pml_json_writer w;
    FILE *stream = open_memstream(&text, &size_bytes);
    if (stream == NULL) {
        return NULL;
    }
    pml_json_writer_init(&w, stream, false);
    pml_json_begin_object(&w, NULL);
    for (size_t i = 0; i < trial->n_parameters; i++) {
        const pml_trial_parameter *p = &trial->parameters[i];
        pml_distribution_value_write(p->distribution, p->value, &w, p->name);
    }
    pml_json_end_object(&w);
    (void)fclose(stream);
    return text;
}

/* The child tells why exec failed; silence means that it became the program. */
static pml_status started(program *p, int fault, const char *name, pml_error *error) {
    int code = 0;
    pml_quoted quoted;
    if (read(fault, &code, sizeof code) != (ssize_t)sizeof code) {
        return PML_OK;
    }
    (void)waitpid(p->pid, NULL, 0);
    p->pid = 0;
    return PML_FAIL(error, code == ENOENT ? PML_E_NOT_FOUND : PML_E_IO, "cannot start %s: %s", pml_quote(&quoted, name),
                    strerror(code));
}

static pml_status start(program *p, char **arguments, const pml_trial *trial, pml_error *error) {
    pml_status status = PML_OK;
    int out[2] = {-1, -1}, fault[2] = {-1, -1};
    char number[24];
    char *parameters = parameters_json(trial);
    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)trial->number);
    if (parameters == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "out of memory: parameters of a trial"));
    }
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(fault, O_CLOEXEC) != 0) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "cannot make a pipe: %s", strerror(errno)));
    }
    p->pid = fork();
    if (p->pid == 0) {
        become(arguments, number, parameters, out[1], fault[1]);
    }
    if (p->pid < 0) {
        p->pid = 0;
        PML_TRY(PML_FAIL(error, PML_E_IO, "cannot start a process: %s", strerror(errno)));
    }
    (void)close(out[1]);
    (void)close(fault[1]);
    out[1] = fault[1] = -1;
    (void)setpgid(p->pid, p->pid);
    p->out = out[0];
    out[0] = -1;
    (void)fcntl(p->out, F_SETFL, O_NONBLOCK);
    PML_TRY(started(p, fault[0], arguments[0], error));
done:
    free(parameters);
    for (int i = 0; i < 2; i++) {
        if (out[i] >= 0) {
            (void)close(out[i]);
        }
        if (fault[i] >= 0) {
            (void)close(fault[i]);
        }
    }
    return status;
}

/* ---- stopping ---- */
static bool has_ended(program *p, int *wait_status) {
    if (p->pid != 0 && waitpid(p->pid, wait_status, WNOHANG) == p->pid) {
        p->pid = 0;
    }
    return p->pid == 0;
}

/* Ends the program and what it started: asked first, then made to. */
static void stop(program *p) {
    int wait_status = 0;
    const pid_t group = p->pid;
    const int64_t until = pml_study_now_ms() + GRACE_MS;
    if (group == 0) {
        return;
    }
    (void)kill(-group, SIGTERM);
    while (!has_ended(p, &wait_status) && pml_study_now_ms() < until) {
        const struct timespec pause = {.tv_sec = 0, .tv_nsec = 10000000};
        (void)nanosleep(&pause, NULL);
    }
    (void)kill(-group, SIGKILL);
    if (p->pid != 0) {
        (void)waitpid(p->pid, NULL, 0);
        p->pid = 0;
    }
}

/* ---- reading ---- */
static bool read_number(const char **at, double *number) {
    char *end = NULL;
    *number = strtod(*at, &end);
    const bool is_number = end != *at && (*end == '\0' || isspace((unsigned char)*end));
    *at = end;
    return is_number;
}

static bool is_blank(const char *text) {
    return text[strspn(text, " \t\r\v\f")] == '\0';
}

/* "STEP VALUE": a whole number from 0 on, and a number. */
static bool read_report(const char *line, int64_t *step, double *value) {
    double number;
    const char *at = line;
    if (!read_number(&at, &number) || !(number >= 0 && number <= 0x1p53) || number != floor(number) ||
        !read_number(&at, value) || !is_blank(at)) {
        return false;
    }
    *step = (int64_t)number;
    return true;
}

static pml_status take_line(program *p, pml_study *study, const pml_trial *trial, bool *prune, pml_error *error) {
    pml_status status = PML_OK;
    int64_t step;
    double value;
    p->line[p->length] = '\0';
    p->length = 0;
    if (is_blank(p->line)) {
        goto done;
    }
    memcpy(p->last, p->line, sizeof p->last);
    p->was_report = read_report(p->line, &step, &value);
    if (p->was_report) {
        PML_TRY(pml_study_report(study, trial, step, value, error));
        PML_TRY(pml_study_should_prune(study, trial, prune, error));
    }
done:
    return status;
}

/* Takes what is there. *is_open becomes false at the end of the output. */
static pml_status take_output(program *p, pml_study *study, const pml_trial *trial, bool *is_open, bool *prune,
                              pml_error *error) {
    pml_status status = PML_OK;
    char bytes[LINE_BYTES];
    for (;;) {
        const ssize_t got = read(p->out, bytes, sizeof bytes);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            break;
        }
        if (got <= 0) {
            *is_open = false;
            break;
        }
        for (ssize_t i = 0; i < got && !*prune; i++) {
            if (bytes[i] == '\n') {
                PML_TRY(take_line(p, study, trial, prune, error));
            } else if (p->length + 1 < LINE_BYTES && bytes[i] != '\0') {
                p->line[p->length++] = bytes[i];
            }
        }
        if (*prune) {
            break;
        }
    }
    if (!*is_open && !*prune) {
        PML_TRY(take_line(p, study, trial, prune, error)); /* a last line may lack its end */
    }
done:
    return status;
}

/* ---- the trial ---- */
static void fail(pml_outcome *outcome, const char *what, int number) {
    outcome->state = PML_TRIAL_FAILED;
    (void)snprintf(outcome->cause, sizeof outcome->cause, "%s %d", what, number);
}

static void judge(const program *p, int wait_status, pml_outcome *outcome) {
    const char *at = p->last;
    double value = NAN;
    if (WIFSIGNALED(wait_status)) {
        fail(outcome, "ended by signal", WTERMSIG(wait_status));
    } else if (WEXITSTATUS(wait_status) != 0) {
        fail(outcome, "exit code", WEXITSTATUS(wait_status));
    } else if (p->was_report || !read_number(&at, &value) || !is_blank(at)) {
        pml_quoted quoted;
        outcome->state = PML_TRIAL_FAILED;
        (void)snprintf(outcome->cause, sizeof outcome->cause, "the last line is no value: %s",
                       pml_quote(&quoted, p->last));
    } else if (isnan(value)) {
        outcome->state = PML_TRIAL_FAILED;
        (void)snprintf(outcome->cause, sizeof outcome->cause, "the value is not a number");
    } else {
        *outcome = (pml_outcome){.state = PML_TRIAL_COMPLETE, .value = value};
    }
}

static pml_status follow(program *p, pml_study *study, const pml_trial *trial, pml_outcome *outcome, pml_error *error) {
    pml_status status = PML_OK;
    bool is_open = true, prune = false, ended = false;
    int wait_status = 0;
    while (!ended || is_open) {
        struct pollfd ready = {.fd = p->out, .events = POLLIN};
        PML_TRY(pml_cancel_check(error));
        /* Whoever it started may keep its output open: what is there when it ends is all that counts. */
        ended = has_ended(p, &wait_status);
        if (is_open) {
            (void)poll(&ready, 1, ended ? 0 : LOOK_MS);
            PML_TRY(take_output(p, study, trial, &is_open, &prune, error));
        } else if (!ended) {
            (void)poll(NULL, 0, LOOK_MS / 10);
        }
        if (prune) {
            *outcome = (pml_outcome){.state = PML_TRIAL_PRUNED};
            goto done;
        }
        if (ended && is_open) {
            PML_TRY(take_line(p, study, trial, &prune, error));
            break;
        }
    }
    judge(p, wait_status, outcome);
done:
    return status;
}

static pml_status evaluate(const pml_tune_objective *objective, pml_study *study, const pml_trial *trial,
                           const double *values, pml_outcome *outcome, pml_error *error) {
    pml_status status = PML_OK;
    char **arguments = NULL;
    program *p = NULL;
    PML_TRY(pml_alloc(1, sizeof *p, &p, error));
    p->out = -1;
    PML_TRY(pml_command_template_fill(objective->state, objective->space, values, trial->number, &arguments, error));
    PML_TRY(start(p, arguments, trial, error));
    PML_TRY(follow(p, study, trial, outcome, error));
done:
    if (p != NULL) {
        stop(p);
        if (p->out >= 0) {
            (void)close(p->out);
        }
    }
    pml_command_arguments_destroy(arguments);
    pml_free(p);
    return status;
}

pml_tune_objective pml_command_objective(const pml_command_template *template, const pml_space *space) {
    return (pml_tune_objective){.evaluate = evaluate, .space = space, .state = template};
}
