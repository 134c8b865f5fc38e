#include "convert/batch/batch_steps.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/batch/child_verdict.h"
#include "convert/batch/json_fields.h"
#include "runtime/base/alloc.h"
#include "runtime/base/publish.h"
#include "runtime/base/quote.h"
#include "runtime/base/version.h"
#include "runtime/cli/command.h"

#define SECOND_NS 1000000000ull

/* ---- how a job ends ---------------------------------------------------------------------------------------------- */

void pml_task_deinit(pml_task *task) {
    pml_child_deinit(&task->child);
    if (task->scratch != NULL) {
        (void)unlink(task->scratch);
        pml_free(task->scratch);
        task->scratch = NULL;
    }
    pml_output_lock_release(&task->lock);
}

static void record(pml_steps *steps, const pml_batch_job *job, const char *event) {
    pml_error error = {0};
    const pml_status status = pml_journal_append(steps->journal, job, event, &error);
    if (status != PML_OK && steps->journal_status == PML_OK) {
        steps->journal_status = status;
        steps->journal_error = error;
    }
}

/* The journal comes before the lock: whoever takes the lock next finds the line. */
static void end(pml_steps *steps, pml_task *task, pml_job_outcome outcome, bool is_news) {
    task->job->outcome = outcome;
    if (is_news) {
        record(steps, task->job, outcome == PML_JOB_FAILED ? "failed" : "published");
    }
    task->state = PML_TASK_ENDED;
    pml_task_deinit(task);
    if (steps->settings->on_end != NULL) {
        steps->settings->on_end(steps->settings->user, task->job);
    }
}

static pml_status fail(pml_steps *steps, pml_task *task, pml_job_cause cause, int exit_code, const char *message,
                       pml_error *error) {
    task->job->cause = cause;
    task->job->exit_code = exit_code;
    pml_status status = pml_arena_text(steps->texts, message, strlen(message), &task->job->error, error);
    if (status == PML_OK) {
        end(steps, task, PML_JOB_FAILED, true);
    }
    return status;
}

/* The same for a failure of this process's own calls. */
static pml_status fail_by(pml_steps *steps, pml_task *task, pml_status why, const pml_error *found, pml_error *error) {
    const int code = pml_cli_exit_code(why);
    return why == PML_E_MEMORY
               ? PML_FAIL(error, PML_E_MEMORY, "%s", found->message)
               : fail(steps, task, pml_verdict_cause(code, task->job->is_local), code, found->message, error);
}

static pml_status fail_by_child(pml_steps *steps, pml_task *task, pml_error *error) {
    pml_status status = PML_OK;
    pml_verdict verdict;
    const bool is_local = task->job->is_local || task->state == PML_TASK_CONVERTING;
    PML_TRY(pml_verdict_read(&task->child, steps->settings->step_seconds, is_local, steps->texts, &verdict, error));
    PML_TRY(fail(steps, task, verdict.cause, verdict.exit_code, verdict.message, error));
done:
    return status;
}

/* ---- is there anything to do? ------------------------------------------------------------------------------------ */

static void take_over(pml_batch_job *job, const pml_output_state *output, const pml_journal_entry *entry) {
    job->family = output->family;
    job->variant = output->variant;
    job->content_digest = output->content_digest;
    job->size_bytes = output->size_bytes;
    job->source_bytes = entry != NULL ? entry->source_bytes : 0;
}

