#include "convert/hub/hub_pace.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MOST_WAIT_MS = 600000 };

/* One of these a budget, written and read in one call. Times are of the wall clock, which processes share. */
typedef struct record {
    char magic[8];
    uint64_t endpoint; /* a hash of its address */
    uint64_t next_ms, pace_ms, end_ms;
} record;
static const char record_magic[8] = {'p', 'm', 'l', 'p', 'a', 'c', 'e', '1'};

static uint64_t wall_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* FNV-1a. */
static uint64_t hash_text(const char *text) {
    uint64_t hash = 14695981039346656037u;
    for (; *text != '\0'; text++) {
        hash = (hash ^ (uint8_t)*text) * 1099511628211u;
    }
    return hash;
}

static int open_file(const pml_hub_session *session, int flags) {
    char path[PATH_MAX];
    const int n = snprintf(path, sizeof path, "%s/.locks/pml-pace", session->environment->cache_dir);
    return n > 0 && (size_t)n < sizeof path ? open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666) : -1;
}

void pml_hub_pace_load(pml_hub_session *session) {
    const int fd = open_file(session, O_RDONLY);
    record records[PML_HUB_N_BUDGETS];
    const bool is_read = fd >= 0 && pread(fd, records, sizeof records, 0) > 0;
    const uint64_t now_ms = wall_ms(), endpoint = hash_text(session->environment->endpoint);
    for (size_t i = 0; is_read && i < PML_HUB_N_BUDGETS; i++) {
        const record *r = &records[i];
        if (memcmp(r->magic, record_magic, sizeof r->magic) != 0 || r->endpoint != endpoint || r->end_ms <= now_ms ||
            r->end_ms - now_ms > 2u * MOST_WAIT_MS) {
            continue;
        }
        const uint64_t wait_ms = r->next_ms > now_ms ? r->next_ms - now_ms : 0;
        session->pace_ms[i] = r->pace_ms < MOST_WAIT_MS ? r->pace_ms : MOST_WAIT_MS;
        session->pace_end_ms[i] = pml_http_now_ms() + (r->end_ms - now_ms);
        session->next_ms[i] = pml_http_now_ms() + (wait_ms < MOST_WAIT_MS ? wait_ms : MOST_WAIT_MS);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

void pml_hub_pace_store(const pml_hub_session *session, pml_hub_budget budget, uint64_t lasts_ms) {
    const uint64_t now_ms = wall_ms();
    record r = {.endpoint = hash_text(session->environment->endpoint),
                .next_ms = now_ms + pml_hub_session_wait_ms(session, budget),
                .pace_ms = session->pace_ms[budget],
                .end_ms = now_ms + lasts_ms};
    memcpy(r.magic, record_magic, sizeof r.magic);
    const int fd = open_file(session, O_WRONLY | O_CREAT);
    if (fd >= 0) {
        (void)!pwrite(fd, &r, sizeof r, (off_t)(budget * sizeof r));
        (void)close(fd);
    }
}
