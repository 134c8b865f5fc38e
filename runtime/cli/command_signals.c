/* Signals: stop soon, stop now, and a file that vanished under a mapping. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/publish.h"
#include "runtime/cli/command_parts.h"

static const char *program_name = "pml";
static volatile sig_atomic_t stopped_by;

/* Puts the default action back and raises: the signal is held until the handler returns and then ends the process. */
static void end_by(int signal_number) {
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

static void on_stop(int signal_number) {
    if (stopped_by != 0) {
        pml_publish_unlink_all();
        end_by(signal_number);
        return;
    }
    stopped_by = signal_number;
    pml_cancel_request();
}

static void on_broken_pipe(int signal_number) {
    pml_publish_unlink_all();
    end_by(signal_number);
}

static void say(const char *text) {
    size_t length = strlen(text);
    if (write(STDERR_FILENO, text, length) < 0) {
        return; /* nobody listens; the exit code still tells */
    }
}

/* A page of a mapped file that is no longer there: the access cannot be finished, so the process ends here. */
static void on_bus_error(int signal_number) {
    (void)signal_number;
    pml_publish_unlink_all();
    say(program_name);
    say(": error: a file changed while it was mapped (it was truncated, or its disk failed)\n");
    _exit(74);
}

static void install(int signal_number, void (*handler)(int)) {
    struct sigaction now = {0}, action = {0};
    if (sigaction(signal_number, NULL, &now) != 0 || now.sa_handler == SIG_IGN) {
        return; /* whoever started us chose to ignore it (nohup, background jobs) */
    }
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(signal_number, &action, NULL);
}

void pml_signals_install(const char *program) {
    program_name = program;
    install(SIGINT, on_stop);
    install(SIGTERM, on_stop);
    install(SIGHUP, on_stop);
    install(SIGPIPE, on_broken_pipe);
    install(SIGBUS, on_bus_error);
    /* A file size limit then appears as a failed write (EFBIG), which is cleaned up like a full disk. */
    (void)signal(SIGXFSZ, SIG_IGN);
}

int pml_signals_stopped_by(void) {
    return stopped_by;
}

void pml_signals_reraise(int signal_number) {
    end_by(signal_number);
}
