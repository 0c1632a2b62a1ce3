/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-keys.c: keys that are pressed for the guest, and its interrupt
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "remote/calls.h"
#include "util/json.h"

/* Of libvirt's virKeycodeSet. */
#define CODESET_LINUX 0u
#define CODESET_XT    1u
#define CODESET_QNUM  9u

#define KEYS_MAX    16u /* at once, as in libvirt */
#define HOLD_MS_MAX 60000u

/* Linux' numbers above those which are the XT keyboard's, as QEMU numbers keys. */
static const guint8 above[] = {
  [96] = 0x9c,  [97] = 0x9d,  [98] = 0xb5,  [99] = 0x54,  [100] = 0xb8, [102] = 0xc7,
  [103] = 0xc8, [104] = 0xc9, [105] = 0xcb, [106] = 0xcd, [107] = 0xcf, [108] = 0xd0,
  [109] = 0xd1, [110] = 0xd2, [111] = 0xd3, [113] = 0xa0, [114] = 0xae, [115] = 0xb0,
  [116] = 0xde, [119] = 0xc6, [125] = 0xdb, [126] = 0xdc, [127] = 0xdd,
};

/* QEMU's number, or 0. */
static guint32
translate (guint32 codeset, guint32 key)
{
  if (codeset != CODESET_LINUX)
    return key <= 0xff ? key : 0;
  if (key <= 83 || key == 87 || key == 88)
    return key;
  return key < G_N_ELEMENTS (above) ? above[key] : 0;
}

static StasisJson *
new_keys (guint32 codeset, const GArray *codes, GError **error)
{
  g_autoptr (StasisJson) keys = stasis_json_new_array ();
  for (guint i = 0; i < codes->len; i++)
    {
      const guint32 key = (guint32) g_array_index (codes, gint32, i);
      const guint32 number = translate (codeset, key);
      if (number == 0)
        {
          g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                       _ ("there is no key number %1$u in the codeset %2$u"), key, codeset);
          return NULL;
        }
      StasisJson *one = stasis_json_new_object ();
      stasis_json_set_string (one, "type", "number");
      stasis_json_set_uint (one, "data", number);
      stasis_json_array_append (keys, one);
    }
  return g_steal_pointer (&keys);
}

static gboolean
check_no_flags (guint32 flags, GError **error)
{
  const StasisFlagPair none = { 0, 0 };
  guint32 ours;
  return stasis_call_translate_flags (flags, &none, 0, &ours, error);
}

/* A QMP command without a result. */
static gboolean
command (StasisCall *call, const char *name, StasisJson *arguments_take, GError **error)
{
  g_autoptr (StasisJson) request = stasis_json_new_object ();
  stasis_json_set_string (request, "execute", name);
  if (arguments_take != NULL)
    stasis_json_set (request, "arguments", arguments_take);
  g_autofree char *text = stasis_json_to_string (request);
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  g_autofree char *reply
      = domain != NULL
            ? stasis_domain_monitor_command (domain, text, STASIS_MONITOR_COMMAND_NONE, NULL, error)
            : NULL;
  return reply != NULL;
}

/* All at once, for some time. */
gboolean
stasis_call_domain_send_key (StasisCall *call, GError **error)
{
  const guint32 codeset = call->args[1].u;
  const guint32 hold_ms = call->args[2].u;
  const GArray *codes = call->args[3].numbers;
  if (!check_no_flags (call->args[4].u, error))
    return FALSE;
  if (codeset != CODESET_LINUX && codeset != CODESET_XT && codeset != CODESET_QNUM)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("keys of the codeset %u are not known"), codeset);
      return FALSE;
    }
  if (codes->len == 0 || codes->len > KEYS_MAX || hold_ms > HOLD_MS_MAX)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("%1$u keys cannot be pressed for %2$u ms"), codes->len, hold_ms);
      return FALSE;
    }
  g_autoptr (StasisJson) keys = new_keys (codeset, codes, error);
  if (keys == NULL)
    return FALSE;
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set (arguments, "keys", g_steal_pointer (&keys));
  if (hold_ms > 0)
    stasis_json_set_uint (arguments, "hold-time", hold_ms);
  return command (call, "send-key", arguments, error);
}

/* The one that it cannot mask. */
gboolean
stasis_call_domain_inject_nmi (StasisCall *call, GError **error)
{
  return check_no_flags (call->args[1].u, error) && command (call, "inject-nmi", NULL, error);
}
