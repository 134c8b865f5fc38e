/* The commands of pml-convert, one file each: convert/cmd_<name>.c. */
#ifndef PML_CONVERT_COMMANDS_H
#define PML_CONVERT_COMMANDS_H

#include "runtime/cli/command.h"

extern const pml_command pml_cmd_convert; /* the default: pml-convert SOURCE */
extern const pml_command pml_cmd_download;
extern const pml_command pml_cmd_cache;
extern const pml_command pml_cmd_inspect;
extern const pml_command pml_cmd_verify;
extern const pml_command pml_cmd_diff;
extern const pml_command pml_cmd_detect;
extern const pml_command pml_cmd_models;
extern const pml_command pml_cmd_formats;
extern const pml_command pml_cmd_selftest;
extern const pml_command pml_cmd_ship;
extern const pml_command pml_cmd_unship;
extern const pml_command pml_cmd_batch;
extern const pml_command pml_cmd_export;

#endif
