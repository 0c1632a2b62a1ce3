/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disks.h: what the disks of a saved guest were, to notice when they have moved on
 */

#pragma once

#include <gio/gio.h>

#include "util/json.h"

G_BEGIN_DECLS

typedef struct
{
  char *target;      /* (owned) as "vda" */
  char *path;        /* (owned) as the domain XML has it */
  char *format;      /* (owned) as "qcow2" */
  gboolean readonly; /* restore does not mind changes */
  guint64 device;    /* st_dev (st_rdev of a block device) */
  guint64 inode;
  guint64 size;       /* octets */
  gboolean has_mtime; /* block devices have none */
  gint64 mtime_ns;
  char *overlay;        /* (owned, nullable) hash of the first 64 KiB, hexadecimal */
  gboolean is_snapshot; /* nobody is to write to it any more: guests go on in overlays */
} StasisImageDisk;

/* Take note of a disk that is open as @fd (any access that can read). */
StasisImageDisk *stasis_image_disk_new_from_fd (const char *target, const char *path,
                                                const char *format, gboolean readonly, int fd,
                                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* TRUE where the disk is as it was: size, time of change, overlay.  Else FALSE with
 * STASIS_IMAGE_ERROR_INVALID saying what changed, as "disk 'vda' ('/x.qcow2') has changed since
 * the save: ...". */
gboolean stasis_image_disk_compare (const StasisImageDisk *saved, const StasisImageDisk *now,
                                    GError **error);

/* The DISKS record: from and to a GPtrArray of StasisImageDisk (which it owns). */
StasisJson *stasis_image_disks_to_json (const GPtrArray *disks) G_GNUC_WARN_UNUSED_RESULT;
GPtrArray *stasis_image_disks_from_json (const StasisJson *json,
                                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What the disks rest on, in the same words: the member "bases" of the record, empty where there
 * is none; and into it. */
GPtrArray *stasis_image_disks_bases_from_json (const StasisJson *json,
                                               GError **error) G_GNUC_WARN_UNUSED_RESULT;
void stasis_image_disks_set_bases (StasisJson *json, const GPtrArray *bases);

/* TRUE where a DISKS record (nullable) has a snapshot. */
gboolean stasis_image_disks_any_snapshot (const StasisJson *json);

/* NULL is fine. */
void stasis_image_disk_free (StasisImageDisk *disk);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisImageDisk, stasis_image_disk_free)

G_END_DECLS
