/* Progress: a bar on a terminal, plain lines elsewhere. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/cli/command_parts.h"

enum { LINE_BYTES = 512, BAR_EVERY_MS = 100, PLAIN_EVERY_MS = 10000, WINDOW_MS = 5000 };

typedef enum mode { MODE_NONE, MODE_BAR, MODE_PLAIN } mode;

struct pml_progress {
    mode mode;
    char what[96];
    char unit[16]; /* "" for bytes */
    char detail[96];
    uint64_t total;
    uint64_t done;
    uint64_t shown_ms;      /* when a line was last shown */
    unsigned shown_percent; /* plain: the last multiple of 10 */
    uint64_t start_ms;
    uint64_t window_ms, window_done; /* where the current rate is measured from */
    double rate;                     /* per second; 0 until known */
};

static bool bar_is_drawn;

static uint64_t now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static bool is_terminal(void) {
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) == 1 && term != NULL && strcmp(term, "dumb") != 0;
}

bool pml_cli_color_wanted(const char *choice) {
    if (choice != NULL && strcmp(choice, "auto") != 0) {
        return strcmp(choice, "always") == 0;
    }
    const char *no_color = getenv("NO_COLOR");
    return is_terminal() && (no_color == NULL || no_color[0] == '\0');
}

static mode choose_mode(const pml_common_options *common) {
    const char *progress = common->progress != NULL ? common->progress : "auto";
    if (common->quiet || common->json || strcmp(progress, "none") == 0) {
        return MODE_NONE;
    }
    if (strcmp(progress, "auto") != 0) {
        return strcmp(progress, "bar") == 0 ? MODE_BAR : MODE_PLAIN;
    }
    const char *disabled = getenv("HF_HUB_DISABLE_PROGRESS_BARS");
    bool no_bars = disabled != NULL && (strcmp(disabled, "1") == 0 || strcasecmp(disabled, "true") == 0 ||
                                        strcasecmp(disabled, "yes") == 0 || strcasecmp(disabled, "on") == 0);
    return is_terminal() && !no_bars ? MODE_BAR : MODE_PLAIN;
}

const char *pml_cli_size_text(uint64_t size_bytes, char text[32]) {
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (size_bytes < 1024) {
        (void)snprintf(text, 32, "%u B", (unsigned)size_bytes);
        return text;
    }
    double size = (double)size_bytes / 1024;
    size_t unit = 0;
    while (size >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        size /= 1024;
        unit++;
    }
    (void)snprintf(text, 32, "%.1f %s", size, units[unit]);
    return text;
}

pml_status pml_progress_create_units(const pml_common_options *common, const char *what, const char *unit,
                                     uint64_t total, pml_progress **progress, pml_error *error) {
    pml_progress *made = NULL;
    pml_status status = pml_alloc(1, sizeof *made, &made, error);
    if (status != PML_OK) {
        return status;
    }
    made->mode = choose_mode(common);
    made->total = total;
    (void)snprintf(made->what, sizeof made->what, "%s", what);
    (void)snprintf(made->unit, sizeof made->unit, "%s", unit != NULL ? unit : "");
    made->start_ms = now_ms();
    made->window_ms = made->start_ms;
    made->shown_ms = made->start_ms;
    *progress = made;
    return PML_OK;
}

pml_status pml_progress_create(const pml_common_options *common, const char *what, uint64_t total_bytes,
                               pml_progress **progress, pml_error *error) {
    return pml_progress_create_units(common, what, NULL, total_bytes, progress, error);
}

static const char *amount_text(const pml_progress *p, uint64_t amount, char text[32]) {
    if (p->unit[0] == '\0') {
        return pml_cli_size_text(amount, text);
    }
    (void)snprintf(text, 32, "%llu", (unsigned long long)amount);
    return text;
}

/* Minutes and seconds, behind hours where there are any. */
static void left_text(double seconds, char text[32]) {
    const unsigned long long whole = (unsigned long long)fmin(seconds, 1e9);
    if (whole < 3600) {
        (void)snprintf(text, 32, "%llu:%02llu", whole / 60, whole % 60);
    } else {
        (void)snprintf(text, 32, "%llu:%02llu:%02llu", whole / 3600, whole / 60 % 60, whole % 60);
    }
}

