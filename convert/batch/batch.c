#include "convert/batch/batch.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include "convert/batch/batch_steps.h"
#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"

#define SECOND_NS 1000000000ull
#define OWN_BYTES (32ull << 20)      /* this process */
#define DOWNLOAD_BYTES (64ull << 20) /* each download */
#define LEAST_BYTES (48ull << 20)    /* each conversion */
enum { WAIT_MS = 200, HEARTBEAT_SECONDS = 60, FAILURES_IN_A_ROW = 5 };

typedef struct batch {
    const pml_batch_settings *settings;
    pml_steps steps;
    pml_task *tasks;
    size_t n_tasks, n_ended, i_first; /* i_first: none before it waits or runs */
    unsigned n_fetching, n_ready, n_converting;
    bool runs_alone;
    uint64_t share_bytes, whole_bytes; /* of one conversion among others, and alone */
    uint64_t heartbeat_ns;
    struct pollfd *entries; /* two per process */
    unsigned n_in_row;      /* failures of this machine or the network, one after the other */
    pml_status stopped_by;  /* OK: it goes on */
    const pml_batch_job *last_failure;
} batch;

uint64_t pml_batch_least_memory(unsigned n_conversions, unsigned n_downloads) {
    return OWN_BYTES + n_downloads * DOWNLOAD_BYTES + n_conversions * LEAST_BYTES;
}

static pml_status prepare(batch *b, const pml_batch_settings *settings, pml_manifest *manifest, pml_error *error) {
    pml_status status = PML_OK;
    b->settings = settings;
    const uint64_t fixed_bytes = OWN_BYTES + settings->n_downloads * DOWNLOAD_BYTES;
    if (settings->memory_bytes < pml_batch_least_memory(settings->n_conversions, settings->n_downloads)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%llu bytes of memory are too few for %u conversions at once",
                         (unsigned long long)settings->memory_bytes, settings->n_conversions));
    }
    b->whole_bytes = settings->memory_bytes - fixed_bytes;
    b->share_bytes = b->whole_bytes / settings->n_conversions;
    PML_TRY(pml_alloc(manifest->n_jobs / settings->shard.count + 1, sizeof *b->tasks, &b->tasks, error));
    PML_TRY(pml_alloc(2 * ((size_t)settings->n_conversions + settings->n_downloads), sizeof *b->entries, &b->entries,
                      error));
    for (size_t i = settings->shard.index; i < manifest->n_jobs; i += settings->shard.count) {
        pml_task *task = &b->tasks[b->n_tasks];
        task->job = &manifest->jobs[i];
        task->child = (pml_child){.out_fd = -1, .err_fd = -1};
        PML_TRY(pml_arena_format(&manifest->texts, &task->target, error, "%s/%s", settings->folder, task->job->output));
        b->n_tasks++;
    }
done:
    return status;
}

/* ---- counting ---------------------------------------------------------------------------------------------------- */

static unsigned *count_of(batch *b, pml_task_state state) {
    return state == PML_TASK_FETCHING     ? &b->n_fetching
           : state == PML_TASK_READY      ? &b->n_ready
           : state == PML_TASK_CONVERTING ? &b->n_converting
                                          : NULL;
}

/* What one job's failure says about the others: a disk that is full or a network that is gone fails them all. */
static void learn(batch *b, const pml_batch_job *job) {
    const bool is_shared =
        job->outcome == PML_JOB_FAILED && !job->is_recorded && (job->exit_code == 69 || job->exit_code == 74);
    b->n_in_row = is_shared ? b->n_in_row + 1 : 0;
    if (is_shared && b->n_in_row >= FAILURES_IN_A_ROW && !b->settings->keep_going) {
        b->stopped_by = job->exit_code == 69 ? PML_E_NETWORK : PML_E_IO;
        b->last_failure = job;
    }
}

/* Keeps the counts after something was done to a task. */
static void note(batch *b, const pml_task *task, pml_task_state before) {
    unsigned *old = count_of(b, before), *now = count_of(b, task->state);
    if (old != NULL) {
        (*old)--;
    }
    if (now != NULL) {
        (*now)++;
    }
    if (task->state == PML_TASK_ENDED && before != PML_TASK_ENDED) {
        b->n_ended++;
        learn(b, task->job);
    }
}

/* ---- starting ---------------------------------------------------------------------------------------------------- */

static pml_status look_at(batch *b, pml_task *task, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_steps_examine(&b->steps, task, error));
    if (task->state == PML_TASK_WAITING && task->lock.path != NULL) {
        PML_TRY(pml_steps_fetch(&b->steps, task, DOWNLOAD_BYTES, error));
    }
done:
    return status;
}

static pml_status start_conversion(batch *b, pml_task *task, pml_error *error) {
    const bool is_alone = task->needs_alone || b->settings->n_conversions == 1;
    task->was_alone = is_alone;
    const pml_status status = pml_steps_convert(&b->steps, task, is_alone ? b->whole_bytes : b->share_bytes, error);
    b->runs_alone = task->needs_alone && task->state == PML_TASK_CONVERTING;
    return status;
}

/* A source that waits for its conversion holds a lock and disk, no memory: a few are enough to keep all busy. */
static bool has_room(const batch *b, const pml_task *task) {
    return b->n_ready + b->n_fetching < b->settings->n_conversions + b->settings->n_downloads &&
           (task->job->is_local || b->n_fetching < b->settings->n_downloads);
}

