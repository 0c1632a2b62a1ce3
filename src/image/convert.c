/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * convert.c: an image of one kind into one of another
 *
 * Theory of operation
 *
 * A body is a plain stream or a mapped one, and all kinds of images are one of the two in a
 * wrapping.  So there are four ways: a plain stream is copied, and looked at as it passes; a mapped
 * body becomes a stream (unmap-stream.c); a stream becomes a mapped body (map-stream.c); a mapped
 * body is moved (remap.c).  Each of them goes over QEMU's structure to its end: an input that was
 * cut does not become an image, even where its kind has no checksums.
 *
 * Only the pages of a mapped body are not looked at on the way.  Where they have hashes these are
 * compared ahead.
 */

#include "config.h"

#include "image/convert.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/libvirt-writer.h"
#include "image/map-stream.h"
#include "image/qemu-stream.h"
#include "image/remap.h"
#include "image/stream-tee.h"
#include "image/streamed-writer.h"
#include "image/trailer.h"
#include "image/verify.h"
#include "image/writer.h"
#include "util/fd.h"

typedef struct
{
  StasisImageInput *input;         /* (borrowed) */
  const StasisImageOutput *output; /* (borrowed) */
  gboolean is_file;                /* the output */
  StasisStreamOut *out;            /* (owned) of all octets */
  StasisImageProgress progress;
  gpointer progress_data;
  GCancellable *cancellable; /* (borrowed) */
} Conversion;

/* TRUE where the memory of the new image lies in place. */
gboolean
stasis_image_output_is_mapped (const StasisImageOutput *output)
{
  return output->kind == STASIS_IMAGE_KIND_LIBVIRT_SPARSE
         || (output->kind == STASIS_IMAGE_KIND_STASIS && output->mapped);
}

static gboolean
throw_same_file (const Conversion *self, GError **error)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID,
               _ ("'%1$s' cannot be converted into itself"), stasis_image_input_name (self->input));
  return FALSE;
}

static gboolean
look_at_output (Conversion *self, GError **error)
{
  struct stat st, in;
  if (fstat (self->output->fd, &st) < 0 || fstat (stasis_image_input_fd (self->input), &in) < 0)
    return stasis_throw_errno (error, _ ("cannot look at the output"));
  const int flags = fcntl (self->output->fd, F_GETFL);
  self->is_file = S_ISREG (st.st_mode) && (flags & O_ACCMODE) == O_RDWR && st.st_size == 0;
  if (S_ISREG (st.st_mode) && in.st_dev == st.st_dev && in.st_ino == st.st_ino)
    return throw_same_file (self, error);
  if (self->is_file || !stasis_image_kind_needs_file (self->output->kind))
    return TRUE;
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID,
               _ ("an image of kind '%1$s' needs a file, which is empty and open for reading and "
                  "writing: it cannot be written into a pipe"),
               stasis_image_kind_to_string (self->output->kind));
  return FALSE;
}

/* The mapped body of the output, at @offset. */
static gboolean
write_mapped (Conversion *self, guint64 offset, guint64 *out_end, GError **error)
{
  guint64 from, end;
  if (stasis_image_input_get_mapped (self->input, &from, &end))
    return stasis_remap (stasis_image_input_fd (self->input), from, end, self->output->fd, offset,
                         out_end, self->progress, self->progress_data, self->cancellable, error);
  StasisStreamIn *in = stasis_image_input_stream (self->input, self->cancellable, error);
  return in != NULL
         && stasis_map_stream (in, self->output->fd, offset, out_end, self->progress,
                               self->progress_data, self->cancellable, error);
}

/* The plain stream, to @out.  One that was made from a mapped body needs no second look. */
static gboolean
write_plain (Conversion *self, StasisStreamOut *out, GError **error)
{
  StasisStreamIn *in = stasis_image_input_stream (self->input, self->cancellable, error);
  if (in == NULL)
    return FALSE;
  g_autoptr (StasisStreamIn) tee
      = stasis_stream_tee_new (in, NULL, stasis_image_input_stream_length (self->input),
                               self->progress, self->progress_data);
  guint64 from, end;
  if (stasis_image_input_get_mapped (self->input, &from, &end))
    return stasis_stream_copy (tee, out, NULL, NULL, self->cancellable, error);

  g_autoptr (StasisStreamIn) looked_at = stasis_stream_tee_new (tee, out, 0, NULL, NULL);
  g_autoptr (StasisQemuStreamInfo) info
      = stasis_qemu_stream_scan (looked_at, self->cancellable, error);
  return info != NULL;
}

static StasisImageFacts
get_facts (const Conversion *self)
{
  const StasisImage *ours = stasis_image_input_ours (self->input);
  StasisImageFacts facts = { .xml = self->output->xml,
                             .qemu_facts = self->output->facts,
                             .body_kind = self->output->mapped ? STASIS_IMAGE_BODY_MAPPED_RAM
                                                               : STASIS_IMAGE_BODY_STREAM,
                             .origin = self->output->origin };
  memcpy (facts.domain_uuid, self->output->domain_uuid, sizeof facts.domain_uuid);
  if (ours != NULL)
    {
      facts.image_uuid = stasis_image_uuid (ours);
      facts.created_ns = stasis_image_created_ns (ours);
    }
  return facts;
}

