/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-info.c: what a domain is, and how it is
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "remote/calls.h"
#include "remote/session.h"
#include "remote/state-reason.h"
#include "util/xml-peek.h"

static const StasisFlagPair xml_flags[] = {
  { 0x1, STASIS_XML_SECURE },
  { 0x2, STASIS_XML_INACTIVE },
  { 0x4, STASIS_XML_NONE }, /* the processor as the host would give it: ours says so already */
  { 0x8, STASIS_XML_MIGRATABLE },
};

/* libvirt's virDomainInfo. */
gboolean
stasis_call_domain_get_info (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  StasisDomainState state = STASIS_DOMAIN_NOSTATE;
  StasisDomainInfo info;
  if (domain == NULL || !stasis_domain_get_state (domain, &state, NULL, error)
      || !stasis_domain_get_info (domain, &info, error))
    return FALSE;
  call->rets[0].i = (gint32) state;
  call->rets[1].ul = info.max_memory_kib;
  call->rets[2].ul = info.memory_kib;
  call->rets[3].u = info.vcpus;
  call->rets[4].ul = info.cpu_time_ns;
  return TRUE;
}

/* With its reason. */
gboolean
stasis_call_domain_get_state (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  StasisDomainState state = STASIS_DOMAIN_NOSTATE;
  const char *reason = NULL;
  if (domain == NULL || !stasis_domain_get_state (domain, &state, &reason, error))
    return FALSE;
  call->rets[0].i = (gint32) state;
  call->rets[1].i = stasis_state_reason_number (state, reason);
  return TRUE;
}

/* Of the running one, or that which it is started with. */
gboolean
stasis_call_domain_get_xml_desc (StasisCall *call, GError **error)
{
  guint32 flags;
  if (!stasis_call_translate_flags (call->args[1].u, xml_flags, G_N_ELEMENTS (xml_flags), &flags,
                                    error)
      || !stasis_session_check_xml (call->session, flags, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  call->rets[0].s = domain != NULL ? stasis_domain_get_xml (domain, flags, error) : NULL;
  return call->rets[0].s != NULL;
}

/* "hvm". */
gboolean
stasis_call_domain_get_os_type (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  g_autofree char *xml
      = domain != NULL ? stasis_domain_get_xml (domain, STASIS_XML_NONE, error) : NULL;
  if (xml == NULL)
    return FALSE;
  char *type = stasis_xml_peek (xml, "domain/os/type");
  call->rets[0].s = type != NULL ? type : g_strdup ("hvm");
  return TRUE;
}

/* Whether it starts with the host. */
gboolean
stasis_call_domain_get_autostart (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  gboolean is_on = FALSE;
  if (domain == NULL || !stasis_domain_get_autostart (domain, &is_on, error))
    return FALSE;
  call->rets[0].i = is_on ? 1 : 0;
  return TRUE;
}

/* At the next boot only. */
gboolean
stasis_call_domain_get_autostart_once (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  gboolean is_on = FALSE;
  if (domain == NULL || !stasis_domain_get_autostart_once (domain, &is_on, error))
    return FALSE;
  call->rets[0].i = is_on ? 1 : 0;
  return TRUE;
}

/* There is none, as the model says. */
gboolean
stasis_call_domain_get_security_label (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL;
}

/* What people should know of it: nothing that libvirt has words for. */
gboolean
stasis_call_domain_get_messages (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL;
}

/* Whether it starts from an image. */
gboolean
stasis_call_domain_has_managed_save_image (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (domain == NULL)
    return FALSE;
  g_autofree char *path = stasis_domain_get_managed_save_path (domain);
  call->rets[0].i = path != NULL ? 1 : 0;
  return TRUE;
}

/* Whether it runs. */
gboolean
stasis_call_domain_is_active (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (domain == NULL)
    return FALSE;
  call->rets[0].i = stasis_domain_get_id (domain) >= 0 ? 1 : 0;
  return TRUE;
}

/* Whether it is defined. */
gboolean
stasis_call_domain_is_persistent (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (domain == NULL)
    return FALSE;
  call->rets[0].i = stasis_domain_is_persistent (domain) ? 1 : 0;
  return TRUE;
}

/* libvirt means a running one whose definition is another than at its start; its QEMU driver never
 * says so either. */
gboolean
stasis_call_domain_is_updated (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL;
}

/* A save image is no snapshot. */
gboolean
stasis_call_domain_snapshot_num (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL;
}
