/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt-writer.c: writing save images that libvirt restores
 *
 * libvirt itself writes the final magic without a sync before or after it, so that a crash of the
 * host may leave a header that says finished before a body that is not.  Here the order is that of
 * docs/save-image.md, "Commit protocol".
 */

#include "config.h"

#include "image/libvirt-writer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "image/commit.h"
#include "image/compress.h"
#include "image/error.h"
#include "image/libvirt-image.h"
#include "image/mapped-ram.h"
#include "util/fault.h"
#include "util/fd.h"

struct _StasisLibvirtWriter
{
  int fd; /* (borrowed) -1: a pipe */
  StasisLibvirtHeader header;
  StasisStreamOut *file; /* (owned, nullable) what the body goes to in a file */
  StasisStreamOut *body; /* (owned, nullable) NULL: sparse */
};

static gboolean
throw_invalid (GError **error, const char *what)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID,
               _ ("cannot write this save image: %1$s"), what);
  return FALSE;
}

/* What comes before the body, to wherever. */
static gboolean
write_front (StasisLibvirtWriter *writer, const StasisLibvirtFacts *facts, StasisStreamOut *out,
             GCancellable *cancellable, GError **error)
{
  guint8 octets[STASIS_LIBVIRT_HEADER_SIZE];
  writer->header.format = facts->format;
  writer->header.was_running = facts->was_running;
  if (!stasis_libvirt_data_measure (facts->xml, facts->cookie, &writer->header, error))
    return FALSE;

  g_autoptr (GBytes) data = stasis_libvirt_data_encode (&writer->header, facts->xml, facts->cookie);
  stasis_libvirt_header_encode (&writer->header, /* is_complete= */ writer->fd < 0, octets);
  return stasis_stream_out_write (out, octets, sizeof octets, cancellable, error)
         && stasis_stream_out_write (out, g_bytes_get_data (data, NULL), g_bytes_get_size (data),
                                     cancellable, error);
}

static gboolean
begin_body (StasisLibvirtWriter *writer, const StasisLibvirtFacts *facts, StasisStreamOut *out,
            GError **error)
{
  writer->body = stasis_compress_new (stasis_libvirt_format_compression (facts->format),
                                      facts->level, facts->n_threads, out, error);
  return writer->body != NULL;
}

/* Begin an image in a file. */
StasisLibvirtWriter *
stasis_libvirt_writer_begin (int fd, const StasisLibvirtFacts *facts, GError **error)
{
  if (!stasis_image_commit_check_file (fd, error))
    return NULL;

  g_autoptr (StasisLibvirtWriter) writer = g_new0 (StasisLibvirtWriter, 1);
  writer->fd = fd;
  g_autoptr (StasisStreamOut) front = stasis_stream_out_new_file (fd, 0);
  if (!write_front (writer, facts, front, NULL, error))
    return NULL;

  const guint64 offset = stasis_libvirt_writer_body_offset (writer);
  writer->file = stasis_stream_out_new_file (fd, offset);
  if (facts->format != STASIS_LIBVIRT_FORMAT_SPARSE
      && !begin_body (writer, facts, writer->file, error))
    return NULL;
  if (lseek (fd, (off_t) offset, SEEK_SET) < 0)
    {
      stasis_throw_errno (error, _ ("cannot move to the body"));
      return NULL;
    }
  return g_steal_pointer (&writer);
}

/* Begin one that goes into a pipe. */
StasisLibvirtWriter *
stasis_libvirt_writer_begin_stream (StasisStreamOut *out, const StasisLibvirtFacts *facts,
                                    GCancellable *cancellable, GError **error)
{
  if (facts->format == STASIS_LIBVIRT_FORMAT_SPARSE)
    {
      throw_invalid (error, _ ("a sparse one needs a file"));
      return NULL;
    }

  g_autoptr (StasisLibvirtWriter) writer = g_new0 (StasisLibvirtWriter, 1);
  writer->fd = -1;
  if (!begin_body (writer, facts, out, error)
      || !write_front (writer, facts, out, cancellable, error))
    return NULL;
  return g_steal_pointer (&writer);
}

