"""The dead that wake: processes that are frozen, taken for dead, replaced, and go on; clocks that jump; a reboot."""
