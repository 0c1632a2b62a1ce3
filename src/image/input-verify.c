/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * input-verify.c: checking every octet of a save image of any kind
 *
 * What an image has checksums for is compared with them; whatever it is, QEMU's stream inside is
 * gone over from its first octet to its last.  libvirt's raw images and the form of 2007 have
 * nothing but that: a page that was changed in them is not noticed.
 */

#include "config.h"

#include "image/input-verify.h"

#include <glib/gi18n-lib.h>

#include "image/damage.h"
#include "image/error.h"
#include "image/qemu-stream.h"
#include "image/stream-tee.h"

typedef struct
{
  StasisImageInput *input; /* (borrowed) */
  StasisImageProgress progress;
  gpointer progress_data;
  StasisDamageList damages;
} Check;

static void
clear (Check *self)
{
  stasis_damage_list_clear (&self->damages);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Check, clear)

/* What QEMU wrote; a kind of stream that we do not know is no damage in an image whose checksums
 * were right, and cannot be looked at in any other. */
static gboolean
take_scan_error (Check *self, GError *cause, GError **error)
{
  if (g_error_matches (cause, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED)
      && stasis_image_input_ours (self->input) != NULL)
    {
      g_debug ("'%s': %s", stasis_image_input_name (self->input), cause->message);
      g_error_free (cause);
      return TRUE;
    }
  if (g_error_matches (cause, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED))
    {
      g_propagate_error (error, cause);
      return FALSE;
    }
  guint64 offset, end;
  stasis_image_input_get_body (self->input, &offset, &end);
  return stasis_damage_list_add_error (&self->damages, offset, end - offset, cause, error);
}

static gboolean
scan (Check *self, GCancellable *cancellable, GError **error)
{
  guint64 offset, end;
  g_autoptr (StasisQemuStreamInfo) info = NULL;
  GError *cause = NULL;
  if (stasis_image_input_get_mapped (self->input, &offset, &end))
    info = stasis_qemu_stream_scan_mapped (stasis_image_input_fd (self->input), offset, end,
                                           cancellable, &cause);
  else if (stasis_image_input_get_packed (self->input, &offset, &end))
    info = stasis_qemu_stream_scan_bare (stasis_image_input_fd (self->input), offset, end,
                                         cancellable, &cause);
  else
    {
      StasisStreamIn *in = stasis_image_input_stream (self->input, cancellable, &cause);
      g_autoptr (StasisStreamIn) metered
          = in == NULL
                ? NULL
                : stasis_stream_tee_new (in, NULL, stasis_image_input_stream_length (self->input),
                                         self->progress, self->progress_data);
      if (metered != NULL)
        info = stasis_qemu_stream_scan (metered, cancellable, &cause);
    }
  return info != NULL || take_scan_error (self, cause, error);
}

static gboolean
check_front (Check *self, GError **error)
{
  const StasisLibvirtImage *libvirt = stasis_image_input_libvirt (self->input);
  GError *cause = NULL;
  if (libvirt == NULL || stasis_libvirt_image_check_strictly (libvirt, &cause))
    return TRUE;
  return stasis_damage_list_add_error (&self->damages, 0,
                                       stasis_libvirt_image_body_offset (libvirt), cause, error);
}

/* Check the whole image as far as its kind allows. */
GPtrArray *
stasis_image_input_verify (StasisImageInput *input, StasisImageProgress progress,
                           gpointer progress_data, GCancellable *cancellable, GError **error)
{
  const StasisImage *ours = stasis_image_input_ours (input);
  if (ours != NULL && stasis_image_input_is_file (input))
    {
      g_autoptr (GPtrArray) faults = stasis_image_verify_report (
          ours, STASIS_IMAGE_VERIFY_DEEP, 0, progress, progress_data, cancellable, error);
      if (faults == NULL || faults->len > 0)
        return g_steal_pointer (&faults);
    }

  g_auto (Check) self = { .input = input, .progress = progress, .progress_data = progress_data };
  stasis_damage_list_init (&self.damages, FALSE);
  if (!check_front (&self, error) || !scan (&self, cancellable, error))
    return NULL;
  return stasis_damage_list_steal (&self.damages);
}
