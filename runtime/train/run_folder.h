/* The folder of a run: names in it, and which checkpoints there are. */
#ifndef PML_RUNTIME_TRAIN_RUN_FOLDER_H
#define PML_RUNTIME_TRAIN_RUN_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/error.h"

#define PML_RUN_PATH_BYTES 4096u

/* "<folder>/<name>" into path [PML_RUN_PATH_BYTES]. Errors: ARGUMENT (too long). */
pml_status pml_run_folder_path(const char *folder, const char *name, char *path, pml_error *error) PML_WARN_UNUSED;
/* "<folder>/checkpoint-<step>.pml". Errors: ARGUMENT. */
pml_status pml_run_folder_checkpoint(const char *folder, uint64_t step, char *path, pml_error *error) PML_WARN_UNUSED;
/* The checkpoint of the greatest step. Errors: IO, ARGUMENT. */
pml_status pml_run_folder_newest(const char *folder, char *path, bool *is_there, pml_error *error) PML_WARN_UNUSED;
/* Removes all but the newest `n_keep`. Errors: IO. */
pml_status pml_run_folder_prune(const char *folder, uint64_t n_keep, pml_error *error) PML_WARN_UNUSED;
/* A run that begins must not meet another one's checkpoints. Errors: ARGUMENT, naming one. */
pml_status pml_run_folder_refuse(const char *folder, pml_error *error) PML_WARN_UNUSED;

/* Keeps other runs out of the folder until *lock is closed (close(2)), however this one ends. Errors: BUSY (there is
 * one), IO. */
pml_status pml_run_folder_lock(const char *folder, int *lock, pml_error *error) PML_WARN_UNUSED;

#endif
