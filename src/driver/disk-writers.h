/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk-writers.h: running domains that write to the disks of a definition, or rest on them
 */

#pragma once

#include "driver/driver-private.h"

G_BEGIN_DECLS

/* Refuse (STASIS_ERROR_REFUSED) where a running domain has a disk of @def that the guest may write
 * to, and may write to it too. */
gboolean stasis_disk_writers_check (StasisDriver *driver, const StasisDomainDef *def,
                                    GError **error);

/* TRUE where both have the same file. */
gboolean stasis_disk_writers_is_same_file (const StasisDiskDef *a, const StasisDiskDef *b);

/* The running domains that have @path for a disk, or below one: "used by the running domain 'web'".
 * (transfer full) (nullable): none of ours. */
char *stasis_disk_writers_name_users (StasisDriver *driver, const char *path);

/* QEMU, started for @def, has said @error: add who uses a disk that its guest may write to. */
void stasis_disk_writers_explain_disk (StasisDriver *driver, const StasisDiskDef *disk,
                                       GError *error);
void stasis_disk_writers_explain (StasisDriver *driver, const StasisDomainDef *def, GError *error);

G_END_DECLS
