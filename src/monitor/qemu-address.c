/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-address.c: where a socket of QEMU is, in QEMU's three spellings
 */

#include "config.h"

#include "monitor/qemu-address.h"

#include <string.h>

/* QEMU's words for each kind. */
static const struct
{
  const char *type;
  const char *name_key;
  const char *scheme;
  gboolean has_port;
} kinds[] = {
  [STASIS_QEMU_ADDRESS_UNIX] = { "unix", "path", "unix", FALSE },
  [STASIS_QEMU_ADDRESS_INET] = { "inet", "host", "tcp", TRUE },
  [STASIS_QEMU_ADDRESS_FD] = { "fd", "str", "fd", FALSE },
  [STASIS_QEMU_ADDRESS_VSOCK] = { "vsock", "cid", "vsock", TRUE },
};

static void
set_place (StasisJson *json, const StasisQemuAddress *address)
{
  stasis_json_set_string (json, kinds[address->type].name_key, address->name);
  if (kinds[address->type].has_port)
    stasis_json_set_string (json, "port", address->port);
}

/* All in one object. */
StasisJson *
stasis_qemu_address_to_json (const StasisQemuAddress *address)
{
  StasisJson *json = stasis_json_new_object ();
  stasis_json_set_string (json, "type", kinds[address->type].type);
  set_place (json, address);
  return json;
}

/* The place in an object of its own. */
StasisJson *
stasis_qemu_address_to_legacy_json (const StasisQemuAddress *address)
{
  StasisJson *data = stasis_json_new_object ();
  set_place (data, address);
  StasisJson *json = stasis_json_new_object ();
  stasis_json_set_string (json, "type", kinds[address->type].type);
  stasis_json_set (json, "data", data);
  return json;
}

/* On one line. */
char *
stasis_qemu_address_to_uri (const StasisQemuAddress *address)
{
  const char *scheme = kinds[address->type].scheme;
  if (!kinds[address->type].has_port)
    return g_strdup_printf ("%s:%s", scheme, address->name);
  if (strchr (address->name, ':') != NULL)
    return g_strdup_printf ("%s:[%s]:%s", scheme, address->name, address->port);
  return g_strdup_printf ("%s:%s:%s", scheme, address->name, address->port);
}

/* What QEMU says. */
StasisQemuAddress *
stasis_qemu_address_from_json (const StasisJson *json)
{
  const char *type = stasis_json_string (stasis_json_get (json, "type"), "");
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      if (!g_str_equal (type, kinds[i].type))
        continue;
      const char *name = stasis_json_string (stasis_json_get (json, kinds[i].name_key), NULL);
      const char *port = stasis_json_string (stasis_json_get (json, "port"), NULL);
      if (name == NULL || (kinds[i].has_port && port == NULL))
        return NULL;
      StasisQemuAddress *address = g_new0 (StasisQemuAddress, 1);
      address->type = (StasisQemuAddressType) i;
      address->name = g_strdup (name);
      address->port = kinds[i].has_port ? g_strdup (port) : NULL;
      return address;
    }
  return NULL;
}

/* NULL is fine. */
void
stasis_qemu_address_free (StasisQemuAddress *address)
{
  if (address == NULL)
    return;
  g_free ((char *) address->name);
  g_free ((char *) address->port);
  g_free (address);
}