/* Name, percent, done/total, rate, time left ("-" until known), the detail. */
static void format_line(const pml_progress *p, unsigned percent, char line[LINE_BYTES]) {
    char done[32], total[32], rate[64], left[32] = "-";
    if (p->rate > 0) {
        char amount[32];
        (void)snprintf(rate, sizeof rate, "%s%s%s/s", amount_text(p, (uint64_t)p->rate, amount),
                       p->unit[0] != '\0' ? " " : "", p->unit);
        if (p->total >= p->done) {
            left_text((double)(p->total - p->done) / p->rate, left);
        }
    } else {
        (void)snprintf(rate, sizeof rate, "-");
    }
    if (p->total > 0) {
        (void)snprintf(line, LINE_BYTES, "%s %3u%%  %s/%s%s%s  %s  ETA %s%s%s", p->what, percent,
                       amount_text(p, p->done, done), amount_text(p, p->total, total), p->unit[0] != '\0' ? " " : "",
                       p->unit, rate, left, p->detail[0] != '\0' ? "  " : "", p->detail);
    } else {
        (void)snprintf(line, LINE_BYTES, "%s  %s %s  %s%s%s", p->what, amount_text(p, p->done, done), p->unit, rate,
                       p->detail[0] != '\0' ? "  " : "", p->detail);
    }
}

static void draw_bar(const char *line) {
    struct winsize size = {0};
    int width = 80;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 8) {
        width = size.ws_col;
    }
    (void)fprintf(stderr, "\r\033[K%.*s", width - 1, line);
    (void)fflush(stderr);
    bar_is_drawn = true;
}

void pml_progress_clear(void) {
    if (bar_is_drawn) {
        (void)fputs("\r\033[K", stderr);
        (void)fflush(stderr);
        bar_is_drawn = false;
    }
}

void pml_progress_advance(pml_progress *progress, uint64_t done_bytes) {
    if (progress == NULL || progress->mode == MODE_NONE) {
        return;
    }
    progress->done = done_bytes;
    uint64_t now = now_ms();
    if (now - progress->window_ms >= WINDOW_MS || (progress->rate <= 0 && now > progress->start_ms + 500)) {
        double seconds = (double)(now - progress->window_ms) / 1000;
        progress->rate =
            done_bytes > progress->window_done ? (double)(done_bytes - progress->window_done) / seconds : 0;
        progress->window_ms = now;
        progress->window_done = done_bytes;
    }
    double share = progress->total > 0 ? (double)done_bytes / (double)progress->total : 0;
    unsigned percent = share >= 1 ? 100 : (unsigned)(share * 100);
    bool is_due = progress->mode == MODE_BAR
                      ? now - progress->shown_ms >= BAR_EVERY_MS
                      : now - progress->shown_ms >= PLAIN_EVERY_MS ||
                            (percent / 10 > progress->shown_percent / 10 && now - progress->start_ms > 1000);
    if (!is_due) {
        return;
    }
    char line[LINE_BYTES];
    format_line(progress, percent, line);
    if (progress->mode == MODE_BAR) {
        draw_bar(line);
    } else {
        (void)fprintf(stderr, "%s\n", line);
    }
    progress->shown_ms = now;
    progress->shown_percent = percent;
}

void pml_progress_detail(pml_progress *progress, const char *text) {
    if (progress != NULL) {
        (void)snprintf(progress->detail, sizeof progress->detail, "%s", text);
    }
}

void pml_progress_note(pml_progress *progress, const char *text) {
    if (progress != NULL && progress->mode != MODE_NONE) {
        pml_progress_clear();
        (void)fprintf(stderr, "%s: %s\n", progress->what, text);
    }
}

void pml_progress_destroy(pml_progress *progress) {
    if (progress != NULL) {
        pml_progress_clear();
        pml_free(progress);
    }
}
