/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-usage.c: what a domain's disks, interfaces, memory and processors have done
 */

#include "config.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "driver/device-stats.h"
#include "driver/vcpu-stats.h"
#include "remote/calls.h"

#define VCPU_RUNNING 1
#define VCPUS_MAX    16384
#define MAP_MAX      4096

/* Of libvirt's virDomainModificationImpact. */
#define PIN_LIVE   0x1u
#define PIN_CONFIG 0x2u

static gboolean
check_no_flags (guint32 flags, GError **error)
{
  const StasisFlagPair none = { 0, 0 };
  guint32 ours;
  return stasis_call_translate_flags (flags, &none, 0, &ours, error);
}

/* (transfer full): the domain that the first argument names runs. */
static StasisDomain *
need_running (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (domain == NULL || stasis_domain_get_id (domain) >= 0)
    return g_steal_pointer (&domain);
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                       _ ("Requested operation is not valid: domain is not running"));
  return NULL;
}

static void
add (StasisDiskStats *sum, const StasisDiskStats *disk)
{
  sum->read_requests += disk->read_requests;
  sum->read_octets += disk->read_octets;
  sum->read_ns += disk->read_ns;
  sum->write_requests += disk->write_requests;
  sum->write_octets += disk->write_octets;
  sum->write_ns += disk->write_ns;
  sum->flush_requests += disk->flush_requests;
  sum->flush_ns += disk->flush_ns;
  sum->errors += disk->errors;
}

/* By its target or its path; no name at all: the sum. */
static gboolean
find_disk (StasisDomain *domain, const char *name, StasisDiskStats *out_disk, GError **error)
{
  g_autoptr (GPtrArray) disks = stasis_domain_disk_stats (domain, error);
  if (disks == NULL)
    return FALSE;
  StasisDiskStats found = { 0 };
  gboolean is_found = *name == '\0';
  for (guint i = 0; i < disks->len; i++)
    {
      const StasisDiskStats *disk = g_ptr_array_index (disks, i);
      const gboolean is_it
          = g_strcmp0 (disk->target, name) == 0 || g_strcmp0 (disk->source, name) == 0;
      if (*name == '\0')
        add (&found, disk);
      else if (is_it && !is_found)
        found = *disk;
      is_found |= is_it;
    }
  if (!is_found)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("invalid path: %s is not a disk of the domain"), name);
      return FALSE;
    }
  found.target = found.source = NULL; /* gone with the list */
  *out_disk = found;
  return TRUE;
}

