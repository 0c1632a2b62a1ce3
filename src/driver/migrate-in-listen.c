/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-in-listen.c: where a migration comes in, and what its source is told of that
 */

#include "config.h"

#include "driver/migrate-in-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "driver/migrate-settle.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-migrate.h"
#include "util/fd.h"

#define LOOPBACK "127.0.0.1"

void
stasis_migrate_place_clear (StasisMigratePlace *place)
{
  g_clear_pointer (&place->bound, stasis_migrate_address_free);
  g_clear_pointer (&place->host, g_free);
}

static gboolean
is_any (const char *host)
{
  return *host == '\0' || g_str_equal (host, "0.0.0.0") || g_str_equal (host, "::");
}

/* TRUE where it leads to this host alone, or nowhere. */
static gboolean
is_for_us_alone (const char *host, GCancellable *cancellable)
{
  g_autoptr (GResolver) resolver = g_resolver_get_default ();
  GList *found = g_resolver_lookup_by_name (resolver, host, cancellable, NULL);
  gboolean is_alone = TRUE;
  for (const GList *one = found; one != NULL; one = one->next)
    is_alone &= g_inet_address_get_is_loopback (one->data);
  g_resolver_free_addresses (found);
  return is_alone;
}

/* As in libvirt the host's own name: that the source cannot find it is said there. */
static char *
own_name (const StasisMigrateIn *in, GError **error)
{
  const char *name = g_get_host_name ();
  if (in->is_same_host && is_for_us_alone (name, in->cancellable))
    return g_strdup (LOOPBACK);
  if (!g_str_has_prefix (name, "localhost"))
    return g_strdup (name);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("the source cannot reach this host by its name, '%s': --migrateuri or "
                  "--listen-address says by which address"),
               name);
  return NULL;
}

static gboolean
find_tcp (const StasisMigrateIn *in, const char *listen_address, const StasisMigrateAddress *uri,
          StasisMigratePlace *place, GError **error)
{
  place->bound->host = listen_address != NULL ? g_strdup (listen_address) : NULL;
  place->bound->port = uri != NULL ? uri->port : 0;
  if (uri != NULL)
    place->host = g_strdup (uri->host);
  else if (listen_address != NULL && !is_any (listen_address))
    place->host = g_strdup (listen_address);
  else if (in->driver->host->migrate_host != NULL)
    place->host = g_strdup (in->driver->host->migrate_host);
  else
    place->host = own_name (in, error);
  return place->host != NULL;
}

/* What was asked for; else any port, under the name by which this host is reached. */
gboolean
stasis_migrate_place_find (const StasisMigrateIn *in, const StasisMigrateRequest *request,
                           StasisMigratePlace *place, GError **error)
{
  const char *text = request != NULL ? request->uri : NULL;
  const char *listen_address = request != NULL ? request->listen_address : NULL;
  g_autoptr (StasisMigrateAddress) uri
      = text != NULL ? stasis_migrate_address_parse (text, error) : NULL;
  if (text != NULL && uri == NULL)
    return FALSE;
  place->bound = g_new0 (StasisMigrateAddress, 1);
  if ((in->flags & STASIS_MIGRATE_TUNNELLED) != 0)
    {
      place->bound->path
          = g_build_filename (in->driver->paths->run, in->driver->migrations->tunnel, NULL);
      return TRUE;
    }
  if (uri == NULL || uri->path == NULL)
    return find_tcp (in, listen_address, uri, place, error);
  if (stasis_migrate_in_is_by_qemu (in))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("several connections come in by TCP only, not at '%s'"), text);
      return FALSE;
    }
  place->bound->path = g_strdup (uri->path);
  return TRUE;
}

char *
stasis_migrate_place_tell (const StasisMigratePlace *place, const StasisMigrateAddress *bound)
{
  const StasisMigrateAddress told
      = { .path = bound->path, .host = place->host, .port = bound->port };
  return stasis_migrate_address_to_string (&told);
}

