/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-convert.c: images of another kind, of which at least one is on the server's host
 */

#include "config.h"

#include "remote/client-convert.h"

#include <glib/gi18n-lib.h>

#include "driver/image-convert.h"
#include "driver/image-open.h"
#include "remote/client-pipe.h"

#define OWN STASIS_PROGRAM_OWN

/* Both are there. */
static gboolean
convert_there (StasisClient *client, const StasisImageConversion *request,
               const StasisClientJob *job, StasisWireValue *rets, GError **error)
{
  const StasisWireValue args[] = {
    { .s = (char *) request->in_path },     { .s = (char *) request->in_kind },
    { .s = (char *) request->out_path },    { .s = (char *) request->out_kind },
    { .s = (char *) request->compression },
  };
  return stasis_client_call_job (client, OWN, "image-convert", args, rets, job, error);
}

/* Into a descriptor here. */
static gboolean
convert_to_here (StasisClient *client, const StasisImageConversion *request,
                 const StasisClientJob *job, StasisWireValue *rets, GError **error)
{
  const StasisWireValue args[] = {
    { .s = (char *) request->in_path },
    { .s = (char *) request->in_kind },
    { .s = (char *) request->out_kind },
    { .s = (char *) request->compression },
  };
  if (!stasis_image_convert_check_fd (request->out_fd, error))
    return FALSE;
  if (stasis_client_pipe_out_plain (client, "image-convert-to-pipe", args, rets, request->out_fd,
                                    job, error))
    return TRUE;
  stasis_image_convert_cut_fd (request->out_fd);
  return FALSE;
}

/* From one. */
static gboolean
convert_from_here (StasisClient *client, const StasisImageConversion *request,
                   const StasisClientJob *job, StasisWireValue *rets, GError **error)
{
  g_autofree char *name = stasis_image_name_fd (request->in_fd);
  const StasisWireValue args[] = {
    { .s = name },
    { .s = (char *) request->in_kind },
    { .s = (char *) request->out_path },
    { .s = (char *) request->out_kind },
    { .s = (char *) request->compression },
  };
  return stasis_client_pipe_in (client, "image-convert-from-pipe", args, rets, request->in_fd, job,
                                error);
}

/* They have the same results. */
gboolean
stasis_client_convert_image (StasisDriver *self, const StasisImageConversion *request,
                             char ***out_lost, StasisProgressFunc progress, gpointer user_data,
                             GCancellable *cancellable, GError **error)
{
  StasisClient *client = stasis_client_of_driver (self);
  const StasisClientJob job
      = { .progress = progress, .user_data = user_data, .cancellable = cancellable };
  StasisWireValue rets[1];
  if (!stasis_client_need_own (client, _ ("a conversion"), error)
      || !(request->in_path == NULL    ? convert_from_here (client, request, &job, rets, error)
           : request->out_path == NULL ? convert_to_here (client, request, &job, rets, error)
                                       : convert_there (client, request, &job, rets, error)))
    return FALSE;
  if (out_lost != NULL)
    {
      g_autoptr (GStrvBuilder) lost = g_strv_builder_new ();
      for (guint i = 0; i < rets[0].items->len; i++)
        g_strv_builder_add (lost, g_ptr_array_index (rets[0].items, i));
      *out_lost = g_strv_builder_end (lost);
    }
  stasis_client_clear (OWN, "image-convert", rets);
  return TRUE;
}
