/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-form.c: which kind of image a save writes, and how compressed
 */

#include "config.h"

#include "driver/save-form.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>
#include <stasis/save.h>

#include "image/streamed-writer.h"

#define ZSTD "zstd"

static gboolean
parse_compress (const char *text, int *out_level, GError **error)
{
  const char *level = text + strlen (ZSTD);
  if (!g_str_has_prefix (text, ZSTD) || (*level != '\0' && *level != ':'))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("there is no compression called '%1$s'; there are: zstd, zstd:LEVEL"), text);
      return FALSE;
    }
  guint64 value = STASIS_STREAMED_LEVEL_DEFAULT;
  if (*level == ':'
      && !g_ascii_string_to_unsigned (level + 1, 10, 1, STASIS_STREAMED_LEVEL_MAX, &value, NULL))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("'%1$s': zstd's levels are 1 to %2$d"), text, STASIS_STREAMED_LEVEL_MAX);
      return FALSE;
    }
  *out_level = (int) value;
  return TRUE;
}

static gboolean
parse_kind (const char *format, StasisImageKind *out_kind, GError **error)
{
  g_autoptr (GError) local = NULL;
  if (stasis_image_kind_from_string (format, out_kind, &local))
    return TRUE;
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT, local->message);
  return FALSE;
}

/* "stasis-stream, libvirt, ...": those that a pipe takes. */
static char *
list_streams (void)
{
  g_autoptr (GString) list = g_string_new (NULL);
  for (guint i = 0; i < STASIS_IMAGE_KINDS; i++)
    if (!stasis_image_kind_needs_file ((StasisImageKind) i))
      g_string_append_printf (list, "%s%s", list->len == 0 ? "" : ", ",
                              stasis_image_kind_to_string ((StasisImageKind) i));
  return g_string_free (g_steal_pointer (&list), FALSE);
}

static gboolean
check_stream (StasisImageKind kind, GError **error)
{
  if (!stasis_image_kind_needs_file (kind))
    return TRUE;
  g_autofree char *list = list_streams ();
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("an image of the kind '%1$s' needs a file that can be rewritten, given by its "
                  "name; what can go into a pipe: %2$s"),
               stasis_image_kind_to_string (kind), list);
  return FALSE;
}

/* From what users say. */
gboolean
stasis_save_form_choose (const char *format, const char *compress, gboolean needs_stream,
                         StasisSaveForm *out_form, GError **error)
{
  StasisSaveForm form = { .kind = STASIS_IMAGE_KIND_STASIS };
  if (needs_stream || compress != NULL)
    form.kind = STASIS_IMAGE_KIND_STASIS_STREAM;
  if ((format != NULL && !parse_kind (format, &form.kind, error))
      || (compress != NULL && !parse_compress (compress, &form.level, error))
      || (needs_stream && !check_stream (form.kind, error)))
    return FALSE;
  if (compress != NULL && form.kind != STASIS_IMAGE_KIND_STASIS_STREAM
      && form.kind != STASIS_IMAGE_KIND_LIBVIRT_ZSTD)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("an image of the kind '%1$s' cannot be compressed with zstd; "
                      "'stasis-stream' and 'libvirt-zstd' can"),
                   stasis_image_kind_to_string (form.kind));
      return FALSE;
    }
  *out_form = form;
  return TRUE;
}

/**
 * stasis_image_format_get_weakness:
 * @format: the name of a kind of image
 *
 * What an image of that kind lacks beside our own, for people.
 *
 * Returns: (nullable): a sentence without a full stop; %NULL: nothing, or there is no such kind
 */
const char *
stasis_image_format_get_weakness (const char *format)
{
  StasisImageKind kind;
  if (!stasis_image_kind_from_string (format, &kind, NULL))
    return NULL;
  if (kind == STASIS_IMAGE_KIND_TRAILER)
    return _ ("an image of the kind 'trailer' holds no definition, no run state and no checksums: "
              "the domain must be defined where it is restored, and damage may go unnoticed");
  if (kind == STASIS_IMAGE_KIND_LIBVIRT_RAW || kind == STASIS_IMAGE_KIND_LIBVIRT_SPARSE)
    return _ ("libvirt's images have no checksums and say nothing of the disks: damage, and disks "
              "that have changed, may go unnoticed");
  if (stasis_image_kind_is_libvirt (kind))
    return _ ("libvirt's images say nothing of the disks: disks that have changed go unnoticed");
  return NULL;
}
