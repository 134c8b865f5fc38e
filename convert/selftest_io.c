/* Vectors stay views into the mapped file. */
#include "convert/selftest_io.h"

#include <stdio.h>
#include <string.h>

#include "convert/safetensors_writer.h"
#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"
#include "runtime/models/model.h"

static bool has_prefix(const char *name, const char *prefix) {
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* The names that pml_selftest_run looks at. */
static bool is_ours(const char *name) {
    return has_prefix(name, "in.") || has_prefix(name, "out64.") ||
           (has_prefix(name, "out.") && strcmp(name, "out.loss") != 0);
}

pml_status pml_selftest_io_open(const char *path, pml_selftest_io *io, pml_error *error) {
    pml_status status = PML_OK;
    *io = (pml_selftest_io){0};
    PML_TRY(pml_source_open(path, &io->source, error));
    PML_TRY(pml_alloc(pml_source_n_tensors(io->source), sizeof *io->vectors, &io->vectors, error));
    for (size_t i = 0; i < pml_source_n_tensors(io->source); i++) {
        const pml_source_tensor *tensor = pml_source_tensor_at(io->source, i);
        if (!is_ours(tensor->name)) {
            continue;
        }
        if (!pml_dtype_is_number(tensor->dtype)) {
            pml_quoted quoted;
            PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s: vector %s has dtype %s, which holds no plain numbers", path,
                             pml_quote(&quoted, tensor->name), pml_dtype_name(tensor->dtype)));
        }
        pml_vector *vector = &io->vectors[io->n_vectors];
        *vector = (pml_vector){.name = tensor->name, .dtype = tensor->dtype, .rank = tensor->rank};
        memcpy(vector->shape, tensor->shape, sizeof vector->shape);
        PML_TRY(pml_source_tensor_view(io->source, tensor, &vector->bytes, error));
        io->n_vectors++;
    }
done:
    if (status != PML_OK) {
        pml_selftest_io_close(io);
    }
    return status;
}

void pml_selftest_io_close(pml_selftest_io *io) {
    pml_free(io->vectors);
    pml_source_close(io->source);
    *io = (pml_selftest_io){0};
}

static bool has_vector(const pml_selftest_io *io, const char *prefix, const char *name) {
    size_t length = strlen(prefix);
    for (size_t i = 0; i < io->n_vectors; i++) {
        if (has_prefix(io->vectors[i].name, prefix) && strcmp(io->vectors[i].name + length, name) == 0) {
            return true;
        }
    }
    return false;
}

void pml_selftest_io_narrow(pml_selftest_io *io, const pml_model *model) {
    size_t kept = 0;
    for (size_t i = 0; i < io->n_vectors; i++) {
        const char *name = io->vectors[i].name;
        if (has_prefix(name, "out64.") && !has_vector(io, "out.", name + strlen("out64.")) &&
            pml_model_find_output(model, name + strlen("out64.")) == NULL) {
            continue;
        }
        io->vectors[kept++] = io->vectors[i];
    }
    io->n_vectors = kept;
}

pml_status pml_selftest_io_write(const pml_model *model, const char *path, pml_error *error) {
    pml_status status = PML_OK;
    typedef char output_name[PML_MAX_NAME_BYTES + 1];
    size_t n_outputs = pml_model_n_outputs(model), count = 0;
    pml_safetensors_entry *entries = NULL;
    output_name *names = NULL;
    PML_TRY(pml_alloc(n_outputs, sizeof *entries, &entries, error));
    PML_TRY(pml_alloc(n_outputs, sizeof *names, &names, error));
    for (size_t i = 0; i < n_outputs; i++) {
        const pml_array *output = pml_model_output_at(model, i);
        if (output->data == NULL) {
            continue;
        }
        int size = snprintf(names[count], sizeof names[count], "out.%s", output->name);
        if (size < 0 || (size_t)size >= sizeof names[count]) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "output %zu: its name is too long", i));
        }
        pml_safetensors_entry *entry = &entries[count];
        *entry = (pml_safetensors_entry){.name = names[count], .rank = (unsigned)output->rank, .data = output->data};
        for (size_t k = 0; k < output->rank; k++) {
            entry->shape[k] = output->shape[k];
        }
        count++;
    }
    PML_TRY(pml_safetensors_write(path, entries, count, true, error));
done:
    pml_free(names);
    pml_free(entries);
    return status;
}
