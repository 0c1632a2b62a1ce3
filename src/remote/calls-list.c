/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-list.c: which domains there are
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "driver/driver-private.h"
#include "driver/facts.h"
#include "remote/calls.h"

/* Of libvirt's virConnectListAllDomainsFlags: bits of a group mean "one of these", and a group of
 * which none is set means nothing. */
#define LIST_RUNNING 0x10u
#define LIST_PAUSED  0x20u
#define LIST_SHUTOFF 0x40u
#define LIST_OTHER   0x80u
#define LIST_STATES  (LIST_RUNNING | LIST_PAUSED | LIST_SHUTOFF | LIST_OTHER)
/* We have neither snapshots nor checkpoints in libvirt's sense. */
#define LIST_SNAPSHOT      0x1000u
#define LIST_NO_SNAPSHOT   0x2000u
#define LIST_CHECKPOINT    0x4000u
#define LIST_NO_CHECKPOINT 0x8000u

static const StasisFlagPair list_flags[] = {
  { 0x1, STASIS_LIST_ACTIVE },         { 0x2, STASIS_LIST_INACTIVE },
  { 0x4, STASIS_LIST_PERSISTENT },     { 0x8, STASIS_LIST_TRANSIENT },
  { 0x100, STASIS_LIST_MANAGED_SAVE }, { 0x200, STASIS_LIST_NO_MANAGED_SAVE },
  { 0x400, STASIS_LIST_AUTOSTART },    { 0x800, STASIS_LIST_NO_AUTOSTART },
};

static guint32
state_bit (StasisDriver *driver, const StasisFacts *facts)
{
  StasisDomainState state = facts->state;
  g_autoptr (StasisDomain) domain
      = facts->has_state ? NULL : stasis_domain_new (driver, facts->name, NULL);
  if (domain != NULL && !stasis_domain_get_state (domain, &state, NULL, NULL))
    return LIST_OTHER;
  switch (state)
    {
    case STASIS_DOMAIN_RUNNING:
      return LIST_RUNNING;
    case STASIS_DOMAIN_PAUSED:
      return LIST_PAUSED;
    case STASIS_DOMAIN_SHUTOFF:
      return LIST_SHUTOFF;
    default:
      return LIST_OTHER;
    }
}

/* Whether only what does not exist was asked for. */
static gboolean
wants_nothing (guint32 flags)
{
  const gboolean snapshots = (flags & LIST_SNAPSHOT) != 0 && (flags & LIST_NO_SNAPSHOT) == 0;
  const gboolean checkpoints = (flags & LIST_CHECKPOINT) != 0 && (flags & LIST_NO_CHECKPOINT) == 0;
  return snapshots || checkpoints;
}

/* With their descriptions, or only how many there are. */
gboolean
stasis_call_connect_list_all_domains (StasisCall *call, GError **error)
{
  const guint32 flags = call->args[1].u;
  const guint32 states = flags & LIST_STATES;
  const guint32 ours
      = LIST_STATES | LIST_SNAPSHOT | LIST_NO_SNAPSHOT | LIST_CHECKPOINT | LIST_NO_CHECKPOINT;
  guint32 wanted;
  if (!stasis_call_translate_flags (flags & ~ours, list_flags, G_N_ELEMENTS (list_flags), &wanted,
                                    error))
    return FALSE;
  call->rets[0].items = stasis_wire_domains_new ();
  if (wants_nothing (flags))
    return TRUE;
  g_autoptr (GArray) list = stasis_facts_list (call->driver, wanted, error);
  if (list == NULL)
    return FALSE;

  for (guint i = 0; i < list->len; i++)
    {
      const StasisFacts *facts = &g_array_index (list, StasisFacts, i);
      if (states != 0 && (states & state_bit (call->driver, facts)) == 0)
        continue;
      call->rets[1].u++;
      if (call->args[0].i != 0 && call->rets[0].items->len < STASIS_WIRE_DOMAINS_MAX)
        g_ptr_array_add (call->rets[0].items,
                         stasis_wire_domain_new (facts->name, facts->uuid, facts->id));
    }
  return TRUE;
}

/* Of networks, storage pools, and whatever else we do not manage. */
gboolean
stasis_call_connect_list_nothing (StasisCall *call, GError **error)
{
  return TRUE;
}

/* How many of a kind. */
static gboolean
count (StasisCall *call, StasisListFlags flags, GError **error)
{
  g_autoptr (GArray) list = stasis_facts_list (call->driver, flags, error);
  if (list == NULL)
    return FALSE;
  call->rets[0].i = (gint32) list->len;
  return TRUE;
}

/* Those that run. */
gboolean
stasis_call_connect_num_of_domains (StasisCall *call, GError **error)
{
  return count (call, STASIS_LIST_ACTIVE, error);
}

/* Those that do not. */
gboolean
stasis_call_connect_num_of_defined_domains (StasisCall *call, GError **error)
{
  return count (call, STASIS_LIST_INACTIVE, error);
}

static gboolean
check_max (gint32 max, GError **error)
{
  if (max >= 0 && max <= (gint32) STASIS_WIRE_DOMAINS_MAX)
    return TRUE;
  g_set_error (error, STASIS_REMOTE_ERROR, STASIS_REMOTE_ERROR_PROTOCOL,
               _ ("too many domains asked for: %d"), max);
  return FALSE;
}

/* The ids of those that run. */
gboolean
stasis_call_connect_list_domains (StasisCall *call, GError **error)
{
  const gint32 max = call->args[0].i;
  g_autoptr (GArray) list
      = check_max (max, error) ? stasis_facts_list (call->driver, STASIS_LIST_ACTIVE, error) : NULL;
  if (list == NULL)
    return FALSE;
  call->rets[0].numbers = g_array_new (FALSE, FALSE, sizeof (gint32));
  for (guint i = 0; i < MIN (list->len, (guint) max); i++)
    g_array_append_val (call->rets[0].numbers, g_array_index (list, StasisFacts, i).id);
  return TRUE;
}

/* The names of those that do not. */
gboolean
stasis_call_connect_list_defined_domains (StasisCall *call, GError **error)
{
  const gint32 max = call->args[0].i;
  g_autoptr (GArray) list = check_max (max, error)
                                ? stasis_facts_list (call->driver, STASIS_LIST_INACTIVE, error)
                                : NULL;
  if (list == NULL)
    return FALSE;
  call->rets[0].items = stasis_wire_strings_new ();
  for (guint i = 0; i < MIN (list->len, (guint) max); i++)
    g_ptr_array_add (call->rets[0].items, g_strdup (g_array_index (list, StasisFacts, i).name));
  return TRUE;
}

/* A running one. */
gboolean
stasis_call_domain_lookup_by_id (StasisCall *call, GError **error)
{
  return stasis_call_give (call, stasis_driver_lookup_by_id (call->driver, call->args[0].i, error));
}

/* Running or not. */
gboolean
stasis_call_domain_lookup_by_name (StasisCall *call, GError **error)
{
  return stasis_call_give (call,
                           stasis_driver_lookup_by_name (call->driver, call->args[0].s, error));
}

/* Running or not. */
gboolean
stasis_call_domain_lookup_by_uuid (StasisCall *call, GError **error)
{
  g_autofree char *uuid = stasis_uuid_format (call->args[0].uuid);
  return stasis_call_give (call, stasis_driver_lookup_by_uuid (call->driver, uuid, error));
}
