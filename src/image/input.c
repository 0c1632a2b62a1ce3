/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * input.c: a save image of any kind, from a file or a pipe
 *
 * One of the readers below has it open; this is what they have in common.
 */

#include "config.h"

#include "image/input.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <glib/gi18n-lib.h>

#include "image/body-head.h"
#include "image/body-stream.h"
#include "image/error.h"
#include "image/octets.h"
#include "image/qemu-wire.h"
#include "image/stream-join.h"
#include "image/streamed-reader.h"
#include "image/trailer.h"
#include "image/unmap-stream.h"
#include "util/fd.h"

/* QEVM, version, 07, length of the name. */
#define MACHINE_AT 13u

struct _StasisImageInput
{
  StasisImageKind kind;
  char *name; /* (owned) */
  int fd;     /* (owned) */
  gboolean is_file;
  StasisImage *image;           /* (owned, nullable) ours, in a file */
  StasisStreamedReader *reader; /* (owned, nullable) ours, from a pipe */
  StasisLibvirtImage *libvirt;  /* (owned, nullable) */
  guint8 uuid[STASIS_UUID_SIZE];
  guint64 trailer_at;      /* where it begins in a file */
  StasisStreamIn *pipe;    /* (owned, nullable) what comes out of the descriptor */
  StasisStreamIn *whole;   /* (owned, nullable) the same, with what was looked at */
  StasisStreamIn *body;    /* (owned, nullable) the plain stream */
  StasisStreamIn *rest;    /* (borrowed, nullable) the plain stream, or the one of the reader */
  StasisStreamIn *rewound; /* (owned, nullable) the same, with what was looked at */
};

static gboolean
throw_needs_file (const StasisImageInput *self, GError **error)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED,
               _ ("'%1$s' is an image of kind '%2$s', which is for files: it cannot be read from a "
                  "pipe"),
               self->name, stasis_image_kind_to_string (self->kind));
  return FALSE;
}

/* A descriptor of its own for a reader that consumes it. */
static int
duplicate (const StasisImageInput *self, GError **error)
{
  const int fd = fcntl (self->fd, F_DUPFD_CLOEXEC, 3);
  if (fd < 0)
    stasis_throw_errno (error, "'%s'", self->name);
  return fd;
}

static gboolean
open_file (StasisImageInput *self, GError **error)
{
  if (!stasis_image_kind_detect (self->fd, self->name, &self->kind, error))
    return FALSE;
  if (self->kind == STASIS_IMAGE_KIND_TRAILER)
    {
      self->whole = stasis_stream_in_new_file (self->fd, 0, G_MAXUINT64);
      return stasis_trailer_read_file (self->fd, self->name, self->uuid, &self->trailer_at, error);
    }
  const int fd = duplicate (self, error);
  if (fd < 0)
    return FALSE;
  if (stasis_image_kind_is_libvirt (self->kind))
    self->libvirt = stasis_libvirt_image_open_fd (fd, self->name, error);
  else
    self->image = stasis_image_open_fd (fd, self->name, error);
  return self->libvirt != NULL || self->image != NULL;
}

static gboolean
open_pipe (StasisImageInput *self, GCancellable *cancellable, GError **error)
{
  self->pipe = stasis_stream_in_new_pipe (self->fd);
  self->whole
      = stasis_image_kind_detect_stream (self->pipe, self->name, &self->kind, cancellable, error);
  if (self->whole == NULL)
    return FALSE;
  if (stasis_image_kind_needs_file (self->kind))
    return throw_needs_file (self, error);
  if (self->kind == STASIS_IMAGE_KIND_TRAILER)
    return TRUE;
  if (stasis_image_kind_is_libvirt (self->kind))
    self->libvirt = stasis_libvirt_image_open_stream (self->whole, self->name, cancellable, error);
  else
    self->reader = stasis_streamed_reader_open (self->whole, self->name, 0, cancellable, error);
  return self->libvirt != NULL || self->reader != NULL;
}

