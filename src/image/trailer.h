/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trailer.h: the form of 2007: QEMU's plain stream, and a UUID behind it
 */

#pragma once

#include "util/stream.h"
#include "util/uuid.h"

G_BEGIN_DECLS

#define STASIS_TRAILER_SIZE 33u /* octets: "LibvirtQemudUUID", a NUL, the UUID */

/* TRUE where these are the octets of a trailer. */
gboolean stasis_trailer_decode (const guint8 octets[STASIS_TRAILER_SIZE],
                                guint8 out_uuid[STASIS_UUID_SIZE]);

/* The UUID at the end of a file, and where the stream before it ends.  STASIS_IMAGE_ERROR_CORRUPT
 * where a stream of QEMU has no trailer, NOT_AN_IMAGE where there is no such stream. */
gboolean stasis_trailer_read_file (int fd, const char *name, guint8 out_uuid[STASIS_UUID_SIZE],
                                   guint64 *out_body_end, GError **error);

/* QEMU's plain stream out of @in (borrowed), which may be a pipe: holds back what may be the
 * trailer.  Its end is reached only if a trailer was there, else STASIS_IMAGE_ERROR_CORRUPT. */
StasisStreamIn *stasis_trailer_body_new (StasisStreamIn *in,
                                         const char *name) G_GNUC_WARN_UNUSED_RESULT;

/* The UUID behind a stream of stasis_trailer_body_new(), once its end was reached; before that
 * NULL. */
const guint8 *stasis_trailer_body_uuid (StasisStreamIn *body);

/* Write a trailer, behind QEMU's stream. */
gboolean stasis_trailer_write (StasisStreamOut *out, const guint8 uuid[STASIS_UUID_SIZE],
                               GCancellable *cancellable, GError **error);

G_END_DECLS
