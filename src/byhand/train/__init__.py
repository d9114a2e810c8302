"""Training: the derived step lowered to buffers, optimizers, schedules, estimators, saved models."""
