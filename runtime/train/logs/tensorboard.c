/* TensorBoard's event files, with the tags that Hugging Face's callback uses: eval_x is eval/x, test_x is test/x,
 * anything else train/x. A resumed run opens a new file, which readers take behind the older ones by its name, and
 * withdraws the steps that it computes again. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/process_mark.h"
#include "runtime/train/logs/log_sink.h"
#include "runtime/train/logs/tf_event.h"

#define NAME_BEGINS "events.out.tfevents."

typedef struct self {
    int fd;
    char *path;
    pml_tf_event event;
} self;

static double wall_time(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static pml_status write_event(self *s, pml_error *error) {
    pml_status status = PML_OK;
    const uint8_t *bytes = NULL;
    size_t left = 0;
    PML_TRY(pml_tf_event_finish(&s->event, &bytes, &left, error));
    while (left > 0) {
        const ssize_t n = write(s->fd, bytes, left);
        if (n < 0 && errno != EINTR) {
            PML_TRY(PML_FAIL(error, PML_E_IO, "cannot write %s: %s", s->path, strerror(errno)));
        }
        bytes += n > 0 ? n : 0;
        left -= n > 0 ? (size_t)n : 0;
    }
done:
    return status;
}

/* The latest second in the names of the event files that are there; -1: there is none. */
static long long latest_second(const char *folder) {
    long long latest = -1;
    DIR *stream = opendir(folder);
    if (stream == NULL) {
        return latest;
    }
    for (struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
        if (strncmp(entry->d_name, NAME_BEGINS, strlen(NAME_BEGINS)) == 0) {
            const long long second = strtoll(entry->d_name + strlen(NAME_BEGINS), NULL, 10);
            latest = second > latest && second < 9999999999 ? second : latest;
        }
    }
    (void)closedir(stream);
    return latest;
}

static pml_status create(self *s, const char *folder, long long second, pml_error *error) {
    static atomic_uint n_opened;
    pml_status status = PML_OK;
    char host[PML_PROCESS_HOST_BYTES], name[128];
    pml_process_host(host);
    (void)snprintf(name, sizeof name, NAME_BEGINS "%010lld.%s.%ld.%u", second, host, (long)getpid(),
                   atomic_fetch_add(&n_opened, 1));
    PML_TRY(pml_log_path(folder, name, &s->path, error));
    s->fd = open(s->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (s->fd < 0) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "cannot create %s: %s", s->path, strerror(errno)));
    }
done:
    return status;
}

static void sink_close(void *user) {
    self *s = user;
    if (s->fd >= 0) {
        (void)close(s->fd);
    }
    pml_tf_event_deinit(&s->event);
    pml_free(s->path);
    pml_free(s);
}

static pml_status sink_open(const pml_train_log_setup *setup, void **user, pml_error *error) {
    pml_status status = PML_OK;
    self *s = NULL;
    PML_TRY(pml_alloc(1, sizeof *s, &s, error));
    s->fd = -1;
    const double now = wall_time();
    const long long latest = latest_second(setup->folder);
    const long long second = (long long)now > latest ? (long long)now : latest + 1;
    PML_TRY(create(s, setup->folder, second, error));
    PML_TRY(pml_tf_event_version(&s->event, now, error));
    PML_TRY(write_event(s, error));
    if (latest >= 0) {
        PML_TRY(pml_tf_event_start(&s->event, now, setup->is_resumed ? setup->state->global_step + 1 : 0, error));
        PML_TRY(write_event(s, error));
    }
    *user = s;
done:
    if (status != PML_OK && s != NULL) {
        sink_close(s);
    }
    return status;
}

static pml_status write_scalar(self *s, double now, uint64_t step, const pml_log_value *value, pml_error *error) {
    static const struct {
        const char *begins, *tag;
    } groups[] = {{"eval_", "eval/"}, {"test_", "test/"}, {"", "train/"}};
    pml_status status = PML_OK;
    size_t i = 0;
    while (strncmp(value->name, groups[i].begins, strlen(groups[i].begins)) != 0) {
        i++;
    }
    PML_TRY(pml_tf_event_scalar(&s->event, now, step, groups[i].tag, value->name + strlen(groups[i].begins),
                                value->value, error));
    PML_TRY(write_event(s, error));
done:
    return status;
}

static pml_status sink_write(void *user, const pml_log_record *record, pml_error *error) {
    pml_status status = PML_OK;
    self *s = user;
    const double now = wall_time();
    for (size_t i = 0; i < record->n_values; i++) {
        PML_TRY(write_scalar(s, now, record->step, &record->values[i], error));
    }
    PML_TRY(write_scalar(s, now, record->step, &(pml_log_value){"epoch", record->epoch}, error));
done:
    return status;
}

const pml_log_sink pml_log_sink_tensorboard = {
    .name = "tensorboard",
    .summary = "events.out.tfevents.*, read by TensorBoard",
    .open = sink_open,
    .write = sink_write,
    .close = sink_close,
};
