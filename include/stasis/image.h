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

/* An image may be of any kind: "stasis", "stasis-stream", "libvirt", "libvirt-gzip",
 * "libvirt-bzip2", "libvirt-xz", "libvirt-lzop", "libvirt-zstd", "libvirt-sparse", "trailer". Where
 * a function takes a descriptor it is borrowed, and may be a pipe. */

/* What is done with a @path is done on the host of the driver that is given: one that was opened
 * by the URI of a daemon has its own.  %NULL: this one. */
char *stasis_driver_get_image_info (StasisDriver *driver, const char *path, GError **error);
char *stasis_driver_get_image_xml (StasisDriver *driver, const char *path, StasisXmlFlags flags,
                                   GError **error);
GBytes *stasis_driver_draw_image_map (StasisDriver *driver, const char *path, const char *format,
                                      GCancellable *cancellable, GError **error);

/* All that an image says of itself, as JSON text for programs: its UUID, the domain's name and
 * UUID, when and by what it was written, memory, QEMU's facts, disks, sizes.  docs/save-image.md
 * describes the members. */
char *stasis_image_get_info_json (const char *path, GError **error);
char *stasis_image_get_info_json_fd (int fd, GError **error);

/* The definition inside the image; of @flags only STASIS_XML_SECURE means something here. */
char *stasis_image_get_xml (const char *path, StasisXmlFlags flags, GError **error);

/* Replace it by one of the same guest ABI: a new file, renamed over the old one.  @flags:
 * STASIS_SAVE_RUNNING or STASIS_SAVE_PAUSED, what the domain is to be after a restore; neither:
 * what the image said before. */
gboolean stasis_image_define_xml (StasisDriver *driver, const char *path, const char *xml,
                                  const char *source_name, StasisSaveFlags flags, GError **error);

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
gboolean stasis_image_check_fd (StasisDriver *driver, int fd, GPtrArray **out_damages,
                                StasisProgressFunc progress, gpointer user_data,
                                GCancellable *cancellable, GError **error);

/**
 * StasisImageConversion:
 * @in_path: (nullable) (type filename): what is converted
 * @in_fd: the same, where @in_path is %NULL
 * @in_kind: (nullable): the kind that it has to be
 * @out_path: (nullable) (type filename): where the new image goes
 * @out_fd: the same, where @out_path is %NULL
 * @out_kind: (nullable): of which kind it is to be; by default "stasis" for a path without
 *   compression, else "stasis-stream"
 * @compression: (nullable): "zstd", "zstd:LEVEL" or "none", for "stasis-stream" and "libvirt-zstd"
 *
 * What is to be converted into what.
 */
typedef struct
{
  const char *in_path;
  int in_fd;
  const char *in_kind;
  const char *out_path;
  int out_fd;
  const char *out_kind;
  const char *compression;
} StasisImageConversion;

/* Make an image of another kind, front to back.  *@out_lost ((transfer full) (optional)) says what
 * the new kind has no place for. */
gboolean stasis_image_convert (StasisDriver *driver, const StasisImageConversion *request,
                               char ***out_lost, StasisProgressFunc progress, gpointer user_data,
                               GCancellable *cancellable, GError **error);

/* Make a whole image out of an incremental one and those that it stands on. */
gboolean stasis_image_flatten (StasisDriver *driver, const char *in_path, const char *out_path,
                               StasisProgressFunc progress, gpointer user_data,
                               GCancellable *cancellable, GError **error);

/* A picture of the memory, of an image where it lies in place; @format: "svg" or "png". */
GBytes *stasis_image_draw_map (const char *path, const char *format, GCancellable *cancellable,
                               GError **error);

#pragma GCC visibility pop

G_END_DECLS
