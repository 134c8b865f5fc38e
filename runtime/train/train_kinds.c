#include "runtime/train/train_kinds.h"

#include "runtime/train/initializer.h"
#include "runtime/train/loss.h"
#include "runtime/train/optimizer.h"
#include "runtime/train/schedule.h"

const pml_train_kind pml_train_kinds[] = {
    {"loss", "losses", pml_loss_plugins},
    {"optimizer", "optimizers", pml_optimizer_plugins},
    {"schedule", "schedules", pml_schedule_plugins},
    {"initializer", "initializers", pml_initializer_plugins},
    {NULL, NULL, NULL},
};
