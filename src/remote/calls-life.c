/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-life.c: defining, starting and ending domains
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "remote/calls.h"
#include "remote/session.h"

/* libvirt's virDomainShutdownFlagValues; every way but the agent comes to the power button. */
#define SHUTDOWN_AGENT 0x2u
#define SHUTDOWN_KNOWN 0x1fu

static const StasisFlagPair define_flags[] = {
  { 0x1, 0 }, /* validate: always */
};

/* Of libvirt's virDomainCreateFlags: it ends with the connection. */
#define START_AUTODESTROY 0x2u

static const StasisFlagPair start_flags[] = {
  { 0x1, STASIS_START_PAUSED },
  { START_AUTODESTROY, 0 }, /* see end_with_client() */
  { 0x4, 0 },               /* bypass the cache: chosen anyway */
  { 0x8, STASIS_START_FORCE_BOOT },
  { 0x10, 0 }, /* validate */
};

static const StasisFlagPair undefine_flags[] = {
  { 0x1, STASIS_UNDEFINE_MANAGED_SAVE },
  { 0x2, 0 }, /* snapshots: there are none */
  { 0x4, STASIS_UNDEFINE_NVRAM },
  { 0x8, STASIS_UNDEFINE_KEEP_NVRAM },
  { 0x10, 0 }, /* checkpoints: neither */
};

static const StasisFlagPair destroy_flags[] = {
  { 0x1, STASIS_DESTROY_GRACEFUL },
};

static const StasisFlagPair no_flags[] = {
  { 0, 0 },
};

/* Keep a definition. */
gboolean
stasis_call_domain_define_xml (StasisCall *call, GError **error)
{
  return stasis_call_give (call, stasis_driver_define (call->driver, call->args[0].s, NULL, error));
}

/* The same. */
gboolean
stasis_call_domain_define_xml_flags (StasisCall *call, GError **error)
{
  guint32 flags;
  return stasis_call_translate_flags (call->args[1].u, define_flags, G_N_ELEMENTS (define_flags),
                                      &flags, error)
         && stasis_call_domain_define_xml (call, error);
}

/* Where it was asked for. */
static void
end_with_client (StasisCall *call, guint32 flags, StasisDomain *domain)
{
  if (domain != NULL && (flags & START_AUTODESTROY) != 0)
    stasis_session_end_with (call->session, call->driver, domain);
}

/* Start one that is not kept. */
gboolean
stasis_call_domain_create_xml (StasisCall *call, GError **error)
{
  guint32 flags;
  if (!stasis_call_translate_flags (call->args[1].u, start_flags, G_N_ELEMENTS (start_flags),
                                    &flags, error))
    return FALSE;
  StasisDomain *domain
      = stasis_driver_create (call->driver, call->args[0].s, NULL, flags, NULL, error);
  end_with_client (call, call->args[1].u, domain);
  return stasis_call_give (call, domain);
}

static gboolean
start (StasisDomain *domain, guint32 flags, GError **error)
{
  return domain != NULL && stasis_domain_start (domain, flags, NULL, NULL, NULL, error);
}

/* Start one that is. */
gboolean
stasis_call_domain_create (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return start (domain, STASIS_START_NONE, error);
}

/* The same; its id is known then. */
gboolean
stasis_call_domain_create_with_flags (StasisCall *call, GError **error)
{
  guint32 flags;
  if (!stasis_call_translate_flags (call->args[1].u, start_flags, G_N_ELEMENTS (start_flags),
                                    &flags, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (!start (domain, flags, error))
    return FALSE;
  end_with_client (call, call->args[1].u, domain);
  return stasis_call_give (call, g_steal_pointer (&domain));
}

static gboolean
undefine (StasisCall *call, guint32 flags, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL && stasis_domain_undefine (domain, flags, error);
}

/* Keep it no longer. */
gboolean
stasis_call_domain_undefine (StasisCall *call, GError **error)
{
  return undefine (call, STASIS_UNDEFINE_NONE, error);
}

/* The same, with what belongs to it. */
gboolean
stasis_call_domain_undefine_flags (StasisCall *call, GError **error)
{
  guint32 flags;
  return stasis_call_translate_flags (call->args[1].u, undefine_flags,
                                      G_N_ELEMENTS (undefine_flags), &flags, error)
         && undefine (call, flags, error);
}

static gboolean
destroy (StasisCall *call, guint32 flags, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL && stasis_domain_destroy (domain, flags, error);
}

/* End it, whatever its guest does. */
gboolean
stasis_call_domain_destroy (StasisCall *call, GError **error)
{
  return destroy (call, STASIS_DESTROY_NONE, error);
}

/* The same, or with patience. */
gboolean
stasis_call_domain_destroy_flags (StasisCall *call, GError **error)
{
  guint32 flags;
  return stasis_call_translate_flags (call->args[1].u, destroy_flags, G_N_ELEMENTS (destroy_flags),
                                      &flags, error)
         && destroy (call, flags, error);
}

/* By the power button is the only way to ask a guest. */
static gboolean
check_mode (guint32 flags, GError **error)
{
  const StasisFlagPair known = { SHUTDOWN_KNOWN, SHUTDOWN_KNOWN };
  guint32 modes;
  if (!stasis_call_translate_flags (flags, &known, 1, &modes, error))
    return FALSE;
  if (modes != SHUTDOWN_AGENT)
    return TRUE;
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                       _ ("a guest is asked by its power button (mode 'acpi'), not by its agent"));
  return FALSE;
}

/* Ask the guest; the old procedure has no flags. */
gboolean
stasis_call_domain_shutdown (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL && stasis_domain_shutdown (domain, error);
}

/* The same. */
gboolean
stasis_call_domain_shutdown_flags (StasisCall *call, GError **error)
{
  return check_mode (call->args[1].u, error) && stasis_call_domain_shutdown (call, error);
}

/* Ask the guest, and reset it then. */
gboolean
stasis_call_domain_reboot (StasisCall *call, GError **error)
{
  if (!check_mode (call->args[1].u, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL && stasis_domain_reboot (domain, error);
}

/* At once. */
gboolean
stasis_call_domain_reset (StasisCall *call, GError **error)
{
  guint32 flags;
  if (!stasis_call_translate_flags (call->args[1].u, no_flags, 0, &flags, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL && stasis_domain_reset (domain, error);
}

/* Stop its processors. */
gboolean
stasis_call_domain_suspend (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL && stasis_domain_suspend (domain, error);
}

/* Let them run. */
gboolean
stasis_call_domain_resume (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL && stasis_domain_resume (domain, error);
}

/* Start it with the host. */
gboolean
stasis_call_domain_set_autostart (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL && stasis_domain_set_autostart (domain, call->args[1].i != 0, error);
}

/* The next time only. */
gboolean
stasis_call_domain_set_autostart_once (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL && stasis_domain_set_autostart_once (domain, call->args[1].i != 0, error);
}
