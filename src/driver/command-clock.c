/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command-clock.c: what time it is in the guest, and what becomes of ticks it misses
 */

#include "config.h"

#include "driver/command-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

static gint64
now_of (const StasisArgs *args)
{
  return args->host->now != 0 ? args->host->now : g_get_real_time () / G_USEC_PER_SEC;
}

/* The wall clock of @zone at @seconds as "-rtc base=" wants it. */
static char *
format_base (gint64 seconds, GTimeZone *zone)
{
  g_autoptr (GDateTime) utc = g_date_time_new_from_unix_utc (seconds);
  g_autoptr (GDateTime) local = utc != NULL ? g_date_time_to_timezone (utc, zone) : NULL;
  return local != NULL ? g_date_time_format (local, "%Y-%m-%dT%H:%M:%S") : NULL;
}

static char *
make_timezone_base (const StasisArgs *args)
{
  const char *name = args->def->clock.timezone;
  g_autoptr (GTimeZone) zone = g_time_zone_new_identifier (name);
  return zone != NULL ? format_base (now_of (args), zone) : NULL;
}

/* (transfer full) What follows "base=", or NULL. */
static char *
make_base (const StasisArgs *args)
{
  const StasisClockDef *clock = &args->def->clock;
  const gint64 adjustment
      = clock->adjustment != NULL ? g_ascii_strtoll (clock->adjustment, NULL, 10) : 0;
  const gboolean is_local
      = clock->offset == STASIS_CLOCK_LOCALTIME
        || (clock->offset == STASIS_CLOCK_VARIABLE && g_strcmp0 (clock->basis, "localtime") == 0);
  g_autoptr (GTimeZone) zone = is_local ? g_time_zone_new_local () : g_time_zone_new_utc ();

  if (clock->offset == STASIS_CLOCK_ABSOLUTE)
    return format_base (clock->start != NULL ? g_ascii_strtoll (clock->start, NULL, 10) : 0, zone);
  if (clock->offset == STASIS_CLOCK_TIMEZONE)
    return make_timezone_base (args);
  if (adjustment != 0)
    return format_base (now_of (args) + adjustment, zone);
  return g_strdup (is_local ? "localtime" : "utc");
}

static gboolean
throw_policy (guint index, const StasisTimerDef *timer, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("/domain/clock/timer[%1$u]/@tickpolicy: timer '%2$s' has no policy '%3$s'"),
               index + 1, stasis_timer_names[timer->name],
               stasis_tick_policy_names[timer->tickpolicy]);
  return FALSE;
}

static gboolean
append_rtc (GString *rtc, guint index, const StasisTimerDef *timer, GError **error)
{
  if (timer->catchup_threshold > 0 || timer->catchup_slew > 0 || timer->catchup_limit > 0)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("/domain/clock/timer[%1$u]/catchup: is not supported here"), index + 1);
      return FALSE;
    }
  if (timer->track != NULL)
    stasis_args_append (rtc, "clock", strcmp (timer->track, "guest") == 0 ? "vm" : "host");
  if (timer->tickpolicy == STASIS_TICK_POLICY_CATCHUP)
    stasis_args_append (rtc, "driftfix", "slew");
  else if (timer->tickpolicy == STASIS_TICK_POLICY_MERGE
           || timer->tickpolicy == STASIS_TICK_POLICY_DISCARD)
    return throw_policy (index, timer, error);
  return TRUE;
}

/* KVM's PIT only: the emulated one always delays. */
static gboolean
add_pit (StasisArgs *args, guint index, const StasisTimerDef *timer, GError **error)
{
  switch (timer->tickpolicy)
    {
    case STASIS_TICK_POLICY_UNSET:
    case STASIS_TICK_POLICY_DELAY:
      if (args->is_kvm)
        stasis_args_add (args, "-global", "kvm-pit.lost_tick_policy=delay");
      return TRUE;
    case STASIS_TICK_POLICY_DISCARD:
      if (args->is_kvm)
        stasis_args_add (args, "-global", "kvm-pit.lost_tick_policy=discard");
      return TRUE;
    case STASIS_TICK_POLICY_CATCHUP:
      return TRUE;
    case STASIS_TICK_POLICY_MERGE:
      break;
    }
  return throw_policy (index, timer, error);
}

static gboolean
add_timer_options (StasisArgs *args, GError **error)
{
  const GPtrArray *timers = args->def->clock.timers;

  for (guint i = 0; i < timers->len; i++)
    {
      const StasisTimerDef *timer = timers->pdata[i];
      if (timer->name == STASIS_TIMER_PIT)
        {
          if (!add_pit (args, i, timer, error))
            return FALSE;
        }
      else if (timer->name != STASIS_TIMER_RTC && timer->tickpolicy != STASIS_TICK_POLICY_UNSET
               && timer->tickpolicy != STASIS_TICK_POLICY_DELAY)
        return throw_policy (i, timer, error);
    }
  return TRUE;
}

gboolean
stasis_args_add_clock (StasisArgs *args, GError **error)
{
  g_autofree char *base = make_base (args);
  if (base == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("/domain/clock: no such time zone or date"));
      return FALSE;
    }

  g_autoptr (GString) rtc = g_string_new (NULL);
  stasis_args_append (rtc, "base", base);
  for (guint i = 0; i < args->def->clock.timers->len; i++)
    {
      const StasisTimerDef *timer = args->def->clock.timers->pdata[i];
      if (timer->name == STASIS_TIMER_RTC && !append_rtc (rtc, i, timer, error))
        return FALSE;
    }
  stasis_args_add (args, "-rtc", rtc->str);
  return add_timer_options (args, error);
}
