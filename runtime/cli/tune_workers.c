/* The search itself: asks, evaluates and tells, in this process or in several that are watched. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/log.h"
#include "runtime/cli/tune_parts.h"
#include "runtime/tune/study_log.h"

enum { LOOK_MS = 200 };

typedef struct shared { /* among the processes of one search */
    _Atomic uint64_t n_begun;
    _Atomic bool has_failed; /* the two below are of the first that did */
    pml_status status;
    char message[sizeof((pml_error){0}.message)];
} shared;

/* ---- one worker ---- */
static pml_status run_trial(const pml_search *search, pml_study *study, const pml_trial *trial, double *values,
                            pml_error *error) {
    pml_status status = PML_OK;
    pml_outcome outcome = {.state = PML_TRIAL_FAILED, .cause = "stopped"};
    PML_TRY(pml_study_suggest_space(study, trial, values, error));
    status = search->objective->evaluate(search->objective, study, trial, values, &outcome, error);
    const bool stopped = status == PML_E_INTERRUPTED;
    if (status != PML_OK && !stopped && error != NULL) {
        (void)snprintf(outcome.cause, sizeof outcome.cause, "%.250s", error->message);
    }
    if (status != PML_OK) {
        outcome.state = PML_TRIAL_FAILED;
    }
    pml_cancel_reset(); /* its end is told, whatever happens; the signal is remembered elsewhere */
    pml_error later = {0};
    pml_status told = PML_OK;
    if (outcome.state == PML_TRIAL_FAILED) {
        told = pml_study_note(study, trial, "failure", outcome.cause, &later);
    }
    told = told == PML_OK ? pml_study_tell(study, trial, outcome.state, outcome.value, &later) : told;
    if (stopped) {
        pml_cancel_request();
    }
    if (status == PML_OK && told != PML_OK) {
        if (error != NULL) {
            *error = later;
        }
        status = told;
    }
done:
    return status;
}

static bool may_begin(const pml_search *search, shared *s) {
    if (atomic_load(&s->has_failed) || (search->has_deadline && pml_study_now_ms() >= search->deadline_ms)) {
        return false;
    }
    return !search->has_limit || atomic_fetch_add(&s->n_begun, 1) < search->n_trials;
}

static pml_status work(const pml_search *search, pml_study *study, shared *s, pml_search_watch *watch,
                       pml_error *error) {
    pml_status status = PML_OK;
    double *values = NULL;
    PML_TRY(pml_alloc(search->objective->space->n_parameters, sizeof *values, &values, error));
    while (may_begin(search, s)) {
        const pml_trial *trial = NULL;
        PML_TRY(pml_cancel_check(error));
        PML_TRY(pml_study_ask(study, &trial, error));
        if (trial == NULL) {
            break;
        }
        if (pml_attributes_find(&trial->system, "failed_trial") != NULL) {
            (void)atomic_fetch_sub(&s->n_begun, 1); /* it was counted when it was tried first */
        }
        PML_TRY(run_trial(search, study, trial, values, error));
        if (watch != NULL) {
            pml_search_watch_update(watch, study);
        }
    }
done:
    pml_free(values);
    return status;
}

/* ---- several ---- */
static void be_worker(const pml_search *search, shared *s) {
    pml_error error = {0};
    pml_study *study = NULL;
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    pml_status status = pml_study_open(&search->study, &study, &error);
    if (status == PML_OK) {
        status = work(search, study, s, NULL, &error);
    }
    pml_study_close(study);
    if (status != PML_OK && status != PML_E_INTERRUPTED && !atomic_exchange(&s->has_failed, true)) {
        s->status = status;
        memcpy(s->message, error.message, sizeof s->message);
    }
    (void)fflush(stderr);
    _exit(status == PML_OK ? 0 : 1);
}

typedef struct team {
    pid_t *pids; /* 0: has ended */
    uint64_t n_alive;
    size_t n_trials_at_loss; /* of the study: workers that die without having begun one are not replaced for ever */
} team;

static pml_status hire(const pml_search *search, shared *s, pid_t *pid, team *t, pml_error *error) {
    (void)fflush(NULL);
    const pid_t made = fork();
    if (made == 0) {
        be_worker(search, s);
    }
    if (made < 0) {
        return PML_FAIL(error, PML_E_IO, "cannot start a worker: %s", strerror(errno));
    }
    *pid = made;
    t->n_alive++;
    return PML_OK;
}

