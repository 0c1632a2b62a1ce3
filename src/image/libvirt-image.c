/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt-image.c: opening a save image of libvirt
 */

#include "config.h"

#include "image/libvirt-image.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <glib/gi18n-lib.h>

#include "image/decompress.h"
#include "image/error.h"
#include "image/mapped-ram.h"
#include "image/plain-stream.h"
#include "util/fd.h"
#include "util/safe-open.h"

struct _StasisLibvirtImage
{
  char *name;         /* (owned) */
  int fd;             /* (owned) -1: from a pipe */
  guint64 file_size;  /* 0: from a pipe */
  StasisStreamIn *in; /* (borrowed) NULL: from a file */
  StasisLibvirtHeader header;
  GBytes *xml;    /* (owned) */
  GBytes *cookie; /* (owned, nullable) */
};

static const StasisCompression compressions[STASIS_LIBVIRT_FORMATS] = {
  [STASIS_LIBVIRT_FORMAT_RAW] = STASIS_COMPRESSION_NONE,
  [STASIS_LIBVIRT_FORMAT_GZIP] = STASIS_COMPRESSION_GZIP,
  [STASIS_LIBVIRT_FORMAT_BZIP2] = STASIS_COMPRESSION_BZIP2,
  [STASIS_LIBVIRT_FORMAT_XZ] = STASIS_COMPRESSION_XZ,
  [STASIS_LIBVIRT_FORMAT_LZOP] = STASIS_COMPRESSION_LZOP,
  [STASIS_LIBVIRT_FORMAT_ZSTD] = STASIS_COMPRESSION_ZSTD,
  [STASIS_LIBVIRT_FORMAT_SPARSE] = STASIS_COMPRESSION_NONE,
};

/* How the body of a format is compressed. */
StasisCompression
stasis_libvirt_format_compression (StasisLibvirtFormat format)
{
  return compressions[format];
}

static gboolean
throw_cut (const StasisLibvirtImage *image, guint64 at, GError **error)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("libvirt's save image '%1$s' is cut: it ends at offset %2$" G_GUINT64_FORMAT),
               image->name, at);
  return FALSE;
}

static gboolean
read_header (StasisLibvirtImage *image, StasisStreamIn *in, GCancellable *cancellable,
             GError **error)
{
  guint8 octets[STASIS_LIBVIRT_HEADER_SIZE];
  const gssize n = stasis_stream_in_read_full (in, octets, sizeof octets, cancellable, error);
  return n >= 0
         && stasis_libvirt_header_decode (octets, (gsize) n, image->name, &image->header, error);
}

static gboolean
read_data (StasisLibvirtImage *image, StasisStreamIn *in, GCancellable *cancellable, GError **error)
{
  const gsize size = image->header.data_length;
  g_autofree guint8 *data = g_try_malloc (size);
  if (data == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _ ("not enough memory"));
      return FALSE;
    }
  const gssize n = stasis_stream_in_read_full (in, data, size, cancellable, error);
  if (n < 0)
    return FALSE;
  if ((gsize) n < size)
    return throw_cut (image, STASIS_LIBVIRT_HEADER_SIZE + (guint64) n, error);
  return stasis_libvirt_data_decode (&image->header, data, image->name, &image->xml, &image->cookie,
                                     error);
}

static StasisLibvirtImage *
image_new (int fd_take, const char *name)
{
  StasisLibvirtImage *image = g_new0 (StasisLibvirtImage, 1);
  image->fd = fd_take;
  image->name = g_strdup (name);
  return image;
}

/* Read and check all that stands before the body. */
StasisLibvirtImage *
stasis_libvirt_image_open_fd (int fd_take, const char *name, GError **error)
{
  g_autoptr (StasisLibvirtImage) image = image_new (fd_take, name);
  struct stat st;
  if (fstat (image->fd, &st) < 0)
    {
      stasis_throw_errno (error, _ ("cannot look at '%s'"), name);
      return NULL;
    }
  if (!S_ISREG (st.st_mode))
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_NOT_AN_IMAGE,
                   _ ("'%1$s' is not a regular file"), name);
      return NULL;
    }
  image->file_size = (guint64) st.st_size;

  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_file (image->fd, 0, G_MAXUINT64);
  if (!read_header (image, in, NULL, error) || !read_data (image, in, NULL, error))
    return NULL;
  if (image->file_size <= stasis_libvirt_image_body_offset (image))
    {
      throw_cut (image, image->file_size, error);
      return NULL;
    }
  return g_steal_pointer (&image);
}

