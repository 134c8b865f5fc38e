#include "runtime/serve/job.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "runtime/base/alloc.h"

int64_t pml_serve_now_ns(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Random where the kernel gives such bytes, distinct in any case. */
static void make_id(char id[48]) {
    static atomic_uint_fast64_t counter;
    uint64_t bits = 0;
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != sizeof bits) {
        bits = (uint64_t)pml_serve_now_ns();
    }
    (void)snprintf(id, 48, "%016llx%08llx", (unsigned long long)bits,
                   (unsigned long long)(atomic_fetch_add(&counter, 1) & 0xffffffff));
}

pml_status pml_job_create(pml_job_kind kind, size_t count, pml_job **job, pml_error *error) {
    pml_status status = PML_OK;
    pml_job *made = NULL;
    *job = NULL;
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    PML_TRY(pml_alloc(count, sizeof *made->encodings, &made->encodings, error));
    made->kind = kind;
    made->count = count;
    made->n_holders = 1;
    made->created = (uint64_t)time(NULL);
    made->queued_ns = pml_serve_now_ns();
    make_id(made->id);
    (void)pthread_mutex_init(&made->lock, NULL);
    *job = made;
    made = NULL;
done:
    pml_free(made);
    return status;
}

void pml_job_hold(pml_job *job) {
    (void)pthread_mutex_lock(&job->lock);
    job->n_holders++;
    (void)pthread_mutex_unlock(&job->lock);
}

void pml_job_release(pml_job *job) {
    if (job == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&job->lock);
    const bool is_last = --job->n_holders == 0;
    (void)pthread_mutex_unlock(&job->lock);
    if (!is_last) {
        return;
    }
    for (size_t i = 0; i < job->count; i++) {
        pml_encoding_deinit(&job->encodings[i]);
    }
    pml_embed_request_deinit(&job->embed);
    pml_completion_request_deinit(&job->completion);
    (void)pthread_mutex_destroy(&job->lock);
    pml_free(job->encodings);
    pml_free(job->vectors);
    pml_free(job->out);
    pml_free(job);
}

static bool is_wanted(pml_job *job) {
    if (job->owner.user != NULL && job->owner.is_gone(job->owner.user)) {
        job->is_cancelled = true;
    }
    return job->end == PML_JOB_OPEN && !job->is_cancelled &&
           (job->deadline_ns == 0 || pml_serve_now_ns() < job->deadline_ns);
}

static void wake(pml_job *job) {
    if (job->owner.user != NULL) {
        job->owner.wake(job->owner.user);
    }
}

bool pml_job_is_wanted(pml_job *job) {
    (void)pthread_mutex_lock(&job->lock);
    const bool result = is_wanted(job);
    (void)pthread_mutex_unlock(&job->lock);
    return result;
}

pml_status pml_job_send(pml_job *job, const void *bytes, size_t size_bytes, pml_error *error) {
    pml_status status = PML_OK;
    (void)pthread_mutex_lock(&job->lock);
    if (job->completion.is_stream && job->n_out > PML_MAX_SERVE_UNREAD_BYTES) {
        job->is_cancelled = true;
    }
    if (!is_wanted(job)) {
        PML_TRY(PML_FAIL(error, PML_E_INTERRUPTED, "nobody waits for the answer"));
    }
    PML_TRY(pml_grow(&job->out, &job->out_capacity, job->n_out + size_bytes, 1, SIZE_MAX / 4, "bytes", error));
    memcpy(job->out + job->n_out, bytes, size_bytes);
    job->n_out += size_bytes;
    wake(job);
done:
    (void)pthread_mutex_unlock(&job->lock);
    return status;
}

void pml_job_finish(pml_job *job, pml_job_end end, pml_status status, const pml_error *error) {
    (void)pthread_mutex_lock(&job->lock);
    if (job->end == PML_JOB_OPEN) {
        job->end = end;
        job->status = status;
        if (status != PML_OK && error != NULL) {
            (void)snprintf(job->message, sizeof job->message, "%.*s", (int)sizeof job->message - 1, error->message);
        }
        wake(job);
    }
    (void)pthread_mutex_unlock(&job->lock);
}

void pml_job_cancel(pml_job *job) {
    (void)pthread_mutex_lock(&job->lock);
    job->is_cancelled = true;
    (void)pthread_mutex_unlock(&job->lock);
}

void pml_job_disown(pml_job *job) {
    (void)pthread_mutex_lock(&job->lock);
    job->owner = (pml_job_owner){0};
    job->is_cancelled = true;
    (void)pthread_mutex_unlock(&job->lock);
}
