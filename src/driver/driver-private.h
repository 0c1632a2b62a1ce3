/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver-private.h: what the files of src/driver share about a driver
 */

#pragma once

#include <stasis/stasis.h>

#include "conf/device-def.h"
#include "conf/domain-def.h"
#include "driver/host-config.h"
#include "driver/ops.h"
#include "driver/paths.h"
#include "driver/qemu-caps.h"

G_BEGIN_DECLS

typedef struct _StasisPicture StasisPicture;
typedef struct _StasisMigrateIns StasisMigrateIns;
typedef struct _StasisMigrateOuts StasisMigrateOuts;

struct _StasisDriver
{
  GObject parent_instance;

  char *uri; /* (owned) */

  /* One that is elsewhere has these two, and nothing of what follows. */
  const StasisDriverOps *ops; /* (nullable) */
  gpointer connection;        /* (owned) (nullable) by @ops */

  StasisPaths *paths;     /* (owned) */
  StasisHostConfig *host; /* (owned) */
  GMutex lock;
  GHashTable *caps;             /* (owned) (guarded by lock) emulator (char *) -> StasisQemuCaps */
  GMutex uuids_lock;            /* nobody waits while it is held */
  GHashTable *uuids;            /* (owned) (guarded by uuids_lock) see registry-uuid.c */
  GHashTable *unrecovered;      /* (owned) (guarded by lock) name -> gint64, see look.c */
  StasisPicture *picture;       /* (borrowed) (nullable) see picture.h */
  StasisMigrateIns *migrations; /* (owned) that come in: migrate-in.h */
  StasisMigrateOuts *migrate_outs; /* (owned) see migrate-out.c */
};

/* What this emulator can do: probed once, then from the cache.  One that stasis.conf does not
 * allow is not started: STASIS_ERROR_REFUSED.  Yours to unref. */
StasisQemuCaps *stasis_driver_get_caps (StasisDriver *self, const char *emulator, GError **error);

/* Parse a definition as this host understands it. */
StasisDomainDef *stasis_driver_parse (StasisDriver *self, const char *xml, const char *source_name,
                                      StasisDomainParseFlags flags, GError **error);

/* Fill in and check a definition that was changed, as parsing does. */
gboolean stasis_driver_complete (StasisDriver *self, StasisDomainDef *def,
                                 StasisDomainParseFlags flags, GError **error);
/* One device by itself. */
StasisDeviceDef *stasis_driver_parse_device (const char *xml, StasisDomainParseFlags flags,
                                             GError **error);

G_END_DECLS
