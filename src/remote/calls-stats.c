/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-stats.c: statistics of many domains at once
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "driver/device-stats.h"
#include "remote/calls.h"
#include "remote/state-reason.h"

/* libvirt's virDomainStatsTypes, and what else may stand among the flags. */
#define STATS_STATE   0x1u
#define STATS_CPU     0x2u
#define STATS_BALLOON 0x4u
#define STATS_VCPU    0x8u
#define STATS_NET     0x10u
#define STATS_BLOCK   0x20u
#define STATS_ENFORCE 0x80000000u /* an error where a group is not known */
#define STATS_NOWAIT  0x20000000u
#define STATS_BACKING 0x40000000u

static const StasisFlagPair list_flags[] = {
  { 0x1, STASIS_LIST_ACTIVE },    { 0x2, STASIS_LIST_INACTIVE }, { 0x4, STASIS_LIST_PERSISTENT },
  { 0x8, STASIS_LIST_TRANSIENT }, { STATS_ENFORCE, 0 },          { STATS_NOWAIT, 0 },
  { STATS_BACKING, 0 },
};

/* "net.0.rx.bytes" */
static void
add_number (GPtrArray *params, const char *group, guint index, const char *name, guint64 value)
{
  g_autofree char *full = g_strdup_printf ("%s.%u.%s", group, index, name);
  stasis_wire_params_add_ullong (params, full, value);
}

static void
add_text (GPtrArray *params, const char *group, guint index, const char *name, const char *value)
{
  g_autofree char *full = g_strdup_printf ("%s.%u.%s", group, index, name);
  if (value != NULL)
    stasis_wire_params_add_string (params, full, value);
}

/* Of one that does not run nothing is known. */
static void
add_interfaces (GPtrArray *params, StasisDomain *domain)
{
  g_autoptr (GPtrArray) interfaces = stasis_domain_interface_stats (domain, NULL);
  if (interfaces == NULL)
    return;
  stasis_wire_params_add_uint (params, "net.count", interfaces->len);
  for (guint i = 0; i < interfaces->len; i++)
    {
      const StasisInterfaceStats *one = g_ptr_array_index (interfaces, i);
      add_text (params, "net", i, "name", one->target);
      add_number (params, "net", i, "rx.bytes", one->rx_octets);
      add_number (params, "net", i, "rx.pkts", one->rx_packets);
      add_number (params, "net", i, "rx.errs", one->rx_errors);
      add_number (params, "net", i, "rx.drop", one->rx_drops);
      add_number (params, "net", i, "tx.bytes", one->tx_octets);
      add_number (params, "net", i, "tx.pkts", one->tx_packets);
      add_number (params, "net", i, "tx.errs", one->tx_errors);
      add_number (params, "net", i, "tx.drop", one->tx_drops);
    }
}

static void
add_disks (GPtrArray *params, StasisDomain *domain, gboolean is_running)
{
  g_autoptr (GPtrArray) disks = stasis_domain_disk_stats (domain, NULL);
  if (disks == NULL)
    return;
  stasis_wire_params_add_uint (params, "block.count", disks->len);
  for (guint i = 0; i < disks->len; i++)
    {
      const StasisDiskStats *disk = g_ptr_array_index (disks, i);
      add_text (params, "block", i, "name", disk->target);
      add_text (params, "block", i, "path", disk->source);
      if (is_running)
        {
          add_number (params, "block", i, "rd.reqs", disk->read_requests);
          add_number (params, "block", i, "rd.bytes", disk->read_octets);
          add_number (params, "block", i, "rd.times", disk->read_ns);
          add_number (params, "block", i, "wr.reqs", disk->write_requests);
          add_number (params, "block", i, "wr.bytes", disk->write_octets);
          add_number (params, "block", i, "wr.times", disk->write_ns);
          add_number (params, "block", i, "fl.reqs", disk->flush_requests);
          add_number (params, "block", i, "fl.times", disk->flush_ns);
        }
      add_number (params, "block", i, "allocation", disk->allocation);
      add_number (params, "block", i, "capacity", disk->capacity);
      add_number (params, "block", i, "physical", disk->physical);
    }
}