static bool is_same(const char *a, const char *b) {
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* Whether the output's own record says that it is what this job would make. Only a commit is such a record: what a
 * local folder held when it was read, its name does not tell. */
static pml_status is_recorded_in_output(const pml_steps *steps, const pml_batch_job *job,
                                        const pml_output_state *output, bool *is_recorded, pml_error *error) {
    pml_status status = PML_OK;
    const char *source = NULL, *converter = NULL;
    *is_recorded = false;
    if (!job->is_local && !job->options.names_files) {
        PML_TRY(pml_arena_format(steps->texts, &source, error, "hf://%s@%s", job->source, job->identity));
        PML_TRY(pml_arena_format(steps->texts, &converter, error, "pml-convert %s", pml_version()));
        *is_recorded = is_same(output->source, source) && is_same(output->converter, converter) &&
                       is_same(output->options, job->options.key);
    }
done:
    return status;
}

/* An output exists. */
static pml_status decide_existing(pml_steps *steps, pml_task *task, const pml_output_state *output,
                                  const pml_journal_entry *entry, pml_error *error) {
    pml_status status = PML_OK;
    pml_batch_job *job = task->job;
    bool is_recorded = false;
    pml_quoted quoted;
    if (output->is_model && entry != NULL && is_same(entry->event, "published") &&
        is_same(entry->identity, job->identity) && is_same(entry->content_digest, output->content_digest)) {
        take_over(job, output, entry);
        end(steps, task, PML_JOB_UP_TO_DATE, false);
        goto done;
    }
    if (output->is_model) {
        PML_TRY(is_recorded_in_output(steps, job, output, &is_recorded, error));
    }
    if (is_recorded) {
        take_over(job, output, NULL);
        end(steps, task, PML_JOB_UP_TO_DATE, true);
    } else if (steps->settings->replace) {
        task->replaces = true;
    } else if (!output->is_model || (!job->options.names_files && !is_same(output->options, job->options.key))) {
        char message[512];
        (void)snprintf(message, sizeof message, "output %s exists and %s; --force replaces it",
                       pml_quote(&quoted, job->output),
                       output->is_model ? "was made with other options" : "is not a .pml file that can be read");
        PML_TRY(fail(steps, task, PML_CAUSE_INPUT, 2, message, error));
    } else {
        /* Only its bytes can tell: the conversion goes beside it, and the digests decide. */
        PML_TRY(pml_publish_scratch_path(task->target, &task->scratch, error));
    }
done:
    return status;
}

/* The job's identity is known. Ends the task when nothing is to be done. */
static pml_status decide(pml_steps *steps, pml_task *task, pml_error *error) {
    pml_status status = PML_OK;
    pml_batch_job *job = task->job;
    pml_output_state output;
    const pml_journal_entry *entry = pml_journal_find(steps->journal, job);
    task->is_decided = true;
    PML_TRY(pml_output_look(task->target, steps->texts, &output, error));
    if (output.exists) {
        PML_TRY(decide_existing(steps, task, &output, entry, error));
    } else if (entry != NULL && is_same(entry->event, "failed") && is_same(entry->identity, job->identity) &&
               !steps->settings->retry_failed) {
        pml_job_cause cause = PML_CAUSE_NONE;
        const char *text = entry->error != NULL ? entry->error : "";
        if (entry->cause != NULL && pml_job_cause_from_name(entry->cause, &cause) && pml_job_cause_is_final(cause)) {
            PML_TRY(pml_arena_text(steps->texts, text, strlen(text), &job->error, error));
            job->cause = cause;
            job->exit_code = (int)entry->exit_code;
            job->is_recorded = true;
            end(steps, task, PML_JOB_FAILED, false);
        }
    }
done:
    return status;
}

static bool is_commit(const char *text) {
    return text != NULL && strlen(text) == 40 && strspn(text, "0123456789abcdef") == 40;
}

/* What can be known of a repository without asking. */
static pml_status identify_remote(pml_steps *steps, pml_batch_job *job, pml_error *error) {
    pml_status status = PML_OK;
    const pml_journal_entry *resolved = pml_journal_find_resolved(steps->journal, job);
    const pml_journal_entry *result = pml_journal_find(steps->journal, job);
    if (is_commit(job->revision)) {
        job->identity = job->revision;
    } else if (resolved != NULL && is_commit(resolved->identity)) {
        PML_TRY(pml_arena_text(steps->texts, resolved->identity, 40, &job->identity, error));
    } else if (result != NULL && result->identity == NULL && is_same(result->event, "failed") &&
               is_same(result->cause, pml_job_cause_name(PML_CAUSE_REMOTE)) && !steps->settings->retry_failed) {
        const char *text = result->error != NULL ? result->error : "";
        PML_TRY(pml_arena_text(steps->texts, text, strlen(text), &job->error, error));
        job->cause = PML_CAUSE_REMOTE;
        job->exit_code = (int)result->exit_code;
        job->is_recorded = true;
    }
done:
    return status;
}

static pml_status take_lock(pml_steps *steps, pml_task *task, bool *has_lock, pml_error *error) {
    pml_status status = PML_OK;
    pml_error found = {0};
    const pml_status taken = pml_output_lock_take(steps->settings->folder, task->job->output, &task->lock, &found);
    *has_lock = taken == PML_OK;
    if (taken == PML_E_BUSY) {
        const uint64_t now = pml_now_ns();
        task->busy_ns = task->busy_ns != 0 ? task->busy_ns : now;
        task->retry_ns = now + SECOND_NS / 4;
        if (now - task->busy_ns > steps->settings->lock_seconds * SECOND_NS) {
            PML_TRY(fail(steps, task, PML_CAUSE_TRANSIENT, 75, found.message, error));
        }
    } else if (taken != PML_OK) {
        PML_TRY(fail_by(steps, task, taken, &found, error));
    } else if (task->busy_ns != 0) {
        /* Another process has made it, or tried to: what it wrote down counts. */
        PML_TRY(pml_journal_refresh(steps->journal, error));
        task->busy_ns = 0;
    }
done:
    return status;
}

pml_status pml_steps_examine(pml_steps *steps, pml_task *task, pml_error *error) {
    pml_status status = PML_OK;
    pml_batch_job *job = task->job;
    bool has_lock = false;
    PML_TRY(take_lock(steps, task, &has_lock, error));
    if (!has_lock) {
        goto done;
    }
    if (job->is_local) {
        pml_error found = {0};
        job->folder = job->source;
        const pml_status known = pml_local_identity(job->source, steps->texts, &job->identity, &found);
        if (known != PML_OK) {
            PML_TRY(fail_by(steps, task, known, &found, error));
            goto done;
        }
    } else {
        PML_TRY(identify_remote(steps, job, error));
        if (job->is_recorded) {
            end(steps, task, PML_JOB_FAILED, false);
            goto done;
        }
    }
    if (job->identity != NULL) {
        PML_TRY(decide(steps, task, error));
    }
    if (task->state == PML_TASK_WAITING && job->is_local) {
        task->state = PML_TASK_READY;
    }
done:
    return status;
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

static pml_status start(pml_steps *steps, pml_task *task, const char *const *arguments, uint64_t memory_bytes,
                        pml_task_state state, pml_error *error) {
    pml_error found = {0};
    const pml_child_limits limits = {.memory_bytes = memory_bytes, .seconds = steps->settings->step_seconds};
    pml_child_deinit(&task->child);
    const pml_status started = pml_child_start(steps->settings->program, arguments, &limits, &task->child, &found);
    if (started != PML_OK) {
        return fail_by(steps, task, started, &found, error);
    }
    task->state = state;
    return PML_OK;
}

pml_status pml_steps_fetch(pml_steps *steps, pml_task *task, uint64_t memory_bytes, pml_error *error) {
    pml_status status = PML_OK;
    const pml_batch_job *job = task->job;
    const char *revision = job->identity != NULL ? job->identity : job->revision;
    const char **arguments = NULL;
    size_t n = 0;
    PML_TRY(pml_alloc(steps->settings->n_download_options + 8, sizeof *arguments, &arguments, error));
    arguments[n++] = "pml-convert";
    arguments[n++] = "download";
    arguments[n++] = "--json";
    for (size_t i = 0; i < steps->settings->n_download_options; i++) {
        arguments[n++] = steps->settings->download_options[i];
    }
    if (revision != NULL) {
        arguments[n++] = "--revision";
        arguments[n++] = revision;
    }
    arguments[n++] = "--";
    arguments[n++] = job->source;
    arguments[n] = NULL;
    PML_TRY(start(steps, task, arguments, memory_bytes, PML_TASK_FETCHING, error));
done:
    pml_free(arguments);
    return status;
}

/* Makes the folders that the output lies in, below the batch's. */
static pml_status make_folders(const pml_steps *steps, const pml_batch_job *job, pml_error *error) {
    char path[PATH_MAX];
    pml_quoted quoted;
    for (const char *slash = strchr(job->output, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        const int n =
            snprintf(path, sizeof path, "%s/%.*s", steps->settings->folder, (int)(slash - job->output), job->output);
        if (n < 0 || (size_t)n >= sizeof path || (mkdir(path, 0777) != 0 && errno != EEXIST)) {
            return PML_FAIL(error, PML_E_IO, "%s: %s", pml_quote(&quoted, path), strerror(errno));
        }
    }
    return PML_OK;
}

pml_status pml_steps_convert(pml_steps *steps, pml_task *task, uint64_t memory_bytes, pml_error *error) {
    pml_status status = PML_OK;
    const pml_batch_job *job = task->job;
    const char **arguments = NULL;
    size_t n = 0;
    pml_error found = {0};
    const pml_status made = make_folders(steps, job, &found);
    if (made != PML_OK) {
        PML_TRY(fail_by(steps, task, made, &found, error));
        goto done;
    }
    PML_TRY(pml_alloc(job->options.n_arguments + 10, sizeof *arguments, &arguments, error));
    arguments[n++] = "pml-convert";
    arguments[n++] = "convert";
    arguments[n++] = "--json";
    arguments[n++] = "--outfile";
    arguments[n++] = task->scratch != NULL ? task->scratch : task->target;
    for (size_t i = 0; i < job->options.n_arguments; i++) {
        arguments[n++] = job->options.arguments[i];
    }
    if (task->replaces) {
        arguments[n++] = "--force";
    }
    arguments[n++] = "--";
    arguments[n++] = job->folder;
    arguments[n] = NULL;
    PML_TRY(start(steps, task, arguments, memory_bytes, PML_TASK_CONVERTING, error));
done:
    pml_free(arguments);
    return status;
}

pml_status pml_steps_fetched(pml_steps *steps, pml_task *task, pml_error *error) {
    pml_status status = PML_OK;
    pml_batch_job *job = task->job;
    pml_error found = {0};
    const char *folder = NULL, *commit = NULL;
    const pml_json_field fields[] = {{"path", PML_FIELD_TEXT, &folder},
                                     {"commit", PML_FIELD_TEXT, &commit},
                                     {"received_bytes", PML_FIELD_U64, &job->download_bytes}};
    job->seconds += task->child.seconds;
    pml_verdict_warn(&task->child, job->id);
    if (task->child.exit_code != 0) {
        PML_TRY(fail_by_child(steps, task, error));
        goto done;
    }
    const pml_child_text *out = &task->child.out;
    const pml_status read = pml_json_fields_read(out->bytes != NULL ? out->bytes : "", out->size_bytes,
                                                 "the answer of pml-convert download", fields,
                                                 sizeof fields / sizeof fields[0], steps->texts, &found);
    if (read == PML_E_MEMORY) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s", found.message));
    }
    if (read != PML_OK || folder == NULL || !is_commit(commit)) {
        PML_TRY(fail(steps, task, PML_CAUSE_BUG, 1,
                     read != PML_OK ? found.message : "pml-convert download told neither folder nor commit", error));
        goto done;
    }
    pml_child_deinit(&task->child);
    task->is_decided = task->is_decided && is_same(job->identity, commit);
    job->folder = folder;
    job->identity = commit;
    record(steps, job, "resolved");
    if (!task->is_decided) {
        PML_TRY(decide(steps, task, error));
    }
    if (task->state == PML_TASK_FETCHING) {
        task->state = PML_TASK_READY;
    }
done:
    return status;
}

/* The file is made: in its place, or beside it to be compared. */
static pml_status judge(pml_steps *steps, pml_task *task, pml_error *error) {
    pml_status status = PML_OK;
    pml_batch_job *job = task->job;
    pml_output_state made, there;
    char message[512];
    pml_quoted quoted;
    PML_TRY(pml_output_look(task->scratch != NULL ? task->scratch : task->target, steps->texts, &made, error));
    if (!made.is_model) {
        PML_TRY(fail(steps, task, PML_CAUSE_RESOURCE, 74, "the output was changed as soon as it was written", error));
        goto done;
    }
    const uint64_t source_bytes = job->source_bytes;
    take_over(job, &made, NULL);
    job->source_bytes = source_bytes;
    if (task->scratch == NULL) {
        end(steps, task, PML_JOB_PUBLISHED, true);
        goto done;
    }
    PML_TRY(pml_output_look(task->target, steps->texts, &there, error));
    if (is_same(made.content_digest, there.content_digest)) {
        end(steps, task, PML_JOB_UP_TO_DATE, true);
    } else {
        (void)snprintf(message, sizeof message,
                       "output %s exists and differs from what its source gives now; --force replaces it",
                       pml_quote(&quoted, job->output));
        PML_TRY(fail(steps, task, PML_CAUSE_INPUT, 2, message, error));
    }
done:
    return status;
}

pml_status pml_steps_converted(pml_steps *steps, pml_task *task, pml_error *error) {
    pml_status status = PML_OK;
    pml_batch_job *job = task->job;
    const pml_json_field fields[] = {{"source_bytes", PML_FIELD_U64, &job->source_bytes}};
    job->seconds += task->child.seconds;
    pml_verdict_warn(&task->child, job->id);
    if (task->child.exit_code == 0) {
        const pml_child_text *out = &task->child.out;
        pml_error ignored = {0};
        /* Nothing hangs on it but a figure in the report. */
        (void)!pml_json_fields_read(out->bytes != NULL ? out->bytes : "", out->size_bytes, "pml-convert", fields, 1,
                                    steps->texts, &ignored);
        PML_TRY(judge(steps, task, error));
    } else if (pml_verdict_is_memory(&task->child) && !task->was_alone) {
        task->needs_alone = true;
        task->state = PML_TASK_READY;
        pml_child_deinit(&task->child);
    } else {
        PML_TRY(fail_by_child(steps, task, error));
    }
done:
    return status;
}
