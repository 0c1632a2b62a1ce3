/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * registry.h: the persistent definitions of a driver
 */

#pragma once

#include "driver/driver-private.h"
#include "util/lock.h"

G_BEGIN_DECLS

/* (transfer full) (element-type utf8): names of persistent / running domains, unsorted */
GPtrArray *stasis_registry_names (StasisDriver *driver, GError **error);
GPtrArray *stasis_registry_running_names (StasisDriver *driver, GError **error);

gboolean stasis_registry_has (StasisDriver *driver, const char *name);

/* The persistent definition; STASIS_ERROR_NO_DOMAIN where there is none. */
StasisDomainDef *stasis_registry_load (StasisDriver *driver, const char *name, GError **error);

/* (transfer full) (nullable): the UUID of a persistent definition; NULL where there is none, or it
 * cannot be read.  What was found out is kept in the driver as long as the file is the same. */
char *stasis_registry_get_uuid (StasisDriver *driver, const char *name);
GHashTable *stasis_registry_uuids_new (void);

/* The name of the persistent domain with this UUID, or NULL. */
char *stasis_registry_name_of_uuid (StasisDriver *driver, const char *uuid);

/* Refuse (STASIS_ERROR_EXISTS) where the name belongs to another UUID or the UUID to another
 * name, persistent or running.  The caller holds the registry's lock or accepts the race. */
gboolean stasis_registry_check_unique (StasisDriver *driver, const char *name, const char *uuid,
                                       GError **error);

#define STASIS_REGISTRY_DEADLINE_MS 30000

/* The registry's lock, for changes that are short: definitions, ids, the users of QEMUs.  Whoever
 * has it for longer than @timeout_ms is named: STASIS_ERROR_BUSY. */
StasisLock *stasis_registry_lock (StasisDriver *driver, int timeout_ms,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Store (replace) and remove, each under the registry's lock. */
gboolean stasis_registry_store (StasisDriver *driver, const StasisDomainDef *def, GError **error);
gboolean stasis_registry_remove (StasisDriver *driver, const char *name, const char *uuid,
                                 GError **error);

/* Store @def, which has another name, in place of the definition of @name; with its marks for
 * autostart.  STASIS_ERROR_EXISTS where the name is taken. */
gboolean stasis_registry_rename (StasisDriver *driver, const char *name, const StasisDomainDef *def,
                                 GError **error);

/* A number that no domain of this driver had since boot. */
int stasis_registry_next_id (StasisDriver *driver, GError **error);

G_END_DECLS
