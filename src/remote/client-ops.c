/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-ops.c: the operations of a driver that is a connection, and its opening
 *
 * Where libstasis is one library, this folder says by itself that it can open what is elsewhere:
 * the driver, below, knows of no protocol.
 */

#include "config.h"

#include "remote/client-ops.h"

#include <glib/gi18n-lib.h>

#include "remote/client-look.h"

static void
close_connection (gpointer connection)
{
  stasis_client_free (connection);
}

/* A domain of no name or UUID is no domain. */
StasisDomain *
stasis_client_domain (StasisDriver *driver, const StasisWireDomain *wire, GError **error)
{
  g_autofree char *uuid = stasis_uuid_format (wire->uuid);
  if (*wire->name != '\0')
    return stasis_domain_new (driver, wire->name, uuid);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED,
               _ ("'%s' tells of a domain without a name"),
               stasis_client_uri (stasis_client_of_driver (driver)));
  return NULL;
}

StasisClient *
stasis_client_of_driver (StasisDriver *driver)
{
  return stasis_driver_get_connection (driver);
}

StasisClient *
stasis_client_of (StasisDomain *domain)
{
  return stasis_client_of_driver (stasis_domain_get_driver (domain));
}

/* As an argument. */
StasisWireDomain
stasis_client_describe (StasisDomain *domain)
{
  StasisWireDomain wire = { .name = (char *) stasis_domain_get_name (domain), .id = -1 };
  stasis_uuid_parse (stasis_domain_get_uuid (domain), wire.uuid, NULL);
  stasis_client_look_drop (domain);
  return wire;
}

/* The result of a call. */
StasisDomain *
stasis_client_call_for_domain (StasisDriver *driver, guint32 program, const char *name,
                               const StasisWireValue *args, const StasisClientJob *job,
                               GError **error)
{
  StasisWireValue rets[1];
  if (!stasis_client_call_job (stasis_client_of_driver (driver), program, name, args, rets, job,
                               error))
    return NULL;
  StasisDomain *domain = stasis_client_domain (driver, rets[0].domain, error);
  stasis_client_clear (program, name, rets);
  return domain;
}

static gpointer
make_ops (gpointer data)
{
  static StasisDriverOps ops = { .close = close_connection };
  stasis_client_fill_agent (&ops);
  stasis_client_fill_device (&ops);
  stasis_client_fill_domain (&ops);
  stasis_client_fill_driver (&ops);
  stasis_client_fill_guests (&ops);
  stasis_client_fill_image (&ops);
  stasis_client_fill_handover (&ops);
  stasis_client_fill_migrate (&ops);
  stasis_client_fill_migrate_check (&ops);
  stasis_client_fill_migrate_limits (&ops);
  stasis_client_fill_save (&ops);
  return &ops;
}

static gpointer
open_uri (const char *uri, StasisOpenFlags flags, const StasisDriverAsk *ask,
          const StasisDriverOps **out_ops, char **out_uri, GCancellable *cancellable,
          GError **error)
{
  static GOnce once = G_ONCE_INIT;
  StasisClientStream stream = { .fd = -1 };
  StasisClient *client = stasis_client_reach (uri, flags, ask, &stream, cancellable, error)
                             ? stasis_client_open (&stream, uri, cancellable, error)
                             : NULL;
  if (client == NULL)
    return NULL;
  *out_ops = g_once (&once, make_ops, NULL);
  *out_uri = g_strdup (uri);
  return client;
}

/* For a program that is linked with parts of the library. */
void
stasis_client_register (void)
{
  stasis_driver_set_opener (open_uri);
  stasis_migrate_tunnel_set_opener (stasis_client_tunnel);
}

/* When the library is loaded. */
static void __attribute__ ((constructor)) register_opener (void) { stasis_client_register (); }