static pml_status start_more(batch *b, pml_error *error) {
    pml_status status = PML_OK;
    const uint64_t now = pml_now_ns();
    bool someone_waits_alone = false;
    while (b->i_first < b->n_tasks && b->tasks[b->i_first].state == PML_TASK_ENDED) {
        b->i_first++;
    }
    for (size_t i = b->i_first; i < b->n_tasks && b->stopped_by == PML_OK; i++) {
        pml_task *task = &b->tasks[i];
        if (task->state == PML_TASK_WAITING && task->retry_ns <= now && has_room(b, task)) {
            PML_TRY(look_at(b, task, error));
            note(b, task, PML_TASK_WAITING);
        }
        const bool has_slot = b->n_converting < b->settings->n_conversions && !b->runs_alone && !someone_waits_alone &&
                              (!task->needs_alone || b->n_converting == 0);
        if (task->state == PML_TASK_READY && has_slot) {
            PML_TRY(start_conversion(b, task, error));
            note(b, task, PML_TASK_READY);
        } else if (task->state == PML_TASK_READY && task->needs_alone) {
            someone_waits_alone = true; /* nothing new starts before it */
        }
        if (b->n_ready + b->n_fetching >= b->settings->n_conversions + b->settings->n_downloads &&
            b->n_converting >= b->settings->n_conversions) {
            break;
        }
    }
done:
    return status;
}

/* ---- waiting ----------------------------------------------------------------------------------------------------- */

static bool is_running(const pml_task *task) {
    return task->state == PML_TASK_FETCHING || task->state == PML_TASK_CONVERTING;
}

static void wait_for_news(batch *b) {
    size_t n = 0;
    for (size_t i = b->i_first; i < b->n_tasks && n < 2 * (size_t)(b->n_fetching + b->n_converting); i++) {
        if (is_running(&b->tasks[i])) {
            n += pml_child_poll(&b->tasks[i].child, b->entries + n);
        }
    }
    (void)poll(b->entries, n, WAIT_MS); /* a signal ends it, too */
}

static pml_status advance(batch *b, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = b->i_first; i < b->n_tasks; i++) {
        pml_task *task = &b->tasks[i];
        const pml_task_state before = task->state;
        if (!is_running(task) || !pml_child_advance(&task->child)) {
            continue;
        }
        /* Whoever ended us may have ended our children, too: that is no failure of the job. */
        PML_TRY(pml_cancel_check(error));
        b->runs_alone = b->runs_alone && before != PML_TASK_CONVERTING;
        PML_TRY(before == PML_TASK_FETCHING ? pml_steps_fetched(&b->steps, task, error)
                                            : pml_steps_converted(&b->steps, task, error));
        note(b, task, before);
    }
done:
    return status;
}

static void beat(batch *b) {
    const uint64_t now = pml_now_ns();
    if (now >= b->heartbeat_ns) {
        for (size_t i = b->i_first; i < b->n_tasks; i++) {
            pml_output_lock_refresh(&b->tasks[i].lock);
        }
        b->heartbeat_ns = now + HEARTBEAT_SECONDS * SECOND_NS;
    }
}

/* Asks all children to end, and waits: they remove what they have not finished. */
static void stop_children(batch *b) {
    for (size_t i = 0; i < b->n_tasks; i++) {
        if (is_running(&b->tasks[i])) {
            pml_child_stop(&b->tasks[i].child);
        }
    }
    for (size_t i = 0; i < b->n_tasks; i++) {
        while (is_running(&b->tasks[i]) && b->tasks[i].child.pid > 0 && !pml_child_advance(&b->tasks[i].child)) {
            struct pollfd entries[2];
            (void)poll(entries, pml_child_poll(&b->tasks[i].child, entries), 20);
        }
    }
}

static pml_status run_all(batch *b, pml_error *error) {
    pml_status status = PML_OK;
    while (b->n_ended < b->n_tasks) {
        PML_TRY(pml_cancel_check(error));
        PML_TRY(start_more(b, error));
        if (b->stopped_by != PML_OK && b->n_fetching + b->n_converting == 0) {
            break;
        }
        beat(b);
        if (b->n_ended < b->n_tasks) {
            wait_for_news(b);
            PML_TRY(advance(b, error));
        }
    }
    if (b->stopped_by != PML_OK) {
        PML_TRY(PML_FAIL(error, b->stopped_by,
                         "%d failures in a row that are not the models' own, the last of %s: %s; the rest was not "
                         "started (--keep-going does)",
                         FAILURES_IN_A_ROW, b->last_failure->id, b->last_failure->error));
    }
    if (b->steps.journal_status != PML_OK) {
        status = b->steps.journal_status;
        if (error != NULL) {
            *error = b->steps.journal_error;
        }
    }
done:
    return status;
}

pml_status pml_batch_run(const pml_batch_settings *settings, pml_manifest *manifest, pml_journal *journal,
                         pml_error *error) {
    pml_status status = PML_OK;
    batch b = {.steps = {.settings = settings, .journal = journal, .texts = &manifest->texts}};
    PML_TRY(prepare(&b, settings, manifest, error));
    PML_TRY(run_all(&b, error));
    PML_TRY(pml_journal_end(journal, error));
done:
    if (status != PML_OK) {
        stop_children(&b);
    }
    for (size_t i = 0; i < b.n_tasks; i++) {
        pml_task_deinit(&b.tasks[i]);
    }
    pml_free(b.tasks);
    pml_free(b.entries);
    return status;
}