/* Open one, of whatever kind it is. */
StasisImageInput *
stasis_image_input_open (int fd_take, const char *name, GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisImageInput) self = g_new0 (StasisImageInput, 1);
  self->fd = fd_take;
  self->name = g_strdup (name);
  struct stat st;
  if (fstat (self->fd, &st) < 0)
    {
      stasis_throw_errno (error, "'%s'", name);
      return NULL;
    }
  if (!S_ISREG (st.st_mode) && !S_ISFIFO (st.st_mode) && !S_ISSOCK (st.st_mode))
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_NOT_AN_IMAGE,
                   _ ("'%1$s' is neither a regular file nor a pipe"), name);
      return NULL;
    }
  self->is_file = S_ISREG (st.st_mode);
  if (!(self->is_file ? open_file (self, error) : open_pipe (self, cancellable, error)))
    return NULL;
  return g_steal_pointer (&self);
}

StasisImageKind
stasis_image_input_kind (const StasisImageInput *self)
{
  return self->kind;
}

const char *
stasis_image_input_name (const StasisImageInput *self)
{
  return self->name;
}

int
stasis_image_input_fd (const StasisImageInput *self)
{
  return self->fd;
}

gboolean
stasis_image_input_is_file (const StasisImageInput *self)
{
  return self->is_file;
}

/* NULL where it is another's. */
const StasisImage *
stasis_image_input_ours (const StasisImageInput *self)
{
  return self->reader != NULL ? stasis_streamed_reader_image (self->reader) : self->image;
}

/* NULL where it is not libvirt's. */
const StasisLibvirtImage *
stasis_image_input_libvirt (const StasisImageInput *self)
{
  return self->libvirt;
}

/* The definition. */
GBytes *
stasis_image_input_xml (const StasisImageInput *self)
{
  if (self->libvirt != NULL)
    return stasis_libvirt_image_xml (self->libvirt);
  const StasisImage *ours = stasis_image_input_ours (self);
  return ours != NULL ? stasis_image_xml (ours) : NULL;
}

/* What libvirt keeps beside the definition. */
GBytes *
stasis_image_input_cookie (const StasisImageInput *self)
{
  return self->libvirt != NULL ? stasis_libvirt_image_cookie (self->libvirt) : NULL;
}

/* Whether the guest ran; nobody knows of one with a trailer. */
gboolean
stasis_image_input_was_running (const StasisImageInput *self)
{
  if (self->libvirt != NULL)
    return stasis_libvirt_image_was_running (self->libvirt);
  const StasisImage *ours = stasis_image_input_ours (self);
  return ours == NULL || stasis_image_was_running (ours);
}

/* The UUID behind the stream. */
const guint8 *
stasis_image_input_trailer_uuid (const StasisImageInput *self)
{
  if (self->kind != STASIS_IMAGE_KIND_TRAILER)
    return NULL;
  if (self->is_file)
    return self->uuid;
  return self->body != NULL && self->body->is_over ? stasis_trailer_body_uuid (self->body) : NULL;
}

/* The guest's disks. */
const StasisJson *
stasis_image_input_disks (const StasisImageInput *self)
{
  if (self->reader != NULL)
    return stasis_streamed_reader_disks (self->reader);
  return self->image != NULL ? stasis_image_disks (self->image) : NULL;
}

/* Where the body lies. */
void
stasis_image_input_get_body (const StasisImageInput *self, guint64 *out_offset, guint64 *out_end)
{
  *out_offset = *out_end = 0;
  if (!self->is_file)
    return;
  if (self->image != NULL)
    {
      *out_offset = stasis_image_body_offset (self->image);
      *out_end = *out_offset + stasis_image_body_length (self->image);
    }
  else if (self->libvirt != NULL)
    {
      *out_offset = stasis_libvirt_image_body_offset (self->libvirt);
      *out_end = stasis_libvirt_image_body_end (self->libvirt);
    }
  else
    *out_end = self->trailer_at;
}

/* Where a mapped body lies. */
gboolean
stasis_image_input_get_mapped (const StasisImageInput *self, guint64 *out_offset, guint64 *out_end)
{
  stasis_image_input_get_body (self, out_offset, out_end);
  if (self->image != NULL)
    return stasis_image_body_kind (self->image) == STASIS_IMAGE_BODY_MAPPED_RAM;
  return self->kind == STASIS_IMAGE_KIND_LIBVIRT_SPARSE;
}

/* Where QEMU's stream lies, apart from its pages. */
gboolean
stasis_image_input_get_packed (const StasisImageInput *self, guint64 *out_offset, guint64 *out_end)
{
  return self->image != NULL && stasis_image_get_packed_stream (self->image, out_offset, out_end);
}

