/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pair.h: a guest that runs in one real QEMU, and another QEMU that waits for it
 *
 * The guest is the boot sector, which looks at its memory at every tick, and says so on its serial
 * line.  Both QEMUs are started with -S: the destination never runs by itself.
 */

#pragma once

#include "monitor/commands-migrate.h"
#include "monitor/commands-run.h"
#include "qemu.h"

typedef struct
{
  Qemu *qemu;
  StasisMonitor *monitor;
  char *serial; /* what the guest says here */
} PairEnd;

typedef struct
{
  char *folder;
  char *uri;
  PairEnd source;
  PairEnd there;
} Pair;

/* FALSE, and the test skipped, where there is no guest, or no QEMU. */
gboolean pair_has_guest (void);

/* As functions of a fixture.  @data: (nullable): a capability that both are to have */
void pair_set_up (Pair *pair, gconstpointer data);
void pair_tear_down (Pair *pair, gconstpointer data);

/* One QEMU more, with these arguments; without and with its monitor. */
void pair_spawn (PairEnd *end, const char *folder, const char *name, const char *more);
void pair_start (PairEnd *end, const char *folder, const char *name, const char *more);

void pair_switch_on (const PairEnd *end, const char *capability);
void pair_set (const PairEnd *end, StasisMigrationParameter parameter, guint64 number);
/* From the one to the other, by the pair's uri. */
void pair_receive (const Pair *pair);
void pair_send (const Pair *pair);

/* The last tick that the guest has told of here; 0: none yet. */
guint64 pair_ticks (const PairEnd *end);
void pair_wait_tick (const PairEnd *end, guint64 more_than);

StasisMigrationStatus pair_status (const PairEnd *end);
/* Wait until it is there, as QEMU's events tell; any other end is a failure. */
void pair_wait_status (const PairEnd *end, StasisMigrationStatus wanted);
/* The same without events. */
void pair_await_status (const PairEnd *end, StasisMigrationStatus wanted);
/* Wait for that run state. */
void pair_assert_run_state (const PairEnd *end, StasisRunState wanted);
/* The guest is there, and only there. */
void pair_assert_moved (const Pair *pair);
