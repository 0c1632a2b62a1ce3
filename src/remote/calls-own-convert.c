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

/* (transfer none): the end that is the client's. */
static int *
find_piped (StasisImageConversion *request)
{
  if (request->in_path == NULL)
    return &request->in_fd;
  return request->out_path == NULL ? &request->out_fd : NULL;
}

/* What has no path comes from the client, or goes there. */
static gboolean
convert (StasisOwnJob *job, StasisImageConversion *request, const char *in_name, char ***out_lost,
         GError **error)
{
  StasisCall *call = job->call;
  const gboolean is_out = request->out_path == NULL;
  int *piped = find_piped (request);
  g_autoptr (StasisPipe) pipe = NULL;
  stasis_autofd int fd = -1;
  if (piped != NULL)
    {
      pipe = stasis_pipe_new (call->session, call->header, is_out, job->cancellable, error);
      if (pipe == NULL)
        return FALSE;
      *piped = fd = stasis_pipe_steal_fd (pipe);
    }
  if (!stasis_image_convert_named (call->driver, request, in_name, out_lost, stasis_own_job_tell,
                                   job, job->cancellable, error))
    return FALSE;
  stasis_fd_clear (&fd);
  return !is_out || stasis_pipe_await_end (pipe, error);
}

static void
give_lost (StasisCall *call, char **lost)
{
  call->rets[0].items = stasis_wire_strings_new ();
  for (guint i = 0; lost != NULL && lost[i] != NULL; i++)
    g_ptr_array_add (call->rets[0].items, g_strdup (lost[i]));
}

static gboolean
run (StasisCall *call, StasisImageConversion *request, const char *in_name, GError **error)
{
  g_auto (GStrv) lost = NULL;
  g_auto (StasisOwnJob) job = { 0 };
  request->in_fd = request->out_fd = -1;
  if ((request->in_path != NULL && !stasis_call_check_file (request->in_path, error))
      || (request->out_path != NULL && !stasis_call_check_file (request->out_path, error)))
    return FALSE;
  stasis_own_job_begin (&job, call);
  if (!convert (&job, request, in_name, &lost, error))
    return FALSE;
  give_lost (call, lost);
  return TRUE;
}

/* Both are files here. */
gboolean
stasis_call_own_image_convert (StasisCall *call, GError **error)
{
  StasisImageConversion request = {
    .in_path = call->args[0].s,
    .in_kind = call->args[1].s,
    .out_path = call->args[2].s,
    .out_kind = call->args[3].s,
    .compression = call->args[4].s,
  };
  return run (call, &request, NULL, error);
}

/* Into what the client has. */
gboolean
stasis_call_own_image_convert_to_pipe (StasisCall *call, GError **error)
{
  StasisImageConversion request = {
    .in_path = call->args[0].s,
    .in_kind = call->args[1].s,
    .out_kind = call->args[2].s,
    .compression = call->args[3].s,
  };
  return run (call, &request, NULL, error);
}

/* Out of what it has. */
gboolean
stasis_call_own_image_convert_from_pipe (StasisCall *call, GError **error)
{
  StasisImageConversion request = {
    .in_kind = call->args[1].s,
    .out_path = call->args[2].s,
    .out_kind = call->args[3].s,
    .compression = call->args[4].s,
  };
  return run (call, &request, call->args[0].s, error);
}