/* An incremental image is of no use alone. */
gboolean
stasis_image_input_check_whole (const StasisImageInput *self, GError **error)
{
  if (self->image == NULL || stasis_image_parent (self->image) == NULL)
    return TRUE;
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED,
               _ ("'%s' is incremental, its memory is not all in it: 'image flatten' makes a whole "
                  "image of it"),
               self->name);
  return FALSE;
}

static StasisStreamIn *
new_stream (StasisImageInput *self, GCancellable *cancellable, GError **error)
{
  guint64 offset, end;
  if (!stasis_image_input_check_whole (self, error))
    return NULL;
  if (stasis_image_input_get_mapped (self, &offset, &end))
    return stasis_unmap_stream_new (self->fd, offset, end, cancellable, error);
  if (self->image != NULL)
    return stasis_image_body_stream (self->image, 0, error);
  if (self->libvirt != NULL)
    return stasis_libvirt_image_body (self->libvirt, error);
  return stasis_trailer_body_new (self->whole, self->name);
}

/* QEMU's plain stream. */
StasisStreamIn *
stasis_image_input_stream (StasisImageInput *self, GCancellable *cancellable, GError **error)
{
  if (self->rewound != NULL)
    return self->rewound;
  if (self->rest == NULL && self->reader != NULL)
    self->rest = stasis_streamed_reader_body (self->reader);
  if (self->rest == NULL)
    self->rest = self->body = new_stream (self, cancellable, error);
  return self->rest;
}

/* How many octets it has. */
guint64
stasis_image_input_stream_length (const StasisImageInput *self)
{
  guint64 offset, end;
  if (stasis_image_input_get_mapped (self, &offset, &end))
    return self->body != NULL ? stasis_unmap_stream_length (self->body) : end - offset;
  if (self->image != NULL)
    return stasis_image_stream_length (self->image);
  const gboolean is_plain
      = self->kind == STASIS_IMAGE_KIND_LIBVIRT_RAW || self->kind == STASIS_IMAGE_KIND_TRAILER;
  return is_plain ? end - offset : 0;
}

/* The head of the stream, which will come again. */
static gssize
look (StasisImageInput *self, guint8 *octets, gsize size, GCancellable *cancellable, GError **error)
{
  guint64 offset, end;
  if (stasis_image_input_get_mapped (self, &offset, &end))
    {
      g_autoptr (StasisStreamIn) in = stasis_stream_in_new_file (self->fd, offset, end);
      return stasis_stream_in_read_full (in, octets, size, cancellable, error);
    }
  StasisStreamIn *stream = stasis_image_input_stream (self, cancellable, error);
  if (stream == NULL)
    return -1;
  const gssize n = stasis_stream_in_read_full (stream, octets, size, cancellable, error);
  if (n < 0)
    return -1;
  g_autoptr (GBytes) head = g_bytes_new (octets, (gsize) n);
  self->rewound = stasis_stream_in_new_joined (head, self->rest);
  return n;
}

/* The machine type that QEMU's stream begins with. */
char *
stasis_image_input_read_machine (StasisImageInput *self, GCancellable *cancellable, GError **error)
{
  guint8 octets[MACHINE_AT + STASIS_QEMU_MACHINE_MAX];
  const gssize n = look (self, octets, sizeof octets, cancellable, error);
  if (n < 0)
    return NULL;
  const guint32 length = n < (gssize) MACHINE_AT ? 0 : stasis_get_be32 (octets + MACHINE_AT - 4);
  const char *name = (const char *) octets + MACHINE_AT;
  if (n >= (gssize) MACHINE_AT && octets[8] == STASIS_QEMU_CONFIGURATION && length > 0
      && length <= (gsize) n - MACHINE_AT && g_utf8_validate_len (name, length, NULL))
    return g_strndup (name, length);
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("'%1$s': QEMU's stream does not begin with its machine type"), self->name);
  return NULL;
}

/* NULL is fine. */
void
stasis_image_input_free (StasisImageInput *self)
{
  if (self == NULL)
    return;

  stasis_stream_in_free (self->rewound);
  stasis_stream_in_free (self->body);
  stasis_streamed_reader_free (self->reader);
  stasis_libvirt_image_free (self->libvirt);
  stasis_image_free (self->image);
  stasis_stream_in_free (self->whole);
  stasis_stream_in_free (self->pipe);
  stasis_fd_clear (&self->fd);
  g_free (self->name);
  g_free (self);
}