/* One that went away since it was listed is left out. */
static GPtrArray *
gather (StasisDomain *domain, guint32 groups)
{
  StasisDomainState state = STASIS_DOMAIN_NOSTATE;
  const char *reason = NULL;
  StasisDomainInfo info;
  if (!stasis_domain_get_state (domain, &state, &reason, NULL)
      || !stasis_domain_get_info (domain, &info, NULL))
    return NULL;
  GPtrArray *params = stasis_wire_params_new ();
  if ((groups & STATS_STATE) != 0)
    {
      stasis_wire_params_add_int (params, "state.state", (gint32) state);
      stasis_wire_params_add_int (params, "state.reason",
                                  stasis_state_reason_number (state, reason));
    }
  if ((groups & STATS_CPU) != 0 && info.pid != 0)
    stasis_wire_params_add_ullong (params, "cpu.time", info.cpu_time_ns);
  if ((groups & STATS_BALLOON) != 0)
    {
      stasis_wire_params_add_ullong (params, "balloon.current", info.memory_kib);
      stasis_wire_params_add_ullong (params, "balloon.maximum", info.max_memory_kib);
    }
  if ((groups & STATS_VCPU) != 0)
    {
      stasis_wire_params_add_uint (params, "vcpu.current", info.vcpus);
      stasis_wire_params_add_uint (params, "vcpu.maximum", info.vcpus);
    }
  if ((groups & STATS_NET) != 0)
    add_interfaces (params, domain);
  if ((groups & STATS_BLOCK) != 0)
    add_disks (params, domain, info.pid != 0);
  return params;
}

/* (transfer full): those that are named, or all that the flags choose. */
static GPtrArray *
choose (StasisCall *call, guint32 flags, GError **error)
{
  const GPtrArray *named = call->args[0].items;
  if (named->len == 0)
    return stasis_driver_list (call->driver, flags, error);
  GPtrArray *domains = g_ptr_array_new_with_free_func (g_object_unref);
  /* Names of one domain twice would be answered twice: a short call with a very long answer. */
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < named->len; i++)
    {
      const StasisWireDomain *wire = g_ptr_array_index (named, i);
      char *uuid = stasis_uuid_format (wire->uuid);
      const gboolean is_new = g_hash_table_add (seen, uuid);
      StasisDomain *domain
          = is_new ? stasis_driver_lookup_by_uuid (call->driver, uuid, NULL) : NULL;
      if (domain != NULL)
        g_ptr_array_add (domains, domain);
    }
  return domains;
}

/* By libvirt's names. */
gboolean
stasis_call_connect_get_all_domain_stats (StasisCall *call, GError **error)
{
  const guint32 known
      = STATS_STATE | STATS_CPU | STATS_BALLOON | STATS_VCPU | STATS_NET | STATS_BLOCK;
  const guint32 wanted = call->args[1].u != 0 ? call->args[1].u : known;
  guint32 flags;
  if ((call->args[2].u & STATS_ENFORCE) != 0 && (wanted & ~known) != 0)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("Stats types bits 0x%x are not supported by this daemon"), wanted & ~known);
      return FALSE;
    }
  if (!stasis_call_translate_flags (call->args[2].u, list_flags, G_N_ELEMENTS (list_flags), &flags,
                                    error))
    return FALSE;
  g_autoptr (GPtrArray) domains = choose (call, flags, error);
  if (domains == NULL)
    return FALSE;
  call->rets[0].items = stasis_wire_records_new ();
  for (guint i = 0; i < domains->len; i++)
    {
      StasisDomain *domain = g_ptr_array_index (domains, i);
      GPtrArray *params = gather (domain, wanted);
      if (params != NULL)
        g_ptr_array_add (call->rets[0].items,
                         stasis_wire_record_new (stasis_call_describe (domain), params));
    }
  return TRUE;
}