/* The same for a file by its path. */
StasisLibvirtImage *
stasis_libvirt_image_open (const char *path, GError **error)
{
  /* O_NONBLOCK: a FIFO of that name must not hold us up. */
  const int fd = stasis_safe_open (path, O_RDONLY | O_NONBLOCK, error);
  return fd < 0 ? NULL : stasis_libvirt_image_open_fd (fd, path, error);
}

/* The same from a pipe. */
StasisLibvirtImage *
stasis_libvirt_image_open_stream (StasisStreamIn *in, const char *name, GCancellable *cancellable,
                                  GError **error)
{
  g_autoptr (StasisLibvirtImage) image = image_new (-1, name);
  image->in = in;
  if (!read_header (image, in, cancellable, error) || !read_data (image, in, cancellable, error))
    return NULL;
  return g_steal_pointer (&image);
}

/* Its descriptor (borrowed). */
int
stasis_libvirt_image_fd (const StasisLibvirtImage *image)
{
  return image->fd;
}

/* What messages call it. */
const char *
stasis_libvirt_image_name (const StasisLibvirtImage *image)
{
  return image->name;
}

/* The header as it was read. */
const StasisLibvirtHeader *
stasis_libvirt_image_header (const StasisLibvirtImage *image)
{
  return &image->header;
}

/* How the body is stored. */
StasisLibvirtFormat
stasis_libvirt_image_format (const StasisLibvirtImage *image)
{
  return image->header.format;
}

/* The domain XML, without the NUL. */
GBytes *
stasis_libvirt_image_xml (const StasisLibvirtImage *image)
{
  return image->xml;
}

/* libvirt's notes for the restore (XML), or NULL. */
GBytes *
stasis_libvirt_image_cookie (const StasisLibvirtImage *image)
{
  return image->cookie;
}

/* Before the save. */
gboolean
stasis_libvirt_image_was_running (const StasisLibvirtImage *image)
{
  return image->header.was_running;
}

/* Where the body begins. */
guint64
stasis_libvirt_image_body_offset (const StasisLibvirtImage *image)
{
  return (guint64) STASIS_LIBVIRT_HEADER_SIZE + image->header.data_length;
}

/* Where the body ends. */
guint64
stasis_libvirt_image_body_end (const StasisLibvirtImage *image)
{
  return image->file_size;
}

/* What is before the body is as libvirt writes it. */
gboolean
stasis_libvirt_image_check_strictly (const StasisLibvirtImage *image, GError **error)
{
  if (image->header.strange_at == 0)
    return TRUE;
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("libvirt's save image '%1$s', at offset %2$u: this is not what libvirt writes "
                  "there"),
               image->name, image->header.strange_at);
  return FALSE;
}

/* QEMU's plain stream. */
StasisStreamIn *
stasis_libvirt_image_body (const StasisLibvirtImage *image, GError **error)
{
  if (image->header.format == STASIS_LIBVIRT_FORMAT_SPARSE)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED,
                   _ ("libvirt's save image '%1$s' is sparse: its memory has to be read from "
                      "its places in the file"),
                   image->name);
      return NULL;
    }

  g_autoptr (StasisStreamIn) file = NULL;
  if (image->in == NULL)
    file = stasis_stream_in_new_file (image->fd, stasis_libvirt_image_body_offset (image),
                                      image->file_size);
  StasisStreamIn *plain = stasis_decompress_new (compressions[image->header.format],
                                                 file != NULL ? file : image->in, error);
  if (plain == NULL)
    {
      g_prefix_error (error, "'%s': ", image->name);
      return NULL;
    }
  return stasis_plain_stream_new (plain, g_steal_pointer (&file), image->name);
}

/* Where the memory lies in a sparse image. */
StasisImageRamMap *
stasis_libvirt_image_ram_map (const StasisLibvirtImage *image, GError **error)
{
  if (image->header.format != STASIS_LIBVIRT_FORMAT_SPARSE || image->fd < 0)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED,
                   _ ("libvirt's save image '%1$s' is not a sparse file: its memory has no places "
                      "of its own"),
                   image->name);
      return NULL;
    }
  StasisImageRamMap *map = stasis_mapped_ram_parse (
      image->fd, stasis_libvirt_image_body_offset (image), image->file_size, error);
  if (map == NULL)
    g_prefix_error (error, "'%s': ", image->name);
  return map;
}

/* NULL is fine. */
void
stasis_libvirt_image_free (StasisLibvirtImage *image)
{
  if (image == NULL)
    return;

  stasis_fd_clear (&image->fd);
  g_clear_pointer (&image->xml, g_bytes_unref);
  g_clear_pointer (&image->cookie, g_bytes_unref);
  g_free (image->name);
  g_free (image);
}
