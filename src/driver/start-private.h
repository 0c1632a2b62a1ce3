/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * start-private.h: a QEMU that is being started, for the rooms of it
 */

#pragma once

#include "driver/command.h"
#include "driver/handover-settle.h"
#include "driver/spawn.h"
#include "driver/start.h"
#include "driver/supervise.h"

G_BEGIN_DECLS

typedef struct
{
  StasisDriver *driver; /* (borrowed) */
  StasisHold *hold;     /* (borrowed) */
  StasisDomainDef *def; /* (borrowed) */
  const StasisStartRequest *request;
  GCancellable *cancellable;      /* (borrowed) (nullable) */
  StasisQemuCaps *caps;           /* (owned) */
  GPtrArray *resources;           /* (owned) of StasisResource */
  StasisSpawn *spawn;             /* (owned) */
  StasisCommandRam ram;           /* fd -1: not mapped */
  StasisCommandRam shared;        /* fd -1: not shared */
  StasisSupervising *supervising; /* (owned) (nullable) */
  gboolean is_beside;             /* it takes the guest of a QEMU that runs: see start-beside.c */
} StasisStart;

void stasis_start_clear (StasisStart *start);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StasisStart, stasis_start_clear)

/* QEMU's command line, its environment, and sockets for its monitors. */
gboolean stasis_start_add_args (const StasisStart *start, GError **error);

/* The group of /dev/kvm, where it is wanted; or -1. */
gint64 stasis_start_kvm_group (const StasisDomainDef *def);

G_END_DECLS
