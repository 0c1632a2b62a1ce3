/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source.c: a saved state to restore from, of whatever kind
 *
 * Theory of operation
 *
 * A file is looked at and then opened by the reader of its kind.  Of a pipe the first octets tell
 * the kind; they come again in front of the rest (image/kind.h).  Two kinds cannot come through a
 * pipe: those whose memory lies at places, and the form of 2007, which says only at its very end
 * whose it is.
 */

#include "config.h"

#include "driver/source.h"

#include <sys/stat.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "conf/cookie.h"
#include "driver/source-private.h"
#include "image/error.h"
#include "util/fd.h"

static gboolean
open_file (StasisSource *self, GError **error)
{
  if (!stasis_image_kind_detect (self->fd, self->name, &self->kind, error))
    return FALSE;
  if (self->kind == STASIS_IMAGE_KIND_TRAILER)
    return stasis_trailer_read_file (self->fd, self->name, self->uuid, &self->body_end, error);

  if (stasis_image_kind_is_libvirt (self->kind))
    self->libvirt = stasis_libvirt_image_open_fd (stasis_fd_steal (&self->fd), self->name, error);
  else
    self->image = stasis_image_open_fd (stasis_fd_steal (&self->fd), self->name, error);
  return self->libvirt != NULL || self->image != NULL;
}

static gboolean
throw_needs_file (const StasisSource *self, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("'%1$s': an image of the kind '%2$s' cannot come through a pipe; store it in a "
                  "file, or send it as 'stasis-stream'"),
               self->name, stasis_image_kind_to_string (self->kind));
  return FALSE;
}

static gboolean
open_pipe (StasisSource *self, GCancellable *cancellable, GError **error)
{
  self->is_pipe = TRUE;
  self->pipe = stasis_stream_in_new_pipe (self->fd);
  self->whole
      = stasis_image_kind_detect_stream (self->pipe, self->name, &self->kind, cancellable, error);
  if (self->whole == NULL)
    return FALSE;
  if (stasis_image_kind_needs_file (self->kind) || self->kind == STASIS_IMAGE_KIND_TRAILER)
    return throw_needs_file (self, error);

  if (stasis_image_kind_is_libvirt (self->kind))
    self->libvirt = stasis_libvirt_image_open_stream (self->whole, self->name, cancellable, error);
  else
    self->streamed = stasis_streamed_reader_open (self->whole, self->name, 0, cancellable, error);
  return self->libvirt != NULL || self->streamed != NULL;
}

/* Find out what it is and read what stands before the body. */
StasisSource *
stasis_source_open_fd (int fd_take, const char *name, GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisSource) self = g_new0 (StasisSource, 1);
  struct stat st;
  self->fd = fd_take;
  self->name = g_strdup (name);
  if (fstat (self->fd, &st) < 0)
    {
      stasis_throw_errno (error, "'%s'", name);
      return NULL;
    }
  if (S_ISREG (st.st_mode))
    return open_file (self, error) ? g_steal_pointer (&self) : NULL;
  if (S_ISFIFO (st.st_mode) || S_ISSOCK (st.st_mode))
    return open_pipe (self, cancellable, error) ? g_steal_pointer (&self) : NULL;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_IMAGE,
               _ ("'%s' is neither a regular file nor a pipe"), name);
  return NULL;
}

const char *
stasis_source_name (const StasisSource *self)
{
  return self->name;
}

StasisImageKind
stasis_source_kind (const StasisSource *self)
{
  return self->kind;
}

/* -1: it comes through a pipe. */
int
stasis_source_fd (const StasisSource *self)
{
  if (self->is_pipe)
    return -1;
  if (self->image != NULL)
    return stasis_image_fd (self->image);
  return self->libvirt != NULL ? stasis_libvirt_image_fd (self->libvirt) : self->fd;
}

/* Our own: what it says of itself. */
const StasisImage *
stasis_source_image (const StasisSource *self)
{
  return self->streamed != NULL ? stasis_streamed_reader_image (self->streamed) : self->image;
}

/* The domain XML, with libvirt's cookie applied. */
char *
stasis_source_xml (const StasisSource *self, const guint8 **out_uuid, GError **error)
{
  *out_uuid = self->uuid;
  if (self->kind == STASIS_IMAGE_KIND_TRAILER)
    return NULL;

  const StasisImage *image = stasis_source_image (self);
  gsize size;
  const char *xml = g_bytes_get_data (
      image != NULL ? stasis_image_xml (image) : stasis_libvirt_image_xml (self->libvirt), &size);
  GBytes *cookie = image == NULL ? stasis_libvirt_image_cookie (self->libvirt) : NULL;
  if (cookie == NULL)
    return g_strndup (xml, size);

  gsize cookie_size;
  const char *text = g_bytes_get_data (cookie, &cookie_size);
  return stasis_cookie_apply (xml, size, text, cookie_size, self->name, error);
}

/* What the form of 2007 does not say: a guest is as it was when it was saved, paused. */
gboolean
stasis_source_was_running (const StasisSource *self)
{
  const StasisImage *image = stasis_source_image (self);
  if (image != NULL)
    return stasis_image_was_running (image);
  return self->libvirt != NULL && stasis_libvirt_image_was_running (self->libvirt);
}

/* TRUE where QEMU reads the body by mapped-ram. */
gboolean
stasis_source_is_mapped (const StasisSource *self)
{
  return self->kind == STASIS_IMAGE_KIND_LIBVIRT_SPARSE
         || (self->image != NULL
             && stasis_image_body_kind (self->image) == STASIS_IMAGE_BODY_MAPPED_RAM);
}

/* What is known of its disks. */
const StasisJson *
stasis_source_disks (const StasisSource *self)
{
  if (self->streamed != NULL)
    return stasis_streamed_reader_disks (self->streamed);
  return self->image != NULL ? stasis_image_disks (self->image) : NULL;
}

/* NULL is fine. */
void
stasis_source_free (StasisSource *self)
{
  if (self == NULL)
    return;

  stasis_streamed_reader_free (self->streamed);
  stasis_libvirt_image_free (self->libvirt);
  stasis_image_free (self->image);
  stasis_stream_in_free (self->whole);
  stasis_stream_in_free (self->pipe);
  stasis_fd_clear (&self->fd);
  g_free (self->name);
  g_free (self);
}
