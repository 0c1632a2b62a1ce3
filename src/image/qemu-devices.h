/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-devices.h: the sections of the devices in QEMU's stream
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct
{
  char *name; /* (owned) */
  guint32 instance;
  guint32 version;
  guint32 section_id;
  guint64 offset; /* of the section, in the stream or file */
  guint64 size;   /* of its content, without head and footer */
  gboolean exact; /* the description gives the same size */
} StasisQemuDevice;

void stasis_qemu_device_free (StasisQemuDevice *device);

/* Find the devices in what follows the last part of the RAM, which stands at @offset, in their
 * order.  The description at its end must fit; one that is an empty object describes nothing:
 * *@out_described is FALSE then, the devices are not looked at and none is returned.
 * Fails with STASIS_IMAGE_ERROR_CORRUPT. */
GPtrArray *stasis_qemu_devices_find (const guint8 *octets, gsize size, guint64 offset,
                                     gboolean *out_described,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
