/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-convert.c: images of another kind, of which at least one is on the server's host
 */

#include "config.h"

#include "remote/client-convert.h"

#include <glib/gi18n-lib.h>

#include "driver/image-convert.h"
#include "driver/image-open.h"
#include "driver/image-relay.h"
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
convert_to_here (StasisClient *client, const StasisImageConversion *request, int fd,
                 const StasisClientJob *job, StasisWireValue *rets, GError **error)
{
  const StasisWireValue args[] = {
    { .s = (char *) request->in_path },
    { .s = (char *) request->in_kind },
    { .s = (char *) request->out_kind },
    { .s = (char *) request->compression },
  };
  return stasis_client_pipe_out_plain (client, "image-convert-to-pipe", args, rets, fd, job, error);
}

/* From one. */
static gboolean
convert_from_here (StasisClient *client, const StasisImageConversion *request, int fd,
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
  return stasis_client_pipe_in (client, "image-convert-from-pipe", args, rets, fd, job, error);
}

/* One end is here: a pipe, or a file, which is read and written on this side where a pipe cannot
 * have what is in it. */
static gboolean
convert_half (StasisDriver *driver, const StasisImageConversion *request,
              const StasisClientJob *job, StasisWireValue *rets, char ***out_lost, GError **error)
{
  StasisClient *client = stasis_client_of_driver (driver);
  const gboolean is_out = request->out_path == NULL;
  StasisImageConversion there = *request;
  StasisImageRelay *relay;
  GError *failure = NULL;
  if (!stasis_image_relay_begin (driver, request, job->cancellable, &relay, error))
    return FALSE;
  if (relay != NULL && is_out)
    {
      there.out_kind = stasis_image_relay_kind (relay);
      there.compression = NULL;
    }
  else if (relay != NULL)
    there.in_kind = stasis_image_relay_kind (relay);
  const int fd
      = relay != NULL ? stasis_image_relay_fd (relay) : (is_out ? request->out_fd : request->in_fd);
  gboolean ok = is_out ? convert_to_here (client, &there, fd, job, rets, &failure)
                       : convert_from_here (client, &there, fd, job, rets, &failure);
  if (relay == NULL && !ok)
    g_propagate_error (error, failure);
  if (relay == NULL)
    return ok;
  const gboolean has_rets = ok;
  ok = stasis_image_relay_end (relay, failure, out_lost, error);
  if (has_rets && !ok)
    stasis_client_clear (OWN, "image-convert", rets);
  return ok;
}

/* An output that is a file is empty before, and after a failure. */
static gboolean
convert_through (StasisDriver *driver, const StasisImageConversion *request,
                 const StasisClientJob *job, StasisWireValue *rets, char ***out_lost,
                 GError **error)
{
  if (request->out_path == NULL && !stasis_image_convert_check_fd (request->out_fd, error))
    return FALSE;
  if (convert_half (driver, request, job, rets, out_lost, error))
    return TRUE;
  if (request->out_path == NULL)
    stasis_image_convert_cut_fd (request->out_fd);
  return FALSE;
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
  g_auto (GStrv) lost_here = NULL;
  const gboolean is_there = request->in_path != NULL && request->out_path != NULL;
  if (!stasis_client_need_own (client, _ ("a conversion"), error)
      || !(is_there ? convert_there (client, request, &job, rets, error)
                    : convert_through (self, request, &job, rets, &lost_here, error)))
    return FALSE;
  if (out_lost != NULL)
    {
      g_autoptr (GStrvBuilder) lost = g_strv_builder_new ();
      if (lost_here != NULL)
        g_strv_builder_addv (lost, (const char **) lost_here);
      for (guint i = 0; i < rets[0].items->len; i++)
        g_strv_builder_add (lost, g_ptr_array_index (rets[0].items, i));
      *out_lost = g_strv_builder_end (lost);
    }
  stasis_client_clear (OWN, "image-convert", rets);
  return TRUE;
}