/* Sizes, of one that does not run, too. */
gboolean
stasis_call_domain_get_block_info (StasisCall *call, GError **error)
{
  StasisDiskStats disk;
  if (!check_no_flags (call->args[2].u, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (domain == NULL || !find_disk (domain, call->args[1].s, &disk, error))
    return FALSE;
  call->rets[0].ul = disk.allocation;
  call->rets[1].ul = disk.capacity;
  call->rets[2].ul = disk.physical;
  return TRUE;
}

/* Requests and octets; errors are not counted by QEMU as libvirt means it. */
gboolean
stasis_call_domain_block_stats (StasisCall *call, GError **error)
{
  StasisDiskStats disk;
  g_autoptr (StasisDomain) domain = need_running (call, error);
  if (domain == NULL || !find_disk (domain, call->args[1].s, &disk, error))
    return FALSE;
  call->rets[0].ul = disk.read_requests;
  call->rets[1].ul = disk.read_octets;
  call->rets[2].ul = disk.write_requests;
  call->rets[3].ul = disk.write_octets;
  call->rets[4].l = -1;
  return TRUE;
}

static void
add_llong (GPtrArray *params, const char *name, guint64 value)
{
  stasis_wire_params_add_ullong (params, name, value);
  StasisWireParam *param = g_ptr_array_index (params, params->len - 1);
  param->type = STASIS_WIRE_LLONG;
}

/* The same by names, and with times. */
gboolean
stasis_call_domain_block_stats_flags (StasisCall *call, GError **error)
{
  StasisDiskStats disk;
  const StasisFlagPair string_okay = { 0x4, 0 };
  guint32 flags;
  if (!stasis_call_translate_flags (call->args[3].u, &string_okay, 1, &flags, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = need_running (call, error);
  if (domain == NULL || !find_disk (domain, call->args[1].s, &disk, error))
    return FALSE;
  g_autoptr (GPtrArray) params = stasis_wire_params_new ();
  add_llong (params, "wr_bytes", disk.write_octets);
  add_llong (params, "wr_operations", disk.write_requests);
  add_llong (params, "rd_bytes", disk.read_octets);
  add_llong (params, "rd_operations", disk.read_requests);
  add_llong (params, "flush_operations", disk.flush_requests);
  add_llong (params, "wr_total_times", disk.write_ns);
  add_llong (params, "rd_total_times", disk.read_ns);
  add_llong (params, "flush_total_times", disk.flush_ns);
  call->rets[1].i = (gint32) params->len;
  if (call->args[2].i > 0)
    {
      g_ptr_array_set_size (params, MIN ((gint) params->len, call->args[2].i));
      call->rets[0].items = g_steal_pointer (&params);
    }
  return TRUE;
}

/* Of the host's device. */
gboolean
stasis_call_domain_interface_stats (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = need_running (call, error);
  g_autoptr (GPtrArray) interfaces
      = domain != NULL ? stasis_domain_interface_stats (domain, error) : NULL;
  if (interfaces == NULL)
    return FALSE;
  for (guint i = 0; i < interfaces->len; i++)
    {
      const StasisInterfaceStats *one = g_ptr_array_index (interfaces, i);
      if (!g_str_equal (one->target, call->args[1].s))
        continue;
      const guint64 numbers[] = { one->rx_octets, one->rx_packets, one->rx_errors, one->rx_drops,
                                  one->tx_octets, one->tx_packets, one->tx_errors, one->tx_drops };
      for (gsize j = 0; j < G_N_ELEMENTS (numbers); j++)
        call->rets[j].ul = numbers[j];
      return TRUE;
    }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("invalid path, '%s' is not a known interface"), call->args[1].s);
  return FALSE;
}

/* What is known of it. */
gboolean
stasis_call_domain_memory_stats (StasisCall *call, GError **error)
{
  StasisMemoryStats stats;
  if (!check_no_flags (call->args[2].u, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = need_running (call, error);
  if (domain == NULL || !stasis_domain_memory_stats (domain, &stats, error))
    return FALSE;
  call->rets[0].rows = stasis_wire_rows_new ();
  for (gint32 tag = 0; tag < STASIS_MEMORY_TAGS; tag++)
    if (stats.is_known[tag] && call->rets[0].rows->len < call->args[1].u)
      stasis_wire_rows_add (call->rets[0].rows, tag, stats.value[tag]);
  return TRUE;
}

static gboolean
check_maps (gint32 count, gint32 length, GError **error)
{
  if (count >= 0 && count <= VCPUS_MAX && length >= 0 && length <= MAP_MAX
      && (gint64) count * length <= (gint64) STASIS_WIRE_STRING_MAX)
    return TRUE;
  g_set_error (error, STASIS_REMOTE_ERROR, STASIS_REMOTE_ERROR_PROTOCOL,
               _ ("too much asked for: %1$d processors, %2$d octets each"), count, length);
  return FALSE;
}

/* As many octets as the client has room for. */
static void
append_map (GByteArray *maps, GBytes *map, gsize length)
{
  gsize known;
  const guint8 *octets = g_bytes_get_data (map, &known);
  const guint before = maps->len;
  g_byte_array_set_size (maps, before + (guint) length);
  memset (maps->data + before, 0, length);
  memcpy (maps->data + before, octets, MIN (known, length));
}

/* Where they run, and how long they have. */
gboolean
stasis_call_domain_get_vcpus (StasisCall *call, GError **error)
{
  const gint32 length = call->args[2].i;
  if (!check_maps (call->args[1].i, length, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = need_running (call, error);
  g_autoptr (GPtrArray) vcpus = domain != NULL ? stasis_domain_vcpu_stats (domain, error) : NULL;
  if (vcpus == NULL)
    return FALSE;
  GByteArray *maps = g_byte_array_new ();
  call->rets[0].rows = stasis_wire_rows_new ();
  for (guint i = 0; i < MIN (vcpus->len, (guint) call->args[1].i); i++)
    {
      const StasisVcpuStats *vcpu = g_ptr_array_index (vcpus, i);
      const StasisWireRow row = {
        .number = (gint32) vcpu->number,
        .state = VCPU_RUNNING,
        .value = vcpu->time_ns,
        .cpu = vcpu->cpu,
      };
      g_array_append_val (call->rets[0].rows, row);
      append_map (maps, vcpu->cpus, (gsize) length);
    }
  call->rets[1].bytes = g_byte_array_free_to_bytes (maps);
  return TRUE;
}

/* (transfer full): the processors that one may run on. */
static GBytes *
get_map (const GPtrArray *vcpus, guint index)
{
  const StasisVcpuStats *vcpu
      = vcpus != NULL && index < vcpus->len ? g_ptr_array_index (vcpus, index) : NULL;
  return vcpu != NULL ? g_bytes_ref (vcpu->cpus) : stasis_vcpu_any_cpu ();
}

static const StasisFlagPair affect[] = { { 0x1, PIN_LIVE }, { 0x2, PIN_CONFIG } };

/* Nothing binds those of a guest that does not run. */
gboolean
stasis_call_domain_get_vcpu_pin_info (StasisCall *call, GError **error)
{
  const gint32 length = call->args[2].i;
  guint32 flags;
  StasisDomainInfo info;
  if (!check_maps (call->args[1].i, length, error)
      || !stasis_call_translate_flags (call->args[3].u, affect, G_N_ELEMENTS (affect), &flags,
                                       error))
    return FALSE;
  g_autoptr (StasisDomain) domain
      = flags == PIN_LIVE ? need_running (call, error) : stasis_call_domain (call, 0, error);
  if (domain == NULL || !stasis_domain_get_info (domain, &info, error))
    return FALSE;
  const gboolean is_live = flags != PIN_CONFIG && info.pid != 0;
  g_autoptr (GPtrArray) vcpus = is_live ? stasis_domain_vcpu_stats (domain, error) : NULL;
  if (is_live && vcpus == NULL)
    return FALSE;
  GByteArray *maps = g_byte_array_new ();
  call->rets[1].i = (gint32) MIN (info.vcpus, (guint) call->args[1].i);
  for (gint32 i = 0; i < call->rets[1].i; i++)
    {
      g_autoptr (GBytes) map = get_map (vcpus, (guint) i);
      append_map (maps, map, (gsize) length);
    }
  call->rets[0].bytes = g_byte_array_free_to_bytes (maps);
  return TRUE;
}

/* Of QEMU itself; nothing binds one that does not run. */
gboolean
stasis_call_domain_get_emulator_pin_info (StasisCall *call, GError **error)
{
  const gint32 length = call->args[1].i;
  guint32 flags;
  StasisDomainInfo info;
  if (!check_maps (1, length, error)
      || !stasis_call_translate_flags (call->args[2].u, affect, G_N_ELEMENTS (affect), &flags,
                                       error))
    return FALSE;
  g_autoptr (StasisDomain) domain
      = flags == PIN_LIVE ? need_running (call, error) : stasis_call_domain (call, 0, error);
  if (domain == NULL || !stasis_domain_get_info (domain, &info, error))
    return FALSE;
  g_autoptr (GBytes) map = flags != PIN_CONFIG && info.pid != 0 ? stasis_vcpu_affinity (info.pid)
                                                                : stasis_vcpu_any_cpu ();
  GByteArray *maps = g_byte_array_new ();
  append_map (maps, map, (gsize) length);
  call->rets[0].bytes = g_byte_array_free_to_bytes (maps);
  call->rets[1].i = 1;
  return TRUE;
}
