#include "runtime/train/ranks.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"

/* What a rank that failed waits for the others, who may be about to fail in the same way. */
#define PATIENCE_SECONDS 2.0

static size_t number_of(const char *name) {
    const char *text = getenv(name);
    char *end = NULL;
    const unsigned long long number = text != NULL && *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
    return end != NULL && *end == '\0' ? (size_t)number : 0;
}

size_t pml_ranks_launched(void) {
    size_t n = number_of("OMPI_COMM_WORLD_SIZE");
    n = n != 0 ? n : number_of("PMI_SIZE");
    /* srun sets the number of tasks also where it offers no way to join them, and a batch script has it too. */
    if (n == 0 && (getenv("PMIX_RANK") != NULL || getenv("PMI_RANK") != NULL)) {
        n = number_of("SLURM_STEP_NUM_TASKS");
        n = n != 0 ? n : number_of("SLURM_NTASKS");
    }
    return n > 1 ? n : 1;
}

size_t pml_ranks_i_launched(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"};
    size_t i_rank = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && i_rank == 0; i++) {
        i_rank = number_of(names[i]);
    }
    return i_rank;
}

pml_status pml_ranks_open(const char *path, pml_ranks *ranks, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_launched = pml_ranks_launched();
    *ranks = (pml_ranks){0};
    if (n_launched == 1) {
        goto done;
    }
    /* What MPI loads by itself finds MPI's names only where they are global. */
    void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    if (library == NULL) {
        const char *why = dlerror();
        PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND,
                         "%zu ranks were started, but this installation has no module that joins them: %s", n_launched,
                         why == NULL ? path : why));
    }
    const pml_rank_module *module = dlsym(library, PML_RANK_MODULE_SYMBOL);
    if (module == NULL || module->version != PML_RANK_MODULE_VERSION) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s: not a module of this version", path));
    }
    PML_TRY(module->open(&ranks->i_rank, &ranks->n_ranks, error));
    ranks->module = module;
    ranks->library = library; /* stays: MPI leaves handlers behind */
    if (ranks->n_ranks != n_launched) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED,
                         "the launcher says that there are %zu ranks, MPI sees %zu: was it the mpirun of another MPI?",
                         n_launched, ranks->n_ranks));
    }

done:
    return status;
}

void pml_ranks_broadcast(const pml_ranks *ranks, void *bytes, size_t size_bytes) {
    if (pml_ranks_are_several(ranks)) {
        ranks->module->broadcast(bytes, size_bytes);
    }
}

pml_status pml_ranks_vote_on(const pml_ranks *ranks, pml_ranks_vote *vote, pml_error *error) {
    pml_status status = PML_OK;
    pml_ranks_vote *all = NULL;
    if (pml_ranks_are_several(ranks)) {
        PML_TRY(pml_alloc(ranks->n_ranks, sizeof *all, &all, error));
        ranks->module->gather(vote, sizeof *vote, all);
        *vote = (pml_ranks_vote){0};
        for (size_t i = 0; i < ranks->n_ranks; i++) {
            vote->sum += all[i].sum;
            vote->weight += all[i].weight;
            vote->is_stopped |= all[i].is_stopped;
        }
    }

done:
    pml_free(all);
    return status;
}

pml_status pml_ranks_compare(const pml_ranks *ranks, uint64_t number, const char *what, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t *all = NULL;
    if (!pml_ranks_are_several(ranks)) {
        goto done;
    }
    PML_TRY(pml_alloc(ranks->n_ranks, sizeof *all, &all, error));
    ranks->module->gather(&number, sizeof number, all);
    for (size_t i = 1; i < ranks->n_ranks; i++) {
        if (all[i] != all[0]) {
            PML_TRY(PML_FAIL(error, PML_E_MISMATCH, "rank %zu has other %s than rank 0", i, what));
        }
    }

done:
    pml_free(all);
    return status;
}

pml_ranks_end pml_ranks_meet(const pml_ranks *ranks, pml_status status) {
    pml_ranks_end end = {.is_complete = true, .speaks = true, .is_common = true, .status = status};
    const int32_t mine = (int32_t)status;
    int32_t *all = NULL;
    if (!pml_ranks_are_several(ranks)) {
        return end;
    }
    if (pml_alloc(ranks->n_ranks, sizeof *all, &all, NULL) != PML_OK ||
        !ranks->module->meet(&mine, sizeof mine, all, status == PML_OK ? 0 : PATIENCE_SECONDS)) {
        pml_free(all);
        end.is_complete = false;
        end.is_common = false;
        return end;
    }
    size_t i_first = 0;
    while (i_first < ranks->n_ranks && all[i_first] == PML_OK) {
        i_first++;
    }
    i_first = i_first == ranks->n_ranks ? 0 : i_first;
    end.speaks = ranks->i_rank == i_first;
    end.status = (pml_status)all[i_first];
    for (size_t i = 0; i < ranks->n_ranks; i++) {
        end.is_common = end.is_common && all[i] == all[i_first];
    }
    pml_free(all);
    return end;
}

void pml_ranks_close(pml_ranks *ranks) {
    if (pml_ranks_are_several(ranks)) {
        ranks->module->close();
        *ranks = (pml_ranks){0};
    }
}
