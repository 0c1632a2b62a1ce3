/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-save.c: starting, saving and restoring domains on a server
 *
 * A libvirtd does what libvirt's calls can ask for; what goes beyond that is refused before
 * anything is sent to it, for nobody wants a plain save who asked for a checkpoint.
 */

#include "config.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "remote/client-ops.h"
#include "remote/client-pipe.h"

#define REMOTE STASIS_PROGRAM_REMOTE
#define OWN    STASIS_PROGRAM_OWN

#define SAVE_COMMON (STASIS_SAVE_BYPASS_CACHE | STASIS_SAVE_RUNNING | STASIS_SAVE_PAUSED)
#define RESTORE_COMMON \
  (STASIS_RESTORE_BYPASS_CACHE | STASIS_RESTORE_RUNNING | STASIS_RESTORE_PAUSED)

/* Where a libvirtd of the system keeps managed save images; it has no call that says so. */
#define OTHERS_MANAGED_SAVES "/var/lib/libvirt/qemu/save"

/* The first bits of both are libvirt's. */
G_STATIC_ASSERT (SAVE_COMMON == 0x7 && RESTORE_COMMON == 0x7);

static StasisClientJob
make_job (StasisProgressFunc progress, gpointer user_data, GCancellable *cancellable,
          const StasisWireDomain *domain)
{
  return (StasisClientJob){
    .progress = progress,
    .user_data = user_data,
    .cancellable = cancellable,
    .domain = domain,
  };
}

/* A long call with the domain and flags; of others by another name and with their flags. */
static gboolean
call_job (StasisDomain *self, guint32 program, const char *name, guint32 flags,
          StasisProgressFunc progress, gpointer user_data, GCancellable *cancellable,
          GError **error)
{
  StasisWireDomain domain = stasis_client_describe (self);
  const StasisClientJob job = make_job (progress, user_data, cancellable, &domain);
  const StasisWireValue args[] = { { .domain = &domain }, { .u = flags } };
  StasisWireValue rets[1] = { { 0 } };
  if (!stasis_client_call_job (stasis_client_of (self), program, name, args, rets, &job, error))
    return FALSE;
  stasis_client_clear (program, name, rets);
  return TRUE;
}

static gboolean
start (StasisDomain *self, StasisStartFlags flags, StasisProgressFunc progress, gpointer user_data,
       GCancellable *cancellable, GError **error)
{
  const guint32 theirs = ((flags & STASIS_START_PAUSED) != 0 ? 0x1u : 0)
                         | ((flags & STASIS_START_FORCE_BOOT) != 0 ? 0x8u : 0);
  if (stasis_client_is_own (stasis_client_of (self)))
    return call_job (self, OWN, "domain-start", flags, progress, user_data, cancellable, error);
  return call_job (self, REMOTE, "domain-create-with-flags", theirs, progress, user_data,
                   cancellable, error);
}

/* Into a descriptor here. */
static gboolean
save_here (StasisDomain *self, const StasisSaveRequest *request, const StasisClientJob *job,
           GError **error)
{
  StasisClient *client = stasis_client_of (self);
  const StasisWireValue args[] = {
    { .domain = (StasisWireDomain *) job->domain },
    { .s = (char *) (request->fd_name != NULL ? request->fd_name : _ ("a descriptor")) },
    { .s = (char *) request->format },
    { .s = (char *) request->compress },
    { .s = (char *) request->xml },
    { .u = request->flags },
  };
  return stasis_client_need_own (client, _ ("an image through a pipe"), error)
         && stasis_client_pipe_out (client, "domain-save-pipe", args, request->fd, request->fd_name,
                                    job, error);
}

static gboolean
save_by_others (StasisDomain *self, const StasisSaveRequest *request, const StasisClientJob *job,
                GError **error)
{
  StasisClient *client = stasis_client_of (self);
  const gboolean is_plain = (request->flags & ~(guint) SAVE_COMMON) == 0 && request->base == NULL
                            && request->compress == NULL
                            && (request->format == NULL || g_str_equal (request->format, "stasis"));
  const StasisWireValue args[] = {
    { .domain = (StasisWireDomain *) job->domain },
    { .s = (char *) request->path },
    { .s = (char *) request->xml },
    { .u = request->flags },
  };
  return (is_plain || stasis_client_need_own (client, _ ("this kind of save"), error))
         && stasis_client_call_job (client, REMOTE, "domain-save-flags", args, NULL, job, error);
}

static gboolean
save_as (StasisDomain *self, const StasisSaveRequest *request, StasisProgressFunc progress,
         gpointer user_data, GCancellable *cancellable, GError **error)
{
  StasisClient *client = stasis_client_of (self);
  StasisWireDomain domain = stasis_client_describe (self);
  const StasisClientJob job = make_job (progress, user_data, cancellable, &domain);
  if (request->path == NULL)
    return save_here (self, request, &job, error);
  if (!stasis_client_is_own (client))
    return save_by_others (self, request, &job, error);
  const StasisWireValue args[] = {
    { .domain = &domain },
    { .s = (char *) request->path },
    { .s = (char *) request->format },
    { .s = (char *) request->compress },
    { .s = (char *) request->xml },
    { .u = request->flags },
    { .s = (char *) request->base },
  };
  return stasis_client_call_job (client, OWN, "domain-save", args, NULL, &job, error);
}

