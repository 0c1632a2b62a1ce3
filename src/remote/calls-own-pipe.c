/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-own-pipe.c: our own program: images through the connection
 */

#include "config.h"

#include "driver/save.h"
#include "remote/calls-own.h"
#include "remote/calls.h"
#include "remote/pipe.h"
#include "util/fd.h"

/* Into what the client has: a pipe, a file. */
gboolean
stasis_call_own_domain_save_pipe (StasisCall *call, GError **error)
{
  StasisSaveRequest request = {
    .fd_name = call->args[1].s,
    .format = call->args[2].s,
    .compress = call->args[3].s,
    .xml = call->args[4].s,
    .flags = call->args[5].u,
  };
  g_auto (StasisOwnJob) job = { 0 };
  if (!stasis_own_check_flags (request.flags, STASIS_OWN_SAVE_FLAGS, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (domain == NULL)
    return FALSE;
  stasis_own_job_begin (&job, call);
  g_autoptr (StasisPipe) pipe
      = stasis_pipe_new (call->session, call->header, /* is_out= */ TRUE, NULL, error);
  if (pipe == NULL)
    return FALSE;
  const StasisSaveReader reader = stasis_pipe_reader (pipe);
  stasis_autofd int fd = stasis_pipe_steal_fd (pipe);
  request.fd = fd;
  return stasis_save_run (domain, /* is_managed= */ FALSE, &request, &reader, stasis_own_job_tell,
                          &job, job.cancellable, error);
}

/* Out of what it has. */
gboolean
stasis_call_own_restore_pipe (StasisCall *call, GError **error)
{
  const guint32 flags = call->args[2].u;
  g_auto (StasisOwnJob) job = { 0 };
  if (!stasis_own_check_flags (flags, STASIS_OWN_RESTORE_FLAGS, error))
    return FALSE;
  stasis_own_job_begin (&job, call);
  g_autoptr (StasisPipe) pipe
      = stasis_pipe_new (call->session, call->header, /* is_out= */ FALSE, job.cancellable, error);
  return pipe != NULL
         && stasis_call_give (
             call, stasis_driver_restore_fd (call->driver, stasis_pipe_steal_fd (pipe),
                                             call->args[0].s, call->args[1].s, flags,
                                             stasis_own_job_tell, &job, job.cancellable, error));
}
