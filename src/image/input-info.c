/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * input-info.c: what `stasis image info` shows of an image of any kind
 */

#include "config.h"

#include "image/input-info.h"

#include <sys/stat.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/info.h"
#include "image/qemu-stream.h"
#include "util/uuid.h"
#include "util/json-path.h"

/* What can tell that a kind of image is damaged. */
static const char *
get_integrity (StasisImageKind kind)
{
  switch (kind)
    {
    case STASIS_IMAGE_KIND_STASIS:
    case STASIS_IMAGE_KIND_STASIS_STREAM:
      return "checksums of all octets";
    case STASIS_IMAGE_KIND_LIBVIRT_GZIP:
    case STASIS_IMAGE_KIND_LIBVIRT_BZIP2:
    case STASIS_IMAGE_KIND_LIBVIRT_XZ:
    case STASIS_IMAGE_KIND_LIBVIRT_LZOP:
    case STASIS_IMAGE_KIND_LIBVIRT_ZSTD:
      return "those of the compression, if any; none of the definition";
    default:
      return "no checksums";
    }
}

static StasisJson *
block_to_json (const StasisQemuStreamInfo *info, guint index)
{
  const StasisQemuPageCounts *counts = &info->counts[index];
  StasisJson *object = stasis_json_new_object ();
  stasis_json_set_string (object, "name", info->map->blocks[index].name);
  stasis_json_set_uint (object, "length", info->map->blocks[index].used_length);
  stasis_json_set_uint (object, "stored",
                        (counts->n_stored + counts->n_filled) * STASIS_IMAGE_PAGE_SIZE);
  stasis_json_set_uint (object, "zero", counts->n_zero * STASIS_IMAGE_PAGE_SIZE);
  return object;
}

static StasisJson *
memory_to_json (const StasisQemuStreamInfo *info)
{
  guint64 total = 0;
  StasisJson *blocks = stasis_json_new_array ();
  for (guint i = 0; i < info->map->n_blocks; i++)
    {
      total += info->map->blocks[i].used_length;
      stasis_json_array_append (blocks, block_to_json (info, i));
    }
  const StasisQemuPageCounts all = stasis_qemu_stream_total (info);
  StasisJson *object = stasis_json_new_object ();
  stasis_json_set_uint (object, "total", total);
  stasis_json_set_uint (object, "stored", (all.n_stored + all.n_filled) * STASIS_IMAGE_PAGE_SIZE);
  stasis_json_set_uint (object, "zero", all.n_zero * STASIS_IMAGE_PAGE_SIZE);
  stasis_json_set (object, "blocks", blocks);
  return object;
}

static StasisJson *
devices_to_json (const GPtrArray *devices)
{
  StasisJson *array = stasis_json_new_array ();
  for (guint i = 0; i < devices->len; i++)
    {
      const StasisQemuDevice *device = g_ptr_array_index (devices, i);
      StasisJson *object = stasis_json_new_object ();
      stasis_json_set_string (object, "name", device->name);
      stasis_json_set_uint (object, "instance", device->instance);
      stasis_json_set_uint (object, "version", device->version);
      stasis_json_set_uint (object, "size", device->size);
      stasis_json_array_append (array, object);
    }
  return array;
}

static void
add_scan (StasisJson *object, const StasisQemuStreamInfo *info, gboolean is_ours)
{
  StasisJson *stream = stasis_json_new_object ();
  stasis_json_set_string (stream, "machine", info->machine);
  stasis_json_set_uint (stream, "length", info->length);
  if (!is_ours)
    stasis_json_set (object, "memory", memory_to_json (info));
  if (info->described)
    stasis_json_set (stream, "devices", devices_to_json (info->devices));
  stasis_json_set (object, "stream", stream);
}

/* QEMU's stream.  FALSE only where it could not be read. */
static gboolean
scan (StasisImageInput *input, StasisJson *object, GCancellable *cancellable, GError **error)
{
  const gboolean is_ours = stasis_image_input_ours (input) != NULL;
  guint64 offset, end;
  g_autoptr (StasisQemuStreamInfo) info = NULL;
  g_autoptr (GError) cause = NULL;
  if (stasis_image_input_get_mapped (input, &offset, &end))
    info = stasis_qemu_stream_scan_mapped (stasis_image_input_fd (input), offset, end, cancellable,
                                           &cause);
  else if (stasis_image_input_get_packed (input, &offset, &end))
    info = stasis_qemu_stream_scan_bare (stasis_image_input_fd (input), offset, end, cancellable,
                                         &cause);
  else
    {
      StasisStreamIn *in = stasis_image_input_stream (input, cancellable, &cause);
      if (in != NULL)
        info = stasis_qemu_stream_scan (in, cancellable, &cause);
    }
  if (info != NULL)
    {
      add_scan (object, info, is_ours);
      return TRUE;
    }
  if (cause->domain != STASIS_IMAGE_ERROR)
    {
      g_propagate_error (error, g_steal_pointer (&cause));
      return FALSE;
    }
  StasisJson *stream = stasis_json_new_object ();
  stasis_json_set_string (stream, "error", cause->message);
  stasis_json_set (object, "stream", stream);
  return TRUE;
}

