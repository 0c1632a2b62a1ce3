/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-look.c: what a list has told of a domain, until it is asked for
 */

#include "config.h"

#include "remote/client-look.h"

#include <string.h>

#define MOMENT_US G_USEC_PER_SEC
#define WORD_MAX  64u /* octets */

typedef struct
{
  gint64 until; /* µs */
  gboolean has_id;
  gboolean has_persistent;
  gboolean has_state;
  int id;
  gboolean is_persistent;
  StasisDomainState state;
  const char *reason; /* interned */
} Look;

static GQuark
quark (void)
{
  return g_quark_from_static_string ("stasis-client-look");
}

/* A domain may be asked by several threads. */
static GMutex lock;

const char *
stasis_client_intern (const char *word)
{
  return word != NULL && strlen (word) <= WORD_MAX ? g_intern_string (word) : "unknown";
}

/* What a list tells. */
void
stasis_client_look_keep (StasisDomain *domain, const StasisWireRecord *record)
{
  const GPtrArray *params = record->params;
  const StasisWireParam *state
      = stasis_wire_params_find (params, STASIS_OWN_LOOK_STATE, STASIS_WIRE_INT);
  const StasisWireParam *reason
      = stasis_wire_params_find (params, STASIS_OWN_LOOK_REASON, STASIS_WIRE_STRING);
  const StasisWireParam *persistent
      = stasis_wire_params_find (params, STASIS_OWN_LOOK_PERSISTENT, STASIS_WIRE_BOOLEAN);
  Look *look = g_new0 (Look, 1);
  look->until = g_get_monotonic_time () + MOMENT_US;
  look->has_id = TRUE;
  look->id = record->domain->id;
  look->has_state = state != NULL;
  look->state = state != NULL ? (StasisDomainState) state->value.i : STASIS_DOMAIN_NOSTATE;
  look->reason = stasis_client_intern (reason != NULL ? reason->value.s : NULL);
  look->has_persistent = persistent != NULL;
  look->is_persistent = persistent != NULL && persistent->value.i != 0;
  g_object_set_qdata_full (G_OBJECT (domain), quark (), look, g_free);
}

/* It is asked for something, which may change what a list has told. */
void
stasis_client_look_drop (StasisDomain *domain)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  g_object_set_qdata (G_OBJECT (domain), quark (), NULL);
}

/* (nullable); with the lock held. */
static Look *
find (StasisDomain *domain)
{
  Look *look = g_object_get_qdata (G_OBJECT (domain), quark ());
  return look != NULL && g_get_monotonic_time () < look->until ? look : NULL;
}

/* FALSE: ask the server. */
gboolean
stasis_client_look_take_id (StasisDomain *domain, int *out_id)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  Look *look = find (domain);
  if (look == NULL || !look->has_id)
    return FALSE;
  look->has_id = FALSE;
  *out_id = look->id;
  return TRUE;
}

/* FALSE: ask the server. */
gboolean
stasis_client_look_take_persistent (StasisDomain *domain, gboolean *out_is_persistent)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  Look *look = find (domain);
  if (look == NULL || !look->has_persistent)
    return FALSE;
  look->has_persistent = FALSE;
  *out_is_persistent = look->is_persistent;
  return TRUE;
}

/* FALSE: ask the server. */
gboolean
stasis_client_look_take_state (StasisDomain *domain, StasisDomainState *out_state,
                               const char **out_reason)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  Look *look = find (domain);
  if (look == NULL || !look->has_state)
    return FALSE;
  look->has_state = FALSE;
  *out_state = look->state;
  if (out_reason != NULL)
    *out_reason = look->reason;
  return TRUE;
}
