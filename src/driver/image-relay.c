/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-relay.c: an image that needs a file, on its way through a pipe
 *
 * Some kinds can only be read from a file, or written into one.  Where the file is on this host and
 * the rest of the conversion on another, the image goes between them as one of a kind that a pipe
 * can have and that has a place for the same: a thread converts once more, here.
 */

#include "config.h"

#include "driver/image-relay.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/image-open.h"
#include "image/kind.h"
#include "util/fd.h"

struct _StasisImageRelay
{
  StasisDriver *driver;          /* (borrowed) */
  StasisImageConversion request; /* on this side */
  GCancellable *cancellable;     /* (borrowed) (nullable) */
  gboolean is_out;               /* the file is what is written */
  int fd;                        /* (owned) for the other side */
  int own_fd;                    /* (owned by the thread) */
  GThread *thread;               /* (owned) */
  char **lost;                   /* (owned) (nullable) */
  GError *error;                 /* (owned) (nullable) */
};

static gboolean
is_file (int fd)
{
  struct stat st;
  return fstat (fd, &st) == 0 && S_ISREG (st.st_mode);
}

static const char *
kind_for_pipe (StasisImageKind kind)
{
  return stasis_image_kind_to_string (kind == STASIS_IMAGE_KIND_STASIS
                                          ? STASIS_IMAGE_KIND_STASIS_STREAM
                                          : STASIS_IMAGE_KIND_LIBVIRT_RAW);
}

/* *@out_kind: (nullable) what goes through the pipe instead.  A pipe says only at its end whose a
 * trailer is. */
static gboolean
look_at_input (const StasisImageConversion *request, GCancellable *cancellable,
               const char **out_kind, GError **error)
{
  *out_kind = NULL;
  if (!is_file (request->in_fd))
    return TRUE;
  g_autoptr (StasisImageInput) input
      = stasis_image_open_any (NULL, request->in_fd, cancellable, error);
  if (input == NULL)
    return FALSE;
  const StasisImageKind kind = stasis_image_input_kind (input);
  if (stasis_image_kind_needs_file (kind)
      || (kind == STASIS_IMAGE_KIND_TRAILER && g_strcmp0 (request->out_kind, "trailer") != 0))
    *out_kind = kind_for_pipe (kind);
  return TRUE;
}

static const char *
look_at_output (const StasisImageConversion *request)
{
  StasisImageKind kind;
  return request->out_kind != NULL && is_file (request->out_fd)
                 && stasis_image_kind_from_string (request->out_kind, &kind, NULL)
                 && stasis_image_kind_needs_file (kind)
             ? kind_for_pipe (kind)
             : NULL;
}

/* The other side may have closed its end, which is an error, and no reason to die. */
static gpointer
convert (gpointer data)
{
  StasisImageRelay *self = data;
  sigset_t signals;
  sigemptyset (&signals);
  sigaddset (&signals, SIGPIPE);
  pthread_sigmask (SIG_BLOCK, &signals, NULL);
  stasis_image_convert (self->driver, &self->request, &self->lost, NULL, NULL, self->cancellable,
                        &self->error);
  stasis_fd_clear (&self->own_fd);
  return NULL;
}

/* Where it is needed. */
gboolean
stasis_image_relay_begin (StasisDriver *driver, const StasisImageConversion *request,
                          GCancellable *cancellable, StasisImageRelay **out_relay, GError **error)
{
  const gboolean is_out = request->out_path == NULL;
  const char *kind = NULL;
  int pair[2];
  *out_relay = NULL;
  if (is_out)
    kind = look_at_output (request);
  else if (!look_at_input (request, cancellable, &kind, error))
    return FALSE;
  if (kind == NULL)
    return TRUE;
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    return stasis_throw_errno (error, _ ("cannot make a pair of sockets"));
  StasisImageRelay *self = g_new0 (StasisImageRelay, 1);
  self->driver = driver;
  self->cancellable = cancellable;
  self->is_out = is_out;
  self->fd = pair[0];
  self->own_fd = pair[1];
  self->request = (StasisImageConversion){
    .in_fd = is_out ? pair[1] : request->in_fd,
    .in_kind = is_out ? kind : request->in_kind,
    .out_fd = is_out ? request->out_fd : pair[1],
    .out_kind = is_out ? request->out_kind : kind,
    .compression = is_out ? request->compression : NULL,
  };
  self->thread = g_thread_new ("image-relay", convert, self);
  *out_relay = self;
  return TRUE;
}

int
stasis_image_relay_fd (const StasisImageRelay *self)
{
  return self->fd;
}

const char *
stasis_image_relay_kind (const StasisImageRelay *self)
{
  return self->is_out ? self->request.in_kind : self->request.out_kind;
}

/* Who reads sees a stream that is cut where the other has failed, and who writes that nobody reads
 * any more: the other one knows why. */
static gboolean
is_ours (const StasisImageRelay *self, const GError *failure)
{
  if (self->error == NULL || failure == NULL)
    return failure == NULL;
  if (g_error_matches (self->error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return FALSE;
  return self->is_out ? g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE)
                      : !g_error_matches (self->error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
}

/* Wait for this side. */
gboolean
stasis_image_relay_end (StasisImageRelay *self, GError *failure_take, char ***out_lost,
                        GError **error)
{
  g_autoptr (GError) failure = failure_take;
  stasis_fd_clear (&self->fd);
  g_thread_join (self->thread);
  const gboolean ok = failure == NULL && self->error == NULL;
  *out_lost = g_steal_pointer (&self->lost);
  if (!ok)
    g_propagate_error (error, is_ours (self, failure) ? g_steal_pointer (&self->error)
                                                      : g_steal_pointer (&failure));
  g_clear_error (&self->error);
  g_free (self);
  return ok;
}
