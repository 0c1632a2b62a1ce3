/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-host.c: what the host is, and can do
 */

#include "config.h"

#include <stdio.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/domain-capabilities.h"
#include "remote/calls.h"
#include "remote/host-sysinfo.h"
#include "remote/node-info.h"

#define MAX_VCPUS 255

/* "10.0.2" as libvirt counts: 10000002. */
static guint64
version_number (const char *text)
{
  unsigned part[3] = { 0 };
  if (sscanf (text, "%u.%u.%u", &part[0], &part[1], &part[2]) < 1)
    return 0;
  return part[0] * G_GUINT64_CONSTANT (1000000) + part[1] * 1000 + part[2];
}

/* QEMU's. */
gboolean
stasis_call_connect_get_version (StasisCall *call, GError **error)
{
  g_autofree char *version = stasis_driver_get_qemu_version (call->driver, error);
  if (version == NULL)
    return FALSE;
  call->rets[0].ul = version_number (version);
  return TRUE;
}

/* Ours. */
gboolean
stasis_call_connect_get_lib_version (StasisCall *call, GError **error)
{
  call->rets[0].ul = version_number (stasis_version ());
  return TRUE;
}

/* The host's. */
gboolean
stasis_call_connect_get_hostname (StasisCall *call, GError **error)
{
  call->rets[0].s = g_strdup (g_get_host_name ());
  return TRUE;
}

/* Of no machine in particular. */
gboolean
stasis_call_connect_get_max_vcpus (StasisCall *call, GError **error)
{
  call->rets[0].i = MAX_VCPUS;
  return TRUE;
}

/* The XML. */
gboolean
stasis_call_connect_get_capabilities (StasisCall *call, GError **error)
{
  call->rets[0].s = stasis_driver_get_capabilities (call->driver, error);
  return call->rets[0].s != NULL;
}

/* What a domain can have. */
gboolean
stasis_call_connect_get_domain_capabilities (StasisCall *call, GError **error)
{
  static const StasisFlagPair none = { 0, 0 };
  guint32 flags;
  if (!stasis_call_translate_flags (call->args[4].u, &none, 0, &flags, error))
    return FALSE;
  const StasisDomainCapabilities wanted = {
    .emulator = call->args[0].s,
    .arch = call->args[1].s,
    .machine = call->args[2].s,
    .type = call->args[3].s,
  };
  if (wanted.emulator != NULL && !stasis_call_check_path (wanted.emulator, error))
    return FALSE;
  call->rets[0].s = stasis_driver_get_domain_capabilities (call->driver, &wanted, error);
  return call->rets[0].s != NULL;
}

/* Of the host's firmware. */
gboolean
stasis_call_connect_get_sysinfo (StasisCall *call, GError **error)
{
  static const StasisFlagPair none = { 0, 0 };
  guint32 flags;
  if (!stasis_call_translate_flags (call->args[0].u, &none, 0, &flags, error))
    return FALSE;
  call->rets[0].s = stasis_host_sysinfo (STASIS_SYSINFO_FOLDER, error);
  return call->rets[0].s != NULL;
}

/* The host's hardware. */
gboolean
stasis_call_node_get_info (StasisCall *call, GError **error)
{
  StasisNodeInfo info;
  stasis_node_info_read (&info);
  call->rets[0].s = g_strdup (info.model);
  call->rets[1].ul = info.memory_kib;
  call->rets[2].i = info.cpus;
  call->rets[3].i = info.mhz;
  call->rets[4].i = info.nodes;
  call->rets[5].i = info.sockets;
  call->rets[6].i = info.cores;
  call->rets[7].i = info.threads;
  return TRUE;
}

/* None: QEMU's user and its sandbox are not called that. */
gboolean
stasis_call_node_get_security_model (StasisCall *call, GError **error)
{
  return TRUE;
}