static gboolean
write_stasis (Conversion *self, GError **error)
{
  const StasisImageFacts facts = get_facts (self);
  const int fd = self->output->fd;
  g_autoptr (StasisImageWriter) writer = stasis_image_writer_begin (fd, &facts, error);
  if (writer == NULL)
    return FALSE;

  guint64 offset = stasis_image_writer_body_offset (writer), end = 0;
  if (self->output->mapped && !write_mapped (self, offset, &end, error))
    return FALSE;
  if (!self->output->mapped)
    {
      g_autoptr (StasisStreamOut) out = stasis_stream_out_new_file (fd, offset);
      if (!write_plain (self, out, error)
          || !stasis_stream_out_finish (out, self->cancellable, error))
        return FALSE;
    }
  const StasisImageTail tail = { .disks = stasis_image_input_disks (self->input) };
  return stasis_image_writer_finish (writer, end, &tail, NULL, NULL, self->cancellable, error);
}

static gboolean
write_streamed (Conversion *self, GError **error)
{
  const StasisImageFacts facts = get_facts (self);
  g_autoptr (StasisStreamedWriter) writer = stasis_streamed_writer_begin (
      self->out, &facts, self->output->level, 0, self->cancellable, error);
  return writer != NULL && write_plain (self, stasis_streamed_writer_body (writer), error)
         && stasis_streamed_writer_finish (writer, stasis_image_input_disks (self->input),
                                           self->cancellable, error);
}

static gboolean
write_libvirt (Conversion *self, GError **error)
{
  const StasisImageOutput *output = self->output;
  const StasisLibvirtFacts facts = { .format = stasis_image_kind_libvirt_format (output->kind),
                                     .xml = output->xml,
                                     .cookie = output->cookie,
                                     .was_running = output->was_running,
                                     .level = output->level };
  g_autoptr (StasisLibvirtWriter) writer
      = self->is_file
            ? stasis_libvirt_writer_begin (output->fd, &facts, error)
            : stasis_libvirt_writer_begin_stream (self->out, &facts, self->cancellable, error);
  if (writer == NULL)
    return FALSE;

  guint64 end;
  const gboolean ok
      = stasis_image_output_is_mapped (output)
            ? write_mapped (self, stasis_libvirt_writer_body_offset (writer), &end, error)
            : write_plain (self, stasis_libvirt_writer_body (writer), error);
  return ok && stasis_libvirt_writer_finish (writer, self->cancellable, error);
}

static gboolean
write_trailer (Conversion *self, GError **error)
{
  if (!write_plain (self, self->out, error))
    return FALSE;
  const guint8 *uuid = self->output->has_uuid ? self->output->domain_uuid
                                              : stasis_image_input_trailer_uuid (self->input);
  return stasis_trailer_write (self->out, uuid, self->cancellable, error);
}

static gboolean
write_output (Conversion *self, GError **error)
{
  switch (self->output->kind)
    {
    case STASIS_IMAGE_KIND_STASIS:
      return write_stasis (self, error);
    case STASIS_IMAGE_KIND_STASIS_STREAM:
      return write_streamed (self, error);
    case STASIS_IMAGE_KIND_TRAILER:
      return write_trailer (self, error);
    default:
      return write_libvirt (self, error);
    }
}

/* What a mapped body's transcoder would not notice. */
static gboolean
check_mapped_input (Conversion *self, gboolean was_verified, GError **error)
{
  guint64 offset, end;
  if (!stasis_image_input_get_mapped (self->input, &offset, &end))
    return TRUE;
  const StasisImage *ours = stasis_image_input_ours (self->input);
  if (ours != NULL)
    return was_verified
           || stasis_image_verify (ours, STASIS_IMAGE_VERIFY_DEEP, 0, self->progress,
                                   self->progress_data, self->cancellable, error);
  g_autoptr (StasisQemuStreamInfo) info = stasis_qemu_stream_scan_mapped (
      stasis_image_input_fd (self->input), offset, end, self->cancellable, error);
  return info != NULL;
}

/* Everything that went into @out is where it belongs. */
static gboolean
settle (Conversion *self, GError **error)
{
  if (!stasis_stream_out_finish (self->out, self->cancellable, error))
    return FALSE;
  if (fsync (self->output->fd) < 0 && errno != EINVAL && errno != EROFS)
    return stasis_throw_errno (error, _ ("cannot sync the image"));
  return TRUE;
}

/* Read @input to its end and write it as @output. */
gboolean
stasis_image_convert_input (StasisImageInput *input, const StasisImageOutput *output,
                            gboolean was_verified, StasisImageProgress progress,
                            gpointer progress_data, GCancellable *cancellable, GError **error)
{
  Conversion self = { .input = input,
                      .output = output,
                      .progress = progress,
                      .progress_data = progress_data,
                      .cancellable = cancellable };
  if (!stasis_image_input_check_whole (input, error) || !look_at_output (&self, error)
      || !check_mapped_input (&self, was_verified, error))
    return FALSE;
  self.out = self.is_file ? stasis_stream_out_new_file (output->fd, 0)
                          : stasis_stream_out_new_pipe (output->fd);
  const gboolean ok = write_output (&self, error) && settle (&self, error);
  stasis_stream_out_free (self.out);
  return ok;
}
