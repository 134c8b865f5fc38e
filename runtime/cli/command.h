/* Commands of both programs from one table each: parsing (getopt_long), --help and the checks of operands come from it.
 *
 * Exit codes are specs/command-line.md's; stdout carries results only, everything else goes to stderr. */
#ifndef PML_RUNTIME_CLI_COMMAND_H
#define PML_RUNTIME_CLI_COMMAND_H

#include "runtime/base/error.h"

typedef enum pml_option_kind {
    PML_OPTION_FLAG,  /* bool */
    PML_OPTION_COUNT, /* unsigned: how often it was given */
    PML_OPTION_TEXT,  /* const char *; NULL when not given */
    PML_OPTION_U64,   /* pml_option_u64 */
    PML_OPTION_LIST   /* pml_option_list, repeatable */
} pml_option_kind;

typedef struct pml_option_u64 {
    bool is_set;
    uint64_t value;
} pml_option_u64;
typedef struct pml_option_list {
    const char **items;
    size_t count;
} pml_option_list;

typedef struct pml_option { /* a list ends with a NULL name */
    const char *name;       /* without "--" */
    char letter;            /* 0: none */
    pml_option_kind kind;
    const char *argument; /* "FILE"; NULL: FLAG and COUNT take none */
    const char *choices;  /* TEXT only: "f32|bf16"; NULL: free */
    const char *help;     /* one line; NULL hides the row from help (an alias: same field as the row it stands for) */
    size_t offset;        /* of the field in the command's options struct */
} pml_option;

/* What every command has: first member of every command's options struct. */
typedef struct pml_common_options {
    bool help; /* or version: nothing runs, and operands are not checked */
    bool version;
    bool json;
    bool quiet;
    unsigned verbosity;
    const char *progress; /* auto | bar | plain | none */
    const char *color;    /* auto | always | never */
    const char *log_file;
} pml_common_options;

typedef struct pml_command {
    const char *name;     /* "inspect" */
    const char *operands; /* "FILE", "A B", "SOURCE" */
    const char *summary;  /* one line */
    const char *examples; /* lines, each a whole command line */
    const pml_option *options;
    size_t options_bytes; /* of its options struct, which starts with pml_common_options */
    unsigned least_operands, most_operands;
    /* A command that is a program of its own, beside this one, which gets all arguments and of which only name and
     * summary stand here; NULL: it is not. `program_has_commands`: the command's name goes in front of them. */
    const char *program;
    bool program_has_commands;
    /* Does the work; prints results to stdout. On failure fills *error and returns its status: the caller prints it and
     * picks the exit code. A result that is "no" (verify, diff, selftest) is PML_E_MISMATCH. */
    pml_status (*run)(const void *options, char **operands, unsigned n_operands, pml_error *error);
} pml_command;

/* The whole main(): finds the command, installs signal handlers (SIGINT, SIGTERM: cancel, second one immediate; SIGBUS:
 * exit 74; SIGPIPE: quiet end), logging, runs, prints errors, checks that stdout could be written. `default_command`
 * (may be NULL) is run when the first argument is not a command's name: `pml-convert SOURCE`; with no other commands it
 * is the whole program. Returns the exit code (signals are re-raised). */
int pml_cli_main(const char *program, const char *summary, const pml_command *const *commands,
                 const pml_command *default_command, int argc, char **argv);

/* Exit code of a status: 0, 2 ARGUMENT, 66 NOT_FOUND, 74 IO, 65 FORMAT UNSUPPORTED NUMERIC, 69 NETWORK, 75 BUSY, 77
 * DENIED, 78 CONFIG, 1 MISMATCH, 1 MEMORY. */
int pml_cli_exit_code(pml_status status);

/* For options that choose a backend; NULL and "auto" ask for any. Errors: ARGUMENT (no such name, with the nearest one;
 * PML_ISA), UNSUPPORTED (it does not work here). */
pml_status pml_cli_check_backend(const char *name, pml_error *error) PML_WARN_UNUSED;
/* Refuses the file that --`option` names when writing it would destroy an input (NULL entries are allowed) or cannot
 * work: before anything is computed. A file that is none of the inputs may be replaced. Errors: ARGUMENT, IO. */
pml_status pml_cli_check_output(const char *option, const char *path, const char *const *inputs, size_t n_inputs,
                                pml_error *error) PML_WARN_UNUSED;

/* Progress on stderr: a bar on a terminal, plain lines elsewhere (every 10 s or 10 %), nothing with quiet, json or
 * none. */
typedef struct pml_progress pml_progress;
pml_status pml_progress_create(const pml_common_options *common, const char *what, uint64_t total_bytes,
                               pml_progress **progress, pml_error *error) PML_WARN_UNUSED;
/* The same where what advances is not bytes but `unit` ("windows", "rows"). */
pml_status pml_progress_create_units(const pml_common_options *common, const char *what, const char *unit,
                                     uint64_t total, pml_progress **progress, pml_error *error) PML_WARN_UNUSED;
void pml_progress_advance(pml_progress *progress, uint64_t done_bytes); /* NULL is allowed, as below */
/* What stands behind the numbers from now on, such as "loss 0.371"; cut where it is long. */
void pml_progress_detail(pml_progress *progress, const char *text);
/* A line that stays: one part of the work is done. Printed wherever progress is shown at all. */
void pml_progress_note(pml_progress *progress, const char *text);
void pml_progress_destroy(pml_progress *progress);

/* Human sizes such as "312.5 KiB" into a buffer of 32 bytes; returns it. */
const char *pml_cli_size_text(uint64_t size_bytes, char text[32]);

#endif