static void dismiss(const pml_search *search, const team *t, int signal_number) {
    for (uint64_t i = 0; i < search->n_workers; i++) {
        if (t->pids[i] > 0) {
            (void)kill(t->pids[i], signal_number);
        }
    }
}

/* Looks at who has ended; one that was killed is replaced, so that its trial is tried again. */
static pml_status look_after(const pml_search *search, shared *s, team *t, size_t n_trials, bool is_stopping,
                             pml_error *error) {
    pml_status status = PML_OK;
    for (uint64_t i = 0; i < search->n_workers; i++) {
        int wait_status = 0;
        if (t->pids[i] <= 0 || waitpid(t->pids[i], &wait_status, WNOHANG) != t->pids[i]) {
            continue;
        }
        const long pid = (long)t->pids[i];
        t->pids[i] = 0;
        t->n_alive--;
        if (!WIFSIGNALED(wait_status) || is_stopping) {
            continue;
        }
        pml_log(PML_LOG_WARNING, "worker %ld was ended by signal %d", pid, WTERMSIG(wait_status));
        if (n_trials <= t->n_trials_at_loss) {
            PML_TRY(
                PML_FAIL(error, PML_E_IO, "workers end by signal %d before they begin a trial", WTERMSIG(wait_status)));
        }
        t->n_trials_at_loss = n_trials;
        PML_TRY(hire(search, s, &t->pids[i], t, error));
    }
done:
    return status;
}

static pml_status run_team(const pml_search *search, pml_study *study, shared *s, pml_search_watch *watch,
                           pml_error *error) {
    pml_status status = PML_OK, stopped = PML_OK;
    team t = {0};
    size_t n_trials = 0;
    pml_error first = {0};
    PML_TRY(pml_alloc(search->n_workers, sizeof *t.pids, &t.pids, error));
    for (uint64_t i = 0; i < search->n_workers; i++) {
        PML_TRY(hire(search, s, &t.pids[i], &t, error));
    }
    while (t.n_alive > 0) {
        const struct timespec pause = {.tv_sec = 0, .tv_nsec = LOOK_MS * 1000000L};
        (void)nanosleep(&pause, NULL);
        if (stopped == PML_OK) {
            stopped = pml_cancel_check(&first);
            stopped = stopped == PML_OK ? pml_study_sync(study, &first) : stopped;
            pml_search_watch_update(watch, study);
            (void)pml_study_trials(study, &n_trials);
        }
        const bool is_stopping = stopped != PML_OK || atomic_load(&s->has_failed);
        if (is_stopping) {
            dismiss(search, &t, SIGTERM);
        }
        const pml_status looked = look_after(search, s, &t, n_trials, is_stopping, stopped == PML_OK ? &first : NULL);
        stopped = stopped == PML_OK ? looked : stopped;
    }
    if (stopped != PML_OK && error != NULL) {
        *error = first;
    }
    PML_TRY(stopped);
    if (atomic_load(&s->has_failed)) {
        PML_TRY(PML_FAIL(error, s->status, "%s", s->message));
    }
    PML_TRY(pml_study_sync(study, error));
    pml_search_watch_update(watch, study);
done:
    if (t.n_alive > 0) { /* hiring failed half way */
        dismiss(search, &t, SIGTERM);
        for (uint64_t i = 0; i < search->n_workers; i++) {
            if (t.pids[i] > 0) {
                (void)waitpid(t.pids[i], NULL, 0);
            }
        }
    }
    pml_free(t.pids);
    return status;
}

pml_status pml_search_run(const pml_search *search, pml_study *study, pml_error *error) {
    pml_status status = PML_OK;
    pml_search_watch watch = {0};
    shared *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s == MAP_FAILED) {
        s = NULL;
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "cannot get shared memory: %s", strerror(errno)));
    }
    pml_search_watch_update(&watch, study); /* what was there before is no news */
    PML_TRY(pml_progress_create_units(search->common, "tune", "trials", search->has_limit ? search->n_trials : 0,
                                      &watch.progress, error));
    watch.n_told = 0;
    PML_TRY(search->n_workers > 1 ? run_team(search, study, s, &watch, error) : work(search, study, s, &watch, error));
done:
    pml_search_watch_deinit(&watch);
    if (s != NULL) {
        (void)munmap(s, sizeof *s);
    }
    return status;
}