/* The front again; the body stays. */
gboolean
stasis_libvirt_writer_renew (StasisLibvirtWriter *writer, const StasisLibvirtFacts *facts,
                             GError **error)
{
  const guint64 before = stasis_libvirt_writer_body_offset (writer);
  StasisLibvirtHeader needed = writer->header;
  if (!stasis_libvirt_data_measure (facts->xml, facts->cookie, &needed, error))
    return FALSE;
  if (STASIS_LIBVIRT_HEADER_SIZE + (guint64) needed.data_length != before)
    return throw_invalid (error, _ ("the definition has become too long"));
  g_autoptr (StasisStreamOut) front = stasis_stream_out_new_file (writer->fd, 0);
  return write_front (writer, facts, front, NULL, error);
}

/* Where the body begins in the file. */
guint64
stasis_libvirt_writer_body_offset (const StasisLibvirtWriter *writer)
{
  return (guint64) STASIS_LIBVIRT_HEADER_SIZE + writer->header.data_length;
}

/* The sink for QEMU's plain stream. */
StasisStreamOut *
stasis_libvirt_writer_body (StasisLibvirtWriter *writer)
{
  return writer->body;
}

/* A file must have a body; a sparse one must be one. */
static gboolean
check_file (const StasisLibvirtWriter *writer, GError **error)
{
  const guint64 offset = stasis_libvirt_writer_body_offset (writer);
  struct stat st;
  if (fstat (writer->fd, &st) < 0)
    return stasis_throw_errno (error, _ ("cannot look at the file"));
  if ((guint64) st.st_size <= offset)
    return throw_invalid (error, _ ("QEMU has written no body"));
  if (writer->header.format != STASIS_LIBVIRT_FORMAT_SPARSE)
    return TRUE;

  g_autoptr (StasisImageRamMap) map
      = stasis_mapped_ram_parse (writer->fd, offset, (guint64) st.st_size, error);
  return map != NULL;
}

static gboolean
sync_file (int fd, GError **error)
{
  return fsync (fd) == 0 || stasis_throw_errno (error, _ ("cannot write the image to disk"));
}

/* The last steps for a file that is all there but for its magic. */
gboolean
stasis_libvirt_seal (int fd, GError **error)
{
  guint8 magic[STASIS_LIBVIRT_MAGIC_SIZE];
  stasis_libvirt_header_put_magic (/* is_complete= */ TRUE, magic);
  return sync_file (fd, error) && stasis_fault ("image-tail-synced", error)
         && stasis_fd_pwrite_exact (fd, magic, sizeof magic, 0, error)
         && stasis_fault ("image-complete", error) && sync_file (fd, error)
         && stasis_fault ("image-complete-synced", error);
}

/* The body is there: end it. */
gboolean
stasis_libvirt_writer_finish (StasisLibvirtWriter *writer, GCancellable *cancellable,
                              GError **error)
{
  /* QEMU may have written a raw body itself: then nothing went through here. */
  const gboolean was_streamed = writer->body != NULL && writer->body->position > 0;
  if (!was_streamed
      && (writer->fd < 0
          || stasis_libvirt_format_compression (writer->header.format) != STASIS_COMPRESSION_NONE))
    return throw_invalid (error, _ ("QEMU has written no body"));
  if (was_streamed && !stasis_stream_out_finish (writer->body, cancellable, error))
    return FALSE;
  return writer->fd < 0 || (check_file (writer, error) && stasis_libvirt_seal (writer->fd, error));
}

/* An image that was not finished stays as it is. */
void
stasis_libvirt_writer_free (StasisLibvirtWriter *writer)
{
  if (writer == NULL)
    return;

  stasis_stream_out_free (writer->body);
  stasis_stream_out_free (writer->file);
  g_free (writer);
}