gboolean
stasis_migrate_in_is_by_qemu (const StasisMigrateIn *in)
{
  return (in->flags & STASIS_MIGRATE_PARALLEL) != 0;
}

static gboolean
listen_port (StasisMigrateIn *in, const char *host, guint port, GError **error)
{
  const gboolean is_v6 = strchr (host, ':') != NULL;
  g_autofree char *uri = g_strdup_printf (is_v6 ? "tcp:[%s]:%u" : "tcp:%s:%u", host, port);
  const StasisMigrationRoute route = { .uri = uri };
  gboolean stays = FALSE;
  return stasis_monitor_migrate_incoming_by (in->monitor, &route, &stays,
                                             stasis_job_cancellable (in->job), error);
}

/* A port that nobody has, or 0: QEMU listens once, and since 9.0 takes no other where that
 * failed. */
static guint
find_port (const char *host, GError **error)
{
  /* QEMU takes both families by this one. */
  const StasisMigrateAddress any = { .host = g_str_equal (host, "::") ? NULL : (char *) host };
  g_autoptr (StasisMigrateAddress) bound = NULL;
  stasis_autofd int fd = stasis_migrate_listen_only (&any, &bound, error);
  return fd >= 0 ? bound->port : 0;
}

/* Somebody may still be faster than QEMU. */
static gboolean
listen_range (StasisMigrateIn *in, const char *host, guint port, guint *out_port, GError **error)
{
  const guint n = STASIS_MIGRATE_PORT_LAST - STASIS_MIGRATE_PORT_FIRST + 1;
  for (guint i = 0; i < (port != 0 ? 1 : n); i++)
    {
      g_autoptr (GError) local = NULL;
      *out_port = port != 0 ? port : find_port (host, error);
      if (*out_port == 0)
        return FALSE;
      if (listen_port (in, host, *out_port, &local))
        return TRUE;
      if (port == 0 && strstr (local->message, "in use") != NULL)
        continue;
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE,
               _ ("all ports from %1$u to %2$u are taken"), STASIS_MIGRATE_PORT_FIRST,
               STASIS_MIGRATE_PORT_LAST);
  return FALSE;
}

gboolean
stasis_migrate_in_listen_by_qemu (StasisMigrateIn *in, const StasisMigrateAddress *address,
                                  StasisMigrateAddress **out_bound, GError **error)
{
  const char *host = address->host;
  guint port = 0;
  /* The first of these takes both families, where there are both. */
  const gboolean ok = host != NULL
                          ? listen_range (in, host, address->port, &port, error)
                          : listen_range (in, "::", address->port, &port, NULL)
                                || listen_range (in, "0.0.0.0", address->port, &port, error);
  if (!ok)
    return FALSE;
  g_atomic_int_set (&in->has_data, TRUE);
  *out_bound = g_new0 (StasisMigrateAddress, 1);
  (*out_bound)->host = g_strdup (host);
  (*out_bound)->port = (guint16) port;
  return TRUE;
}

static gboolean
hand_over (StasisMigrateIn *in, int fd, GError **error)
{
  if (in->is_again)
    return stasis_migrate_in_hand_over_again (in, fd, error);
  const StasisMigrationRoute route = { .uri = "fd:" STASIS_MIGRATE_FD_NAME };
  gboolean stays = FALSE;
  return stasis_monitor_getfd (in->monitor, STASIS_MIGRATE_FD_NAME, fd, NULL, error)
         && stasis_monitor_migrate_incoming_by (in->monitor, &route, &stays, NULL, error);
}

/* There is one only: QEMU cannot begin anew. */
gboolean
stasis_migrate_in_claim_data (StasisMigrateIn *in)
{
  return g_atomic_int_compare_and_exchange (&in->has_data, FALSE, TRUE);
}

void
stasis_migrate_in_take_data (StasisMigrateIn *in, int fd)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&in->work);
  g_autoptr (GError) error = NULL;
  if (in->is_over || in->monitor == NULL)
    return;
  if (!hand_over (in, fd, &error))
    stasis_migrate_in_clear_away (in, error);
}
