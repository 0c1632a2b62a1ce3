/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handover.h: a running guest gets another QEMU on the same host, for the rooms of it
 */

#pragma once

#include <stasis/handover.h>

#include "conf/domain-def.h"
#include "driver/hold.h"
#include "driver/job.h"

G_BEGIN_DECLS

typedef struct
{
  StasisDriver *driver;  /* (borrowed) */
  const char *name;      /* (borrowed) */
  const char *emulator;  /* (borrowed) (nullable) */
  StasisHold *hold;      /* (owned) */
  StasisDomainDef *def;  /* (owned): as the guest is now, with the new emulator */
  StasisMonitor *old;    /* (owned) */
  StasisMonitor *new;    /* (owned) (nullable) */
  StasisJob *job;        /* (borrowed) */
  char *former_emulator; /* (owned) (nullable): the other one's, once it is decided */
  gboolean was_running;
  gint64 stopped_us; /* real time; 0: it did not run */
  gint64 resumed_us;
} StasisHandover;

/* handover-check.c: all that can be known before a second QEMU is started; every reason is in the
 * error. */
gboolean stasis_handover_check (StasisHandover *self, StasisDomain *domain,
                                GCancellable *cancellable, GError **error);

G_END_DECLS
