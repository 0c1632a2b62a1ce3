/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reader.h: opening a save image
 *
 * A StasisImage is immutable once it is open; threads may share it.  What the accessors return is
 * borrowed and lives as long as the image.
 */

#pragma once

#include <gio/gio.h>

#include "image/ram-map.h"
#include "image/types.h"
#include "util/json.h"

G_BEGIN_DECLS

typedef struct _StasisImage StasisImage;

/* Read and check everything but the body (that is stasis_image_verify()'s).  Consumes @fd_take,
 * also on failure; a regular file, open for reading.  @name stands for it in messages.
 * Fails with any STASIS_IMAGE_ERROR but TOO_LARGE, or with G_IO_ERROR. */
StasisImage *stasis_image_open_fd (int fd_take, const char *name,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for a file by its path, which is also the name. */
StasisImage *stasis_image_open (const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* TRUE where the file begins with a header of ours, complete or not, whatever else is wrong with
 * it.  For "is there something of ours that I may replace?". */
gboolean stasis_image_is_image_fd (int fd);

int stasis_image_fd (const StasisImage *image); /* its position means nothing */
const char *stasis_image_name (const StasisImage *image);
const guint8 *stasis_image_uuid (const StasisImage *image);        /* 16 octets */
const guint8 *stasis_image_domain_uuid (const StasisImage *image); /* 16 octets */
gint64 stasis_image_created_ns (const StasisImage *image);         /* since 1970 */
const char *stasis_image_writer_version (const StasisImage *image);
GBytes *stasis_image_xml (const StasisImage *image);

const StasisJson *stasis_image_qemu_facts (const StasisImage *image); /* image/facts.h */
gboolean stasis_image_was_running (const StasisImage *image);         /* before the save */
const StasisJson *stasis_image_disks (const StasisImage *image);      /* image/disks.h */
const StasisJson *stasis_image_origin (const StasisImage *image);     /* image/origin.h; or NULL */

const StasisJson *stasis_image_parent (const StasisImage *image); /* image/parent.h; or NULL */

StasisImageBodyKind stasis_image_body_kind (const StasisImage *image);
guint64 stasis_image_body_offset (const StasisImage *image);
guint64 stasis_image_body_length (const StasisImage *image); /* as it is stored */
guint64 stasis_image_file_size (const StasisImage *image);
const StasisImageRamMap *stasis_image_ram_map (const StasisImage *image); /* NULL: no MAPPED_RAM */

/* Octets of QEMU's plain stream; 0 for MAPPED_RAM, which is none. */
guint64 stasis_image_stream_length (const StasisImage *image);

/* Optional records of types that this version does not know. */
guint stasis_image_n_unknown_records (const StasisImage *image);

/* NULL is fine. */
void stasis_image_free (StasisImage *image);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisImage, stasis_image_free)

G_END_DECLS
