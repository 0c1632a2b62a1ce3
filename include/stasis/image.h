/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image.h: save images as files
 */

#pragma once

#include <gio/gio.h>
#include <stasis/driver.h>
#include <stasis/job.h>

G_BEGIN_DECLS

#pragma GCC visibility push(default)

/* All that an image says of itself, as JSON text for programs: kind, version, uuid, domain
 * {name, uuid}, created, writer, qemu {version, machine, ...}, ram blocks, disks, sizes, whether it
 * is complete.  docs/save-image.md describes the members. */
char *stasis_image_get_info_json (const char *path, GError **error);

/* The definition inside the image. */
char *stasis_image_get_xml (const char *path, GError **error);

/* Replace it by one of the same guest ABI: a new file, renamed over the old one. */
gboolean stasis_image_define_xml (StasisDriver *driver, const char *path, const char *xml,
                                  const char *source_name, GError **error);

typedef struct
{
  guint64 offset; /* octets, in the file */
  guint64 length; /* octets; 0 where it is a place */
  char *what;     /* (owned): what is damaged there, for people */
} StasisImageDamage;

#define STASIS_TYPE_IMAGE_DAMAGE (stasis_image_damage_get_type ())
GType stasis_image_damage_get_type (void);
StasisImageDamage *stasis_image_damage_copy (const StasisImageDamage *self);
void stasis_image_damage_free (StasisImageDamage *self);

/* Check every octet; @driver's host then remembers that the file is good.  FALSE with
 * STASIS_ERROR_IMAGE where it is damaged; then *@out_damages
 * ((element-type StasisImageDamage) (transfer full) (nullable) (optional)) lists the places.  Any
 * other error: it could not be looked at. */
gboolean stasis_image_check (StasisDriver *driver, const char *path, GPtrArray **out_damages,
                             StasisProgressFunc progress, gpointer user_data,
                             GCancellable *cancellable, GError **error);

#pragma GCC visibility pop

G_END_DECLS
