/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-own-convert.c: our own program: an image of another kind, here or through the connection
 *
 * What the new kind has no place for is the result of all of them.
 */

#include "config.h"

#include "driver/image-convert.h"
#include "remote/calls-own.h"
#include "remote/calls.h"
#include "remote/pipe.h"
#include "util/fd.h"

static gboolean
convert (StasisOwnJob *job, const StasisImageConversion *request, const char *in_name,
         char ***out_lost, GError **error)
{
  return stasis_image_convert_named (job->call->driver, request, in_name, out_lost,
                                     stasis_own_job_tell, job, job->cancellable, error);
}

static void
give_lost (StasisCall *call, char **lost)
{
  call->rets[0].items = stasis_wire_strings_new ();
  for (guint i = 0; lost != NULL && lost[i] != NULL; i++)
    g_ptr_array_add (call->rets[0].items, g_strdup (lost[i]));
}

/* Both are files here. */
gboolean
stasis_call_own_image_convert (StasisCall *call, GError **error)
{
  const StasisImageConversion request = {
    .in_path = call->args[0].s,
    .in_fd = -1,
    .in_kind = call->args[1].s,
    .out_path = call->args[2].s,
    .out_fd = -1,
    .out_kind = call->args[3].s,
    .compression = call->args[4].s,
  };
  g_auto (GStrv) lost = NULL;
  g_auto (StasisOwnJob) job = { 0 };
  if (!stasis_call_check_file (request.in_path, error)
      || !stasis_call_check_file (request.out_path, error))
    return FALSE;
  stasis_own_job_begin (&job, call);
  if (!convert (&job, &request, NULL, &lost, error))
    return FALSE;
  give_lost (call, lost);
  return TRUE;
}

/* Into what the client has. */
gboolean
stasis_call_own_image_convert_to_pipe (StasisCall *call, GError **error)
{
  StasisImageConversion request = {
    .in_path = call->args[0].s,
    .in_fd = -1,
    .in_kind = call->args[1].s,
    .out_kind = call->args[2].s,
    .compression = call->args[3].s,
  };
  g_auto (GStrv) lost = NULL;
  g_auto (StasisOwnJob) job = { 0 };
  if (!stasis_call_check_file (request.in_path, error))
    return FALSE;
  stasis_own_job_begin (&job, call);
  g_autoptr (StasisPipe) pipe
      = stasis_pipe_new (call->session, call->header, /* is_out= */ TRUE, job.cancellable, error);
  if (pipe == NULL)
    return FALSE;
  stasis_autofd int fd = stasis_pipe_steal_fd (pipe);
  request.out_fd = fd;
  if (!convert (&job, &request, NULL, &lost, error))
    return FALSE;
  stasis_fd_clear (&fd);
  if (!stasis_pipe_await_end (pipe, error))
    return FALSE;
  give_lost (call, lost);
  return TRUE;
}

/* Out of what it has. */
gboolean
stasis_call_own_image_convert_from_pipe (StasisCall *call, GError **error)
{
  StasisImageConversion request = {
    .in_kind = call->args[1].s,
    .out_path = call->args[2].s,
    .out_fd = -1,
    .out_kind = call->args[3].s,
    .compression = call->args[4].s,
  };
  g_auto (GStrv) lost = NULL;
  g_auto (StasisOwnJob) job = { 0 };
  if (!stasis_call_check_file (request.out_path, error))
    return FALSE;
  stasis_own_job_begin (&job, call);
  g_autoptr (StasisPipe) pipe
      = stasis_pipe_new (call->session, call->header, /* is_out= */ FALSE, job.cancellable, error);
  if (pipe == NULL)
    return FALSE;
  stasis_autofd int fd = stasis_pipe_steal_fd (pipe);
  request.in_fd = fd;
  if (!convert (&job, &request, call->args[0].s, &lost, error))
    return FALSE;
  give_lost (call, lost);
  return TRUE;
}
