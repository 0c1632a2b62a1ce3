/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts.h: what is quickly told of a domain
 */

#pragma once

#include <stasis/driver.h>
#include <sys/types.h>

#include "driver/paths.h"
#include "util/uuid.h"

G_BEGIN_DECLS

typedef struct
{
  guint64 max_memory_kib;
  guint64 memory_kib;
  guint vcpus;
} StasisSizes;

typedef struct
{
  char *name;                    /* (owned) a GRefString */
  guint8 uuid[STASIS_UUID_SIZE]; /* zeros where it is not known */
  int id;                        /* -1: it does not run, or it is not known */
  gboolean is_active;            /* it runs, or may */
  gboolean is_persistent;
  /* the marks are there, although there may be no definition any more */
  gboolean is_autostart[STASIS_AUTOSTART_N_KINDS];
  gboolean has_managed_save;

  /* Of one that is in the picture (picture.h), where it says so; else they are to be asked for. */
  gboolean is_certain;
  gboolean has_state;
  StasisDomainState state;
  const char *reason;   /* interned */
  pid_t qemu_pid;       /* 0: it does not run */
  pid_t supervisor_pid; /* 0: not known */
  gboolean has_sizes;
  StasisSizes sizes;
  guint64 definition_number; /* by which sizes that were read are noted in the picture */
} StasisFacts;

/* (element-type StasisFacts) (transfer full): an empty one, which owns what stands in it. */
GArray *stasis_facts_new_list (void);

/* (element-type StasisFacts) (transfer full): of the domains that the flags ask for, the active
 * ones by id, then the others by name. */
GArray *stasis_facts_list (StasisDriver *driver, StasisListFlags flags, GError **error);

G_END_DECLS
