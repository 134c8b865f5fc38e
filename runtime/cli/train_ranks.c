#include "runtime/cli/train_ranks.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/cli/command.h"
#include "runtime/cli/command_program.h"

#define MODULE "pml-mpi.so"

/* Where the module lies: beside the program (a build folder), or where an installation has it. */
static pml_status find_module(char path[PATH_MAX], pml_error *error) {
    pml_status status = pml_program_beside(MODULE, path, error);
    if (status == PML_OK && access(path, F_OK) != 0) {
        status = pml_program_beside(PML_MODULES "/" MODULE, path, error);
    }
    return status;
}

static void fall_silent(void) {
    if (freopen("/dev/null", "w", stderr) == NULL) {
        (void)fclose(stderr);
    }
}

pml_status pml_train_ranks_open(pml_ranks *ranks, pml_error *error) {
    pml_status status = PML_OK;
    char path[PATH_MAX];
    *ranks = (pml_ranks){0};
    if (pml_ranks_launched() == 1) {
        goto done;
    }
    PML_TRY(find_module(path, error));
    status = pml_ranks_open(path, ranks, error);
    if (status != PML_OK && pml_ranks_i_launched() != 0) {
        fall_silent(); /* all fail alike */
    }

done:
    return status;
}

/* Behind the message. */
static const pml_rank_module *left;
static int left_code;
static void abort_at_exit(void) {
    left->abort(left_code);
}

pml_status pml_train_ranks_close(pml_ranks *ranks, pml_status status, pml_error *error) {
    const pml_ranks_end end = pml_ranks_meet(ranks, status);
    if (!pml_ranks_are_several(ranks)) {
        return status;
    }
    if (!end.is_common && status != PML_OK) {
        pml_error_prefix(error, status, "rank %zu", ranks->i_rank);
    }
    if (!end.is_complete) {
        left = ranks->module;
        left_code = pml_cli_exit_code(status);
        return atexit(abort_at_exit) == 0 ? status : PML_FAIL(error, PML_E_MEMORY, "no room to end the other ranks");
    }
    if (!end.speaks) {
        fall_silent();
    }
    pml_ranks_close(ranks);
    return end.status;
}
