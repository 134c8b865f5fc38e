/* What all checkpoints of Nixtla/neuralforecast have in common: arguments under their own names, a loss that decides
 * how many values a step has, a scaler of windows around the network. */
#ifndef PML_MAPPERS_NEURALFORECAST_H
#define PML_MAPPERS_NEURALFORECAST_H

#include "mappers/config.h"

#define PML_NEURALFORECAST "neuralforecast"

/* The attributes of its checkpoints, for pml_mapper. */
#define PML_NEURALFORECAST_CONFIG "hyper_parameters"
#define PML_NEURALFORECAST_CLASS "model_class"

/* Rules for tensors that are not of the network. */
#define PML_NEURALFORECAST_DROPPED                                                                                     \
    {PML_NEURALFORECAST, "__hparams__.*", NULL, NULL, NULL, "an argument of training"}, {                              \
        PML_NEURALFORECAST, "valid_loss.*", NULL, NULL, NULL, "of the loss that validation measured"                   \
    }

/* Whether configuration or settings use its arguments, or the container says that it is of one of these classes
 * (NULL-terminated). */
bool pml_neuralforecast_is(const pml_map_source *source, const char *const *class_names);

/* Row of a configuration table: the scaler of windows, with the class's default. Only `revin` has weights of its own.
 */
#define PML_NEURALFORECAST_SCALER(class_default)                                                                       \
    {                                                                                                                  \
        .key = "window_scaler", .source = "scaler_type",                                                               \
        .words = "identity=identity|standard=standard|robust=robust|minmax=minmax|minmax1=minmax1|invariant="          \
                 "invariant|@null=identity",                                                                           \
        .fallback = (class_default), .is_open = true                                                                   \
    }

/* Only what a .pml file can say: a loss over one value a step, and no series beside those that are foretold. Errors:
 * CONFIG, UNSUPPORTED. */
pml_status pml_neuralforecast_check(const pml_map_source *source, pml_error *error) PML_WARN_UNUSED;

#endif