static gboolean
managed_save (StasisDomain *self, StasisSaveFlags flags, StasisProgressFunc progress,
              gpointer user_data, GCancellable *cancellable, GError **error)
{
  StasisClient *client = stasis_client_of (self);
  if (stasis_client_is_own (client))
    return call_job (self, OWN, "domain-managed-save", flags, progress, user_data, cancellable,
                     error);
  return ((flags & ~(guint) SAVE_COMMON) == 0
          || stasis_client_need_own (client, _ ("this kind of save"), error))
         && call_job (self, REMOTE, "domain-managed-save", flags, progress, user_data, cancellable,
                      error);
}

static gboolean
managed_save_remove (StasisDomain *self, GError **error)
{
  StasisWireDomain domain = stasis_client_describe (self);
  const StasisWireValue args[] = { { .domain = &domain }, { .u = 0 } };
  return stasis_client_call (stasis_client_of (self), REMOTE, "domain-managed-save-remove", args,
                             NULL, error);
}

static char *
get_managed_save_path (StasisDomain *self)
{
  StasisClient *client = stasis_client_of (self);
  StasisWireDomain domain = stasis_client_describe (self);
  const StasisWireValue args[] = { { .domain = &domain }, { .u = 0 } };
  StasisWireValue rets[1] = { { 0 } };
  if (stasis_client_is_own (client))
    return stasis_client_call (client, OWN, "domain-get-managed-save-path", args, rets, NULL)
               ? rets[0].s
               : NULL;
  if (!stasis_client_call (client, REMOTE, "domain-has-managed-save-image", args, rets, NULL)
      || rets[0].i == 0)
    return NULL;
  return g_strdup_printf ("%s/%s.save", OTHERS_MANAGED_SAVES, stasis_domain_get_name (self));
}

static gboolean
detach_image (StasisDomain *self, StasisDetachFlags flags, StasisProgressFunc progress,
              gpointer user_data, GCancellable *cancellable, GError **error)
{
  return stasis_client_need_own (stasis_client_of (self), _ ("detaching an image"), error)
         && call_job (self, OWN, "domain-detach-image", flags, progress, user_data, cancellable,
                      error);
}

static gboolean
untrack (StasisDomain *self, GError **error)
{
  StasisClient *client = stasis_client_of (self);
  StasisWireDomain domain = stasis_client_describe (self);
  const StasisWireValue args[] = { { .domain = &domain } };
  return stasis_client_need_own (client, _ ("tracking"), error)
         && stasis_client_call (client, OWN, "domain-untrack", args, NULL, error);
}

/* The domain in an image; it is asked before, for the call that restores does not say. */
static StasisDomain *
find_restored (StasisDriver *self, const char *xml, GError **error)
{
  const char *begin = strstr (xml, "<uuid>");
  g_autofree char *uuid = begin != NULL ? g_strndup (begin + strlen ("<uuid>"), 36) : NULL;
  return stasis_driver_lookup_by_uuid (self, uuid != NULL ? uuid : "", error);
}

static StasisDomain *
restore_by_others (StasisDriver *self, const char *path, const char *xml, StasisRestoreFlags flags,
                   const StasisClientJob *job, GError **error)
{
  StasisClient *client = stasis_client_of_driver (self);
  const StasisWireValue args[] = { { .s = (char *) path }, { .s = (char *) xml }, { .u = flags } };
  const gboolean is_plain = (flags & ~(guint) RESTORE_COMMON) == 0;
  g_autofree char *stored = NULL;
  if (!is_plain && !stasis_client_need_own (client, _ ("this kind of restore"), error))
    return NULL;
  stored = stasis_driver_get_image_xml (self, path, STASIS_XML_NONE, error);
  if (stored == NULL
      || !stasis_client_call_job (client, REMOTE, "domain-restore-flags", args, NULL, job, error))
    return NULL;
  return find_restored (self, xml != NULL ? xml : stored, error);
}

static StasisDomain *
restore (StasisDriver *self, const char *path, const char *xml, StasisRestoreFlags flags,
         StasisProgressFunc progress, gpointer user_data, GCancellable *cancellable, GError **error)
{
  const StasisClientJob job = make_job (progress, user_data, cancellable, NULL);
  const StasisWireValue args[] = { { .s = (char *) path }, { .s = (char *) xml }, { .u = flags } };
  if (stasis_client_is_own (stasis_client_of_driver (self)))
    return stasis_client_call_for_domain (self, OWN, "restore", args, &job, error);
  return restore_by_others (self, path, xml, flags, &job, error);
}

/* From a descriptor here. */
static StasisDomain *
restore_fd (StasisDriver *self, int fd, const char *name, const char *xml, StasisRestoreFlags flags,
            StasisProgressFunc progress, gpointer user_data, GCancellable *cancellable,
            GError **error)
{
  StasisClient *client = stasis_client_of_driver (self);
  const StasisClientJob job = make_job (progress, user_data, cancellable, NULL);
  const StasisWireValue args[] = { { .s = (char *) name }, { .s = (char *) xml }, { .u = flags } };
  StasisWireValue rets[1];
  if (!stasis_client_need_own (client, _ ("an image through a pipe"), error)
      || !stasis_client_pipe_in (client, "restore-pipe", args, rets, fd, &job, error))
    return NULL;
  StasisDomain *domain = stasis_client_domain (self, rets[0].domain, error);
  stasis_client_clear (OWN, "restore-pipe", rets);
  return domain;
}

/* Starting, saving and restoring. */
void
stasis_client_fill_save (StasisDriverOps *ops)
{
  ops->start = start;
  ops->save_as = save_as;
  ops->managed_save = managed_save;
  ops->managed_save_remove = managed_save_remove;
  ops->get_managed_save_path = get_managed_save_path;
  ops->detach_image = detach_image;
  ops->untrack = untrack;
  ops->restore = restore;
  ops->restore_fd = restore_fd;
}
