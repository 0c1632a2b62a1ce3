/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * input.h: a save image of any kind, from a file or a pipe
 *
 * What the accessors return is borrowed and lives as long as the input.
 */

#pragma once

#include "image/kind.h"
#include "image/libvirt-image.h"
#include "image/reader.h"
#include "image/types.h"
#include "util/json.h"

G_BEGIN_DECLS

typedef struct _StasisImageInput StasisImageInput;

/* Read and check all that stands before the body; of a file of ours also what is behind it.
 * Consumes @fd_take, also on failure: a regular file, whose position means nothing, or a pipe.
 * @name stands for it in messages. */
StasisImageInput *stasis_image_input_open (int fd_take, const char *name, GCancellable *cancellable,
                                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

StasisImageKind stasis_image_input_kind (const StasisImageInput *self);
const char *stasis_image_input_name (const StasisImageInput *self);
int stasis_image_input_fd (const StasisImageInput *self);
gboolean stasis_image_input_is_file (const StasisImageInput *self);

/* NULL where it is not of that kind.  Ours, from a pipe, has no file. */
const StasisImage *stasis_image_input_ours (const StasisImageInput *self);
const StasisLibvirtImage *stasis_image_input_libvirt (const StasisImageInput *self);

GBytes *stasis_image_input_xml (const StasisImageInput *self);    /* NULL: a trailer's */
GBytes *stasis_image_input_cookie (const StasisImageInput *self); /* NULL: there is none */
gboolean stasis_image_input_was_running (const StasisImageInput *self);

/* The UUID of a trailer, 16 octets; NULL: another kind, or the end of a pipe was not reached. */
const guint8 *stasis_image_input_trailer_uuid (const StasisImageInput *self);

/* image/disks.h; NULL: it has none, or the end of a pipe was not reached. */
const StasisJson *stasis_image_input_disks (const StasisImageInput *self);

/* STASIS_IMAGE_ERROR_UNSUPPORTED where it is incremental: its memory is not all in it. */
gboolean stasis_image_input_check_whole (const StasisImageInput *input, GError **error);

/* TRUE where the body is a mapped one: its places in the file. */
gboolean stasis_image_input_get_mapped (const StasisImageInput *self, guint64 *out_offset,
                                        guint64 *out_end);

/* TRUE where only some of the pages are in the body: where QEMU's stream without them lies. */
gboolean stasis_image_input_get_packed (const StasisImageInput *self, guint64 *out_offset,
                                        guint64 *out_end);

/* Where the body lies in the file, as it is stored; 0 and 0: a pipe. */
void stasis_image_input_get_body (const StasisImageInput *self, guint64 *out_offset,
                                  guint64 *out_end);

/* The machine type that QEMU's stream begins with; takes nothing from the body. */
char *stasis_image_input_read_machine (StasisImageInput *self, GCancellable *cancellable,
                                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* QEMU's plain stream (borrowed), made from the body where that is a mapped one.  One only. */
StasisStreamIn *stasis_image_input_stream (StasisImageInput *self, GCancellable *cancellable,
                                           GError **error);

/* How many octets it has; 0: nobody knows. */
guint64 stasis_image_input_stream_length (const StasisImageInput *self);

/* NULL is fine. */
void stasis_image_input_free (StasisImageInput *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisImageInput, stasis_image_input_free)

G_END_DECLS