static void
add_file (const StasisImageInput *input, StasisJson *object)
{
  struct stat st;
  if (!stasis_image_input_is_file (input) || fstat (stasis_image_input_fd (input), &st) < 0)
    return;
  stasis_json_set_int (object, "file-time-ns",
                       st.st_mtim.tv_sec * G_GINT64_CONSTANT (1000000000) + st.st_mtim.tv_nsec);
  StasisJson *file = stasis_json_new_object ();
  stasis_json_set_uint (file, "size", (guint64) st.st_size);
  stasis_json_set_uint (file, "allocated", (guint64) st.st_blocks * 512);
  stasis_json_set (object, "file", file);
}

static void
add_wrapping (const StasisImageInput *input, StasisJson *object)
{
  const StasisLibvirtImage *libvirt = stasis_image_input_libvirt (input);
  if (libvirt != NULL)
    {
      GBytes *cookie = stasis_libvirt_image_cookie (libvirt);
      stasis_json_set_int (object, "format-version",
                           stasis_libvirt_image_header (libvirt)->version);
      stasis_json_set_string (object, "run-state",
                              stasis_libvirt_image_was_running (libvirt) ? "running" : "paused");
      stasis_json_set_uint (object, "cookie-length",
                            cookie != NULL ? g_bytes_get_size (cookie) : 0);
    }
  const guint8 *uuid = stasis_image_input_trailer_uuid (input);
  if (uuid == NULL)
    return;
  g_autofree char *text = stasis_uuid_format (uuid);
  stasis_json_set_string (object, "domain-uuid", text);
}

static StasisJson *
body_to_json (const StasisImageInput *input)
{
  guint64 offset, end;
  StasisJson *object = stasis_json_new_object ();
  const gboolean is_mapped = stasis_image_input_get_mapped (input, &offset, &end);
  stasis_json_set_string (object, "kind", is_mapped ? "mapped-ram" : "stream");
  if (stasis_image_input_is_file (input))
    {
      stasis_json_set_uint (object, "offset", offset);
      stasis_json_set_uint (object, "length", end - offset);
    }
  return object;
}

static StasisJson *
foreign_info (StasisImageInput *input, GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisJson) object = stasis_json_new_object ();
  stasis_json_set_text (object, "name", stasis_image_input_name (input));
  stasis_json_set (object, "body", body_to_json (input));
  if (!scan (input, object, cancellable, error))
    return NULL;
  add_wrapping (input, object);
  add_file (input, object);
  return g_steal_pointer (&object);
}

/* Of ours: the stream is read where that costs nothing, or where it has to be: a pipe has to be
 * taken to its end before anything in it can be believed. */
static StasisJson *
our_info (StasisImageInput *input, GCancellable *cancellable, GError **error)
{
  guint64 offset, end;
  const gboolean is_file = stasis_image_input_is_file (input);
  const gboolean is_apart = stasis_image_input_get_mapped (input, &offset, &end)
                            || stasis_image_input_get_packed (input, &offset, &end);
  g_autoptr (StasisJson) stream = stasis_json_new_object ();
  if ((!is_file || is_apart) && !scan (input, stream, cancellable, error))
    return NULL;
  const char *damage
      = stasis_json_string (stasis_json_get (stasis_json_get (stream, "stream"), "error"), NULL);
  if (!is_file && damage != NULL)
    {
      g_set_error_literal (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT, damage);
      return NULL;
    }
  StasisJson *object = stasis_image_info_to_json (stasis_image_input_ours (input));
  const StasisJson *scanned = stasis_json_get (stream, "stream");
  if (scanned != NULL)
    stasis_json_set (object, "stream", stasis_json_ref ((StasisJson *) scanned));
  return object;
}

/* All about an image as one JSON object. */
StasisJson *
stasis_image_input_info (StasisImageInput *input, GCancellable *cancellable, GError **error)
{
  const StasisImageKind kind = stasis_image_input_kind (input);
  StasisJson *object = stasis_image_input_ours (input) != NULL
                           ? our_info (input, cancellable, error)
                           : foreign_info (input, cancellable, error);
  if (object == NULL)
    return NULL;
  stasis_json_set_string (object, "kind", stasis_image_kind_to_string (kind));
  stasis_json_set_string (object, "integrity", get_integrity (kind));
  return object;
}
